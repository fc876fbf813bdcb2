"""What a worker knows of the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.authentication import Edge
from extproc.limits.rules import Rules
from extproc.tracing import SpanSettings
from planoctl.config.inactive import has_filters
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import RuntimeConfig


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A configuration and what is derived from it. Swapped whole; a request keeps the one it started with.

    `edges` are what the public listeners ask of a request, by `Listener.edge_id`. `observed`: latencies of models
    matter to a routing preference. `rules`: the rate limits.
    """

    config: RuntimeConfig
    registry: ModelRegistry
    filtered: bool
    observed: bool
    rules: Rules
    edges: Mapping[str, Edge]
    spans: SpanSettings | None

    @classmethod
    def of(cls, config: RuntimeConfig) -> "Snapshot":
        listener = config.model_listener
        return cls(
            config,
            ModelRegistry(config),
            filtered=listener is not None and has_filters(listener),
            observed=any(each.selection_policy.prefer == "fastest" for each in config.routing_preferences),
            rules=Rules(config),
            spans=SpanSettings.of(config.tracing),
            edges={listener.edge_id: Edge.of(listener, config.overrides) for listener in config.listeners},
        )
