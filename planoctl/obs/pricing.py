"""Rates of called models: the user's own price file before the list inside the `genai-prices` package."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from hermesllm.price_catalogues import PriceCatalogue
from hermesllm.prices import Rates, list_price
from hermesllm.providers import find_provider

_FIELDS = ("input", "output", "cache_read", "cache_write")
# Whose models are known by their bare names, where a span does not say who served the call.
_MAKERS = ("anthropic", "openai", "gemini", "mistral", "deepseek", "xai", "moonshotai")
_EXAMPLE = "write `model: {input: 2.5, output: 10, cache_read: 1.25}`, in USD per million tokens"


class PriceFileError(ValueError):
    """A price file that cannot be read; the message says where and what to write instead."""


class Prices:
    """Finds rates by the provider, the model and the requested model of a call."""

    def __init__(self, overrides: Mapping[str, Rates] = MappingProxyType({}), *, use_list: bool = True) -> None:
        self._overrides = PriceCatalogue({**{name.lower(): rates for name, rates in overrides.items()}, **overrides})
        self._use_list = use_list
        self.source = (
            " + ".join([f"{len(overrides)} of your own"] * bool(overrides) + ["genai-prices"] * use_list) or "none"
        )

    def of_user(self, provider: str, model: str, requested: str | None) -> Rates | None:
        """The rates in the user's file for the model, else for the requested one."""
        if not len(self._overrides):
            return None
        names = (name for name in (model, requested) if name)
        tried = (form for name in names for form in (f"{provider}/{name}", name))
        found = (self._overrides.find(form) or self._overrides.find(form.lower()) for form in tried)
        return next((rates for rates in found if rates is not None), None)

    def listed(self, provider: str, model: str, requested: str | None) -> Rates | None:
        """The published rates of the model, else of the requested one."""
        return _listed(provider, model, requested) if self._use_list else None


NO_PRICES = Prices(use_list=False)


def read_prices(file: Path) -> dict[str, Rates]:
    """Rates by model, in USD per million tokens, of a YAML or JSON file. Raises PriceFileError and OSError."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PriceFileError(f"{file} is neither YAML nor JSON: {error}") from error
    if not isinstance(document, dict) or not document:
        raise PriceFileError(f"{file} lists no models: {_EXAMPLE}")
    return {str(model): _rates(file, str(model), entry) for model, entry in document.items()}


def _rates(file: Path, model: str, entry: Any) -> Rates:
    where = f"{file}: {model}"
    if not isinstance(entry, dict):
        raise PriceFileError(f"{where}: no rates: {_EXAMPLE}")
    unknown = [str(key) for key in entry if key not in _FIELDS]
    if unknown:
        raise PriceFileError(f"{where}: unknown {', '.join(unknown)}: use {', '.join(_FIELDS)}")
    missing = [key for key in ("input", "output") if key not in entry]
    if missing:
        raise PriceFileError(f"{where}: {' and '.join(missing)} missing: {_EXAMPLE}")
    for key, value in entry.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise PriceFileError(f"{where}: {key} is {value!r}: use USD per million tokens, such as 2.5")
    return Rates(**{key: float(value) for key, value in entry.items()})


@lru_cache(maxsize=4096)
def _listed(provider: str, model: str, requested: str | None) -> Rates | None:
    pairs = (pair for name in (model, requested) if name for pair in _sellers(provider, name))
    return next((rates for seller, name in pairs if (rates := list_price(seller, name)) is not None), None)


def _sellers(provider: str, name: str) -> Iterator[tuple[str, str]]:
    """Ids of providers with the names they may know a model by; a provider that is known is the only one asked."""
    prefix, slash, rest = name.partition("/")
    named = find_provider(prefix) if slash else None
    known = find_provider(provider) or named
    if known is not None:
        yield known.id, rest if named is not None else name
        return
    bare = name.rpartition("/")[2]
    yield from ((maker, bare) for maker in _MAKERS)
