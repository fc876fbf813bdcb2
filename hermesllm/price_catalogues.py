"""Reading the price catalogues that services publish as JSON documents: DigitalOcean's and models.dev's."""

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hermesllm.prices import Priced, Rates

_NO_ALIASES: Mapping[str, str] = MappingProxyType({})
_MILLION = 1_000_000
# No model costs as much as this per token, and none as little as this per million tokens.
_PER_TOKEN_BELOW = 1e-3
_DATE = re.compile(r"-\d{8}$")
_CREATORS = ("anthropic-", "openai-", "google-", "meta-", "cohere-", "mistral-")
_CLAUDE_FAMILIES = frozenset({"opus", "sonnet", "haiku"})
# What models.dev calls those of our providers that it names differently.
_MODELS_DEV_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gemini": ("google",),
        "vertex": ("google-vertex", "google-vertex-anthropic"),
        "together_ai": ("togetherai",),
        "zhipu": ("zhipuai", "zai"),
        "azure_openai": ("azure",),
        "qwen": ("alibaba",),
        "amazon_bedrock": ("amazon-bedrock",),
    }
)


class PriceCatalogue:
    """Rates by the names under which a catalogue, or an alias of the user's, lists them."""

    def __init__(self, rates: Mapping[str, Rates]) -> None:
        self._rates = rates

    def __len__(self) -> int:
        return len(self._rates)

    def find(self, name: str, candidate: Priced | None = None) -> Rates | None:
        """The rates of the model that `name` stands for; `candidate` is what it resolves to, where that is known."""
        return next((self._rates[form] for form in _sought(name, candidate) if form in self._rates), None)


def digitalocean(document: Any, aliases: Mapping[str, str] = _NO_ALIASES) -> PriceCatalogue:
    """The catalogue of DigitalOcean's inference service. Raises ValueError for another kind of document.

    `aliases` maps ids of the catalogue, with or without their creator, to names of models. The document has prices per
    token under names that say per million, so they are told apart by their size.
    """
    rates: dict[str, Rates] = {}
    for item in _objects(document, "data"):
        name, pricing = item.get("model_id"), item.get("pricing")
        if not isinstance(name, str) or not isinstance(pricing, dict):
            continue
        found = _digitalocean_rates(pricing)
        if found is None:
            continue
        creator = item.get("creator")
        full = f"{creator.lower()}/{name}" if isinstance(creator, str) else name
        alias = aliases.get(full) or aliases.get(name)
        for form in (alias,) if alias else (full, *_catalogue_forms(name)):
            rates.setdefault(form, found)
    return PriceCatalogue(rates)


def models_dev(document: Any, aliases: Mapping[str, str] = _NO_ALIASES) -> PriceCatalogue:
    """The catalogue of models.dev. Raises ValueError for another kind of document.

    `aliases` maps `provider/model` of the catalogue to names of models. A bare model id means the first provider's.
    """
    rates: dict[str, Rates] = {}
    bare: dict[str, Rates] = {}
    for provider, model, details in _models_dev_entries(document):
        found = _models_dev_rates(details)
        if found is not None:
            full = f"{provider}/{model}"
            rates[aliases.get(full, full)] = found
            bare.setdefault(model, found)
    return PriceCatalogue({**bare, **rates})


def _digitalocean_rates(pricing: dict[str, Any]) -> Rates | None:
    given, asked = (_usd(pricing.get(f"{side}_price_per_million")) for side in ("input", "output"))
    if given is None and asked is None:
        return None
    scale = _MILLION if max(given or 0.0, asked or 0.0) < _PER_TOKEN_BELOW else 1
    cached = _usd(pricing.get("cache_read_input_price_per_million"))
    if cached is None:
        cached = _usd(pricing.get("input_cache_read"))
    return Rates((given or 0.0) * scale, (asked or 0.0) * scale, None if cached is None else cached * scale)


def _models_dev_entries(document: Any) -> Iterator[tuple[str, str, Any]]:
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 — of the document, not of the program
    for provider, entry in document.items():
        models = entry.get("models") if isinstance(entry, dict) else None
        if isinstance(models, dict):
            yield from ((provider, model, details) for model, details in models.items())


def _models_dev_rates(details: Any) -> Rates | None:
    cost = details.get("cost") if isinstance(details, dict) else None
    if not isinstance(cost, dict):
        return None
    given, asked = _usd(cost.get("input")), _usd(cost.get("output"))
    if given is None or asked is None:
        return None
    return Rates(given, asked, _usd(cost.get("cache_read")), _usd(cost.get("cache_write")))


def _sought(name: str, candidate: Priced | None) -> Iterator[str]:
    """The names to look a model up by, the most exact first."""
    yield name
    models = [name.partition("/")[2]] if "/" in name else [name]
    if candidate is not None:
        yield candidate.name
        provider = candidate.provider.id
        for listed in _MODELS_DEV_NAMES.get(provider, (provider,)):
            yield f"{listed}/{candidate.model}"
        models = [candidate.model, *models]
    for model in models:
        yield model
        yield model.lower()
        yield _DATE.sub("", model.lower())


def _catalogue_forms(name: str) -> list[str]:
    """The ids that models have at their own providers, made of DigitalOcean's `anthropic-claude-4.6-sonnet`."""
    forms = [name]
    creator = next((creator for creator in _CREATORS if name.startswith(creator)), None)
    if creator is not None:
        rest = name.removeprefix(creator)
        forms += [rest, *_claude_forms(rest)]
    forms += [form.replace(".", "-") for form in forms]
    return list(dict.fromkeys([*forms, *(form.lower() for form in forms)]))


def _claude_forms(name: str) -> list[str]:
    parts = name.split("-")
    family = next((part for part in parts if part in _CLAUDE_FAMILIES), None)
    if parts[0] != "claude" or family is None:
        return []
    others = [part for part in parts[1:] if part != family]
    return ["-".join(["claude", family, *others]), "-".join(["claude", *others, family])]


def _objects(document: Any, key: str) -> list[dict[str, Any]]:
    items = document.get(key) if isinstance(document, dict) else None
    if isinstance(items, list):
        return [item for item in items if isinstance(item, dict)]
    raise ValueError(f"no list under {key!r}")


def _usd(value: Any) -> float | None:
    """A price; None for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
