"""The bundled model catalogue: which models each provider is known to have."""

from functools import cache
from importlib.resources import files

import yaml

from hermesllm.providers import Provider


@cache
def _catalogue() -> dict[str, tuple[str, ...]]:
    text = (files("hermesllm") / "data" / "provider_models.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(text, Loader=loader)  # noqa: S506 — a safe loader in both branches
    return {key: tuple(name.partition("/")[2] for name in names) for key, names in document["providers"].items()}


def catalogue_models(provider: Provider) -> tuple[str, ...]:
    """Model ids of a provider, without the provider's own prefix; empty where the catalogue has none."""
    return _catalogue().get(provider.catalogue or "", ())
