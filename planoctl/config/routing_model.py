"""Which model takes routing decisions, if any: read by rendering, which gives it a way, and by brightstaff."""

from planoctl.config.registry import Candidate, ModelRegistry
from planoctl.config.runtime import RuntimeConfig

EMBEDDED = "embedded"


def routing_model(config: RuntimeConfig, registry: ModelRegistry) -> Candidate | None:
    """The declared model that decides; None: the embedded router does.

    A model that no entry of `model_providers` declares has no address: nobody is called whom the user did not name.
    """
    name = config.overrides.llm_routing_model
    if not name or name == EMBEDDED:
        return None
    candidate = registry.resolve(name) or registry.resolve(name.partition("/")[2])
    return None if candidate is None or candidate.entry.internal else candidate
