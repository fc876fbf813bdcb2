"""The configuration when there is no file: every well-known provider as a wildcard."""

from collections.abc import Mapping
from typing import Any

from hermesllm.providers import PROVIDERS, Provider
from planoctl.config.migrate import CURRENT_VERSION

DEFAULT_LISTENER_PORT = 12000
_COLLECTOR = "http://localhost:4317"


def synthesise(
    environment: Mapping[str, str], *, listener_port: int = DEFAULT_LISTENER_PORT
) -> tuple[dict[str, Any], str]:
    """The document, and one line about it.

    Providers whose key is in the environment come first and use it; the others forward the client's credential.
    """
    offered = [provider for provider in PROVIDERS.values() if provider.zero_config]
    keyed = [provider for provider in offered if _has_key(provider, environment)]
    others = [provider for provider in offered if provider not in keyed]
    entries = [_entry(provider) | {"access_key": f"${provider.key_variable}"} for provider in keyed]
    entries += [_entry(provider) | {"passthrough_auth": True} for provider in others]
    document = {
        "version": CURRENT_VERSION,
        "listeners": [
            {"name": "llm", "type": "model", "port": listener_port, "address": "0.0.0.0"}  # noqa: S104 — public by design
        ],
        "model_providers": entries,
        "tracing": {"random_sampling": 100, "opentracing_grpc_endpoint": _COLLECTOR},
    }
    parts = [
        f"{kind}: {', '.join(provider.id for provider in providers)}"
        for kind, providers in (("env-keyed", keyed), ("pass-through", others))
        if providers
    ]
    return document, " | ".join(parts) or "no providers"


def _has_key(provider: Provider, environment: Mapping[str, str]) -> bool:
    return bool(provider.key_variable and environment.get(provider.key_variable, "").strip())


def _entry(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.id,
        "model": f"{provider.id}/*",
        "base_url": f"https://{provider.host}{provider.prefix}",
    }
