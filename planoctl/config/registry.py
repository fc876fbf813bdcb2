"""Which configured model a name means. Shared by the sidecar, which routes, and brightstaff, which lists models."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hermesllm.models import catalogue_models
from hermesllm.providers import Provider, find_provider
from planoctl.config.addresses import is_dot_segment
from planoctl.config.runtime import ModelProvider, RuntimeConfig


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concrete place to send a request: the configured entry, its provider record, and the upstream model id."""

    entry: ModelProvider
    provider: Provider
    model: str

    @property
    def name(self) -> str:
        """The public name, as `/v1/models` lists it."""
        return f"{self.entry.wildcard_prefix}/{self.model}" if self.entry.wildcard else self.entry.name

    @property
    def provider_name(self) -> str:
        """What to call the provider in messages: a server that only speaks another's API has the name it was given."""
        given, slash, _ = self.name.partition("/")
        own = slash and self.entry.base_url and find_provider(given) is None
        return given if own else self.provider.id


class ModelRegistry:
    """Looks names up, in this order: alias, exact name, qualified `provider/model`, bare model id, wildcard.

    A bare id that several entries offer means the first of them, explicitly listed models before wildcards.
    """

    def __init__(self, config: RuntimeConfig) -> None:
        self._aliases = {alias: target.target for alias, target in config.model_aliases.items()}
        self._alias_fallbacks = {
            alias: target.fallbacks for alias, target in config.model_aliases.items() if target.fallbacks is not None
        }
        self._by_name: dict[str, Candidate] = {}
        self._by_model: dict[str, Candidate] = {}
        self._wildcards: dict[str, Candidate] = {}
        self._listed: dict[str, Candidate] = {}
        self.default: Candidate | None = None
        explicit = [entry for entry in config.model_providers if not entry.wildcard]
        for entry in explicit:
            self._add_model(entry)
        for entry in config.model_providers:
            if entry.wildcard:
                self._add_wildcard(entry)

    def _add_model(self, entry: ModelProvider) -> None:
        candidate = _candidate(entry)
        self._by_name.setdefault(entry.name, candidate)
        if entry.internal:
            return
        qualified = f"{entry.wildcard_prefix or entry.provider_interface}/{entry.model}"
        self._by_name.setdefault(qualified, candidate)
        self._by_model.setdefault(entry.model, candidate)
        self._listed.setdefault(entry.name, candidate)
        if entry.default and self.default is None:
            self.default = candidate

    def _add_wildcard(self, entry: ModelProvider) -> None:
        prefix = entry.wildcard_prefix or entry.provider_interface
        base = _candidate(entry)
        if self._wildcards.setdefault(prefix, base) is not base:
            return
        for model in catalogue_models(base.provider):
            candidate = Candidate(entry, base.provider, model)
            if f"{prefix}/{model}" not in self._by_name:
                self._listed.setdefault(f"{prefix}/{model}", candidate)
            self._by_model.setdefault(model, candidate)

    def resolve(self, name: str) -> Candidate | None:
        """The candidate that a requested name means, or None."""
        name = self._aliases.get(name, name)
        found = self._by_name.get(name) or self._by_model.get(name)
        if found is not None:
            return found
        return self._resolve_wildcard(name) or self._resolve_foreign_prefix(name)

    def _resolve_wildcard(self, name: str) -> Candidate | None:
        prefix = name
        while "/" in prefix:
            prefix = prefix.rpartition("/")[0]
            base = self._wildcards.get(prefix)
            model = name[len(prefix) + 1 :]
            if base is not None and model and not is_dot_segment(model):
                return Candidate(base.entry, base.provider, model)
        return None

    def _resolve_foreign_prefix(self, name: str) -> Candidate | None:
        """`team-a/gpt-4o` finds `gpt-4o`; `anthropic/gpt-4o` must not find it at OpenAI."""
        prefix, slash, model = name.partition("/")
        if not slash:
            return None
        found = self._by_model.get(model)
        if found is None:
            return None
        provider = find_provider(prefix)
        return found if provider is None or provider is found.provider else None

    def chain(self, names: Iterable[str]) -> list[Candidate]:
        """The candidates of ranked names, then what each of them falls back on; what means nothing is passed over."""
        found = [(name, candidate) for name in names if (candidate := self.resolve(name)) is not None]
        fallbacks = [fallback for name, candidate in found for fallback in self._fallbacks(name, candidate)]
        return _distinct([*(candidate for _, candidate in found), *fallbacks])

    def with_fallbacks(self, name: str, candidate: Candidate) -> list[Candidate]:
        """`candidate`, which a request for `name` gets, then what it falls back on."""
        fallbacks = self._fallbacks(name, candidate)
        return _distinct([candidate, *fallbacks]) if fallbacks else [candidate]

    def _fallbacks(self, name: str, candidate: Candidate) -> list[Candidate]:
        names = self._alias_fallbacks.get(name, candidate.entry.fallbacks)
        return [found for found in map(self.resolve, names) if found is not None]

    def names(self) -> list[str]:
        """Public names in configuration order, then catalogue order; internal entries are left out."""
        return list(self._listed)

    def aliases(self) -> list[str]:
        return list(self._aliases)

    def __iter__(self) -> Iterator[tuple[str, Candidate]]:
        return iter(self._listed.items())


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Each candidate where it comes first."""
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.name, candidate)
    return list(first.values())


def _candidate(entry: ModelProvider) -> Candidate:
    provider = find_provider(entry.provider_interface)
    if provider is None:
        raise ValueError(f"unknown provider_interface {entry.provider_interface!r}")
    return Candidate(entry, provider, entry.model)
