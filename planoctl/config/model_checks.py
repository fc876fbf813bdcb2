"""Do aliases, routing preferences, rate limits and metrics sources refer to what is declared?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hermesllm.models import catalogue_models
from hermesllm.providers import find_provider
from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.limit_checks import check_limited_models, check_limits
from planoctl.config.wildcard import covered, is_wildcard, wildcard_prefix

Document = dict[str, Any]

_SHOWN_MODELS = 50


@dataclass(frozen=True, slots=True)
class DeclaredModels:
    """Every way to name a declared model, the prefixes of wildcards, and what the catalogue has below them."""

    names: frozenset[str]
    models: frozenset[str]  # `provider/model` and the bare id of each model, as in messages
    prefixes: frozenset[str]
    catalogue: frozenset[str]

    @classmethod
    def of(cls, providers: Iterable[Document]) -> "DeclaredModels":
        names: set[str] = set()
        models: set[str] = set()
        prefixes: set[str] = set()
        catalogue: set[str] = set()
        for provider in providers:
            model: str = provider["model"]
            name: str = provider.get("name") or model
            if is_wildcard(model):
                prefixes |= {wildcard_prefix(name), wildcard_prefix(model)}
                catalogue.update(_catalogue(provider))
            else:
                names.add(name)
                models |= {model, model.partition("/")[2]}
        return cls(frozenset(names), frozenset(models), frozenset(prefixes), frozenset(catalogue))

    def has(self, name: str) -> bool:
        """Whether a request for this name finds a model."""
        known = (self.names, self.models, self.catalogue)
        return any(name in group for group in known) or covered(name, self.prefixes)

    def listing(self) -> str:
        shown = sorted(self.models)
        more = f", … {len(shown) - _SHOWN_MODELS} more" if len(shown) > _SHOWN_MODELS else ""
        return ", ".join(shorten(model) for model in shown[:_SHOWN_MODELS]) + more


def _catalogue(wildcard: Document) -> tuple[str, ...]:
    """The bare ids that a wildcard stands for, as far as they are known."""
    provider = find_provider(wildcard.get("provider_interface") or wildcard["model"].partition("/")[0].strip())
    return catalogue_models(provider) if provider else ()


def check_models(migrated: Document, rendered: Document, report: Report) -> None:
    """Check everything that names a model."""
    declared = DeclaredModels.of(migrated.get("model_providers", []))
    known = report.intact("model_providers", "llm_providers")
    if known:
        _check_aliases(rendered, declared, report)
        _check_fallbacks(migrated, declared, report)
        check_limited_models(rendered, declared.has, declared.listing(), report)
    _check_preferences(rendered, declared if known else None, report)
    _check_sources(rendered, report)
    check_limits(rendered, report)


def _check_aliases(document: Document, declared: DeclaredModels, report: Report) -> None:
    for alias, entry in document.get("model_aliases", {}).items():
        target = entry["target"]
        if not declared.has(target):
            report.error(
                "unknown-alias-target",
                f"Model alias '{shorten(alias)}' targets '{shorten(target)}' which is not defined as a model. "
                f"Available models: {declared.listing()}",
                ("model_aliases", alias, "target"),
                "name one of the available models, or declare the target in model_providers",
            )


def _check_fallbacks(document: Document, declared: DeclaredModels, report: Report) -> None:
    owners: list[tuple[DocumentPath, str, Document]] = [
        (("model_providers", index), entry.get("name") or entry["model"], entry)
        for index, entry in enumerate(document.get("model_providers", []))
    ]
    aliases = document.get("model_aliases", {})
    owners += [(("model_aliases", alias), alias, entry) for alias, entry in aliases.items()]
    for path, owner, entry in owners:
        for at, model in enumerate(entry.get("fallbacks", [])):
            place = (*path, "fallbacks", at)
            if model not in aliases and not declared.has(model):
                report.error(
                    "undeclared-model",
                    f"'{shorten(owner)}' falls back on '{shorten(model)}' which is not declared in model_providers",
                    place,
                    f"add it to model_providers, or name one of: {declared.listing()}",
                )
            elif model in {owner, entry.get("model"), entry.get("target")}:
                report.warning("own-fallback", f"'{shorten(owner)}' falls back on itself", place, "remove it")


def _check_preferences(document: Document, declared: DeclaredModels | None, report: Report) -> None:
    seen: set[str] = set()
    for index, preference in enumerate(document.get("routing_preferences", [])):
        path, name = ("routing_preferences", index), preference["name"]
        if name in seen:
            report.error(
                "duplicate-routing-preference",
                f'Duplicate routing preference name "{shorten(name)}", please provide unique name for each routing '
                "preference",
                (*path, "name"),
                "rename it, or merge the two lists of models",
            )
        seen.add(name)
        if declared is not None:
            _check_preferred_models(preference, document.get("model_aliases", {}), declared, path, report)


def _check_preferred_models(
    preference: Document, aliases: Document, declared: DeclaredModels, path: DocumentPath, report: Report
) -> None:
    for at, model in enumerate(preference["models"]):
        if model not in aliases and not declared.has(model):
            report.error(
                "undeclared-model",
                f"routing_preferences route '{shorten(preference['name'])}' references model '{shorten(model)}' which "
                "is not declared in model_providers",
                (*path, "models", at),
                f"add it to model_providers, or name one of: {declared.listing()}",
            )


def _check_sources(document: Document, report: Report) -> None:
    seen: set[str] = set()
    for index, source in enumerate(document.get("model_metrics_sources", [])):
        path, kind = ("model_metrics_sources", index), source["type"]
        if kind in seen:
            message = f"model_metrics_sources: only one {kind} metrics source is allowed"
            report.error("duplicate-metrics-source", message, path, "keep one of them")
        seen.add(kind)
        if not source.get("url", "http://").startswith(("http://", "https://")):
            message = f"'{shorten(source['url'])}' is not an http(s) URL, so no metrics will be there"
            report.warning("invalid-url", message, (*path, "url"), "write e.g. http://prometheus:9090")
