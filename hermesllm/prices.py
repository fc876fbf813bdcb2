"""What providers ask for tokens, from the price list inside the `genai-prices` package. Touches no network.

The list loads on first use, which takes about 0.1 s and 15 to 30 MiB: only processes that ask for prices pay for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from hermesllm.providers import Provider

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo
    from genai_prices.types import Provider as ListedProvider


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens; None where the provider publishes no rate of its own for it."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    @property
    def total(self) -> float:
        """What models are ranked by: input and output rate together."""
        return self.input + self.output

    def usd(  # the kinds of tokens as metrics call them
        self,
        input: float = 0,  # noqa: A002
        output: float = 0,
        cache_read: float = 0,
        cache_write: float = 0,
    ) -> float:
        """The price of tokens: `input` are those of a prompt that a cache had no part in.

        Where a provider has no rate of its own for its cache, the input rate counts.
        """
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        return (input * self.input + output * self.output + cache_read * read + cache_write * write) / 1e6

    def prompt_usd(self, prompt: int, cache_read: int, cache_write: int) -> float:
        """The price of a prompt of so many tokens, of which some were read from or written to a cache."""
        return self.usd(max(0, prompt - cache_read - cache_write), 0, cache_read, cache_write)


class Priced(Protocol):
    """A place to send requests: its public name, its provider and the provider's id of the model."""

    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> Provider: ...
    @property
    def model(self) -> str: ...


_FREE = Rates(0.0, 0.0, 0.0, 0.0)
_FREE_PROVIDERS = frozenset({"ollama"})

# Ours on the left; on the right the ids in the price list, first match wins. Providers that resell other providers'
# models at prices of their own, or by subscription, have none.
_LISTED_AS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "openai": ("openai",),
        "anthropic": ("anthropic",),
        "gemini": ("google",),
        "vertex": ("google",),
        "groq": ("groq",),
        "deepseek": ("deepseek",),
        "mistral": ("mistral",),
        "openrouter": ("openrouter",),
        "xai": ("x-ai",),
        "together_ai": ("together",),
        "moonshotai": ("moonshotai",),
        "zhipu": ("zhipuai", "zai"),
        "perplexity": ("perplexity",),
        "minimax": ("minimax",),
        "meta": ("meta",),
        "azure_openai": ("azure",),
        "amazon_bedrock": ("aws",),
    }
)


class PriceBook:
    """Rates of configured models: `overrides`, by public name, go before the price list."""

    def __init__(self, overrides: Mapping[str, Rates] = MappingProxyType({})) -> None:
        self._overrides = overrides

    def price(self, candidate: Priced) -> Rates | None:
        """The rates in force now, or None for a model whose price is not known."""
        override = self._overrides.get(candidate.name)
        return override if override is not None else list_price(candidate.provider.id, candidate.model)


def load_price_list() -> None:
    """Load the list now, so that the first look-up need not."""
    _price_list()


def list_price(provider: str, model: str) -> Rates | None:
    """The published rates, for prompts of ordinary length, of a model at one of our providers."""
    if provider in _FREE_PROVIDERS:
        return _FREE
    listed = _listed_model(provider, model)
    if listed is None:
        return None
    prices = listed.get_prices(datetime.now(UTC))
    if prices.input_mtok is None and prices.output_mtok is None:
        return None
    return Rates(
        input=_usd(prices.input_mtok) or 0.0,
        output=_usd(prices.output_mtok) or 0.0,
        cache_read=_usd(prices.cache_read_mtok),
        cache_write=_usd(prices.cache_write_mtok),
    )


@lru_cache(maxsize=4096)
def _listed_model(provider: str, model: str) -> "ModelInfo | None":
    listed, everything = _price_list(), list(_price_list().values())
    for name in _LISTED_AS.get(provider, ()):
        found = listed[name].find_model(model, all_providers=everything) if name in listed else None
        if found is not None:
            return found
    return None


@cache
def _price_list() -> "dict[str, ListedProvider]":
    from genai_prices.data_snapshot import get_snapshot

    return {provider.id: provider for provider in get_snapshot().providers}


def _usd(price: Any) -> float | None:
    """A rate; of one that rises with the length of the prompt, the first step."""
    return None if price is None else float(getattr(price, "base", price))
