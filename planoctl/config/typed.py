"""Builds the RuntimeConfig of a rendered document, with everything that follows from other keys filled in."""

from typing import Any

import msgspec

from hermesllm.providers import find_provider
from planoctl.config.findings import ConfigError, Finding
from planoctl.config.runtime import RuntimeConfig
from planoctl.config.wildcard import wildcard_prefix

Document = dict[str, Any]

_AGENT_TIMEOUT = "30s"


def typed(document: Document, *, file: str | None = None) -> RuntimeConfig:
    """The typed form of a rendered document; raises ConfigError if the document has not its shape."""
    try:
        return msgspec.convert(_filled(document), RuntimeConfig)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError) as problem:
        message = f"failed to parse {file or 'the rendered document'}: {type(problem).__name__}: {problem}"
        finding = Finding("error", "unusable-document", message, "render it anew from the YAML file", file=file)
        raise ConfigError([finding]) from None


def _filled(document: Document) -> Document:
    return {
        **document,
        "model_providers": [_filled_provider(provider) for provider in document.get("model_providers", [])],
        "listeners": [_filled_listener(listener) for listener in document.get("listeners", [])],
        "prompt_targets": [_with_texts(target) for target in document.get("prompt_targets", [])],
        **_filled_tracing(document),
    }


def _filled_provider(provider: Document) -> Document:
    """Adds the built-in address, and what a wildcard matches."""
    provider = dict(provider)
    if "endpoint" not in provider and (known := find_provider(provider["provider_interface"])) and known.host:
        provider |= {"endpoint": known.host, "port": 443, "protocol": "https", "cluster_name": known.id}
    model = provider.get("model", "")
    if model == "*" or model.endswith("/*"):
        provider["wildcard_prefix"] = wildcard_prefix(provider["name"])
    return provider


def _filled_listener(listener: Document) -> Document:
    listener = dict(listener)
    if listener["type"] == "agent":
        listener.setdefault("timeout", _AGENT_TIMEOUT)
    if listener.get("address") == "localhost":
        listener["address"] = "127.0.0.1"
    return listener


def _filled_tracing(document: Document) -> Document:
    tracing = document.get("tracing")
    if tracing is None:
        return {}
    return {"tracing": {**tracing, "opentracing_grpc_endpoint": tracing.get("opentracing_grpc_endpoint") or None}}


def _with_texts(target: Document) -> Document:
    """Defaults and choices of parameters as text, which is what they become in a path or a query."""
    if not target.get("parameters"):
        return target
    return {**target, "parameters": [_parameter_with_texts(parameter) for parameter in target["parameters"]]}


def _parameter_with_texts(parameter: Document) -> Document:
    parameter = dict(parameter)
    if "default" in parameter:
        parameter["default"] = _text(parameter["default"])
    if "enum" in parameter:
        parameter["enum"] = [_text(choice) for choice in parameter["enum"]]
    return parameter


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
