"""What a configuration asks for that this version does not do yet: said at every start, so that nobody relies on it."""

from planoctl.config.findings import Finding
from planoctl.config.registry import ModelRegistry
from planoctl.config.routing_model import EMBEDDED, routing_model
from planoctl.config.runtime import Listener, RuntimeConfig


def inactive(config: RuntimeConfig) -> tuple[Finding, ...]:
    """One warning per section that is loaded and checked, but has no effect."""
    asked = {
        "routing.routing_budget": (config.routing.routing_budget is not None, "switching models is not limited"),
        "routing.route_on_user_only": (config.routing.route_on_user_only, "every request is routed"),
        "overrides.llm_routing_model": (
            _undeclared_router(config),
            "it is not declared, the embedded router decides",
        ),
        "tracing.trace_arch_internal": (
            config.tracing is not None and config.tracing.active and config.tracing.trace_arch_internal is False,
            "routing decisions are traced with their requests",
        ),
        "prompt_caching": (config.prompt_caching.enabled, "no cache markers are added"),
        "state_storage": (config.state_storage is not None, "conversations are not stored"),
        "prompt_targets": (bool(config.prompt_targets), "prompt listeners answer with an error"),
    }
    warnings = [_warning(path, f"{path} has no effect yet: {effect}") for path, (used, effect) in asked.items() if used]
    return (*warnings, *(finding for listener in config.listeners for finding in _listener(listener)))


def _undeclared_router(config: RuntimeConfig) -> bool:
    named = config.overrides.llm_routing_model
    return bool(named) and named != EMBEDDED and routing_model(config, ModelRegistry(config)) is None


def has_filters(listener: Listener) -> bool:
    """A listener whose filters cannot run must not let requests past them."""
    return bool(listener.input_filters or listener.output_filters)


def _listener(listener: Listener) -> list[Finding]:
    if listener.type != "model":
        return [_warning("listeners", f"listener '{listener.name}' of type {listener.type} answers with an error yet")]
    if has_filters(listener):
        text = f"listener '{listener.name}' has filters, which cannot run yet: every request to it is refused"
        return [_warning("listeners", text, "Remove input_filters and output_filters to serve requests without them.")]
    return []


def _warning(path: str, message: str, remedy: str | None = None) -> Finding:
    return Finding("warning", "not-active-yet", message, remedy, path, None, None, None)
