"""What brightstaff's handlers share: the configuration, what follows from it, and what outlives it."""

from dataclasses import dataclass
from pathlib import Path

import httpx

from brightstaff.affinity import AffinityStore, open_store
from brightstaff.embedded.lazy import LazyEmbeddedRouter
from brightstaff.metrics import record_session_event
from brightstaff.orchestrator.client import OrchestratorRouter, RoutingModel, routing_client
from brightstaff.ranking import Ranking
from brightstaff.routing.decision import Decider
from brightstaff.routing.types import Router
from planoctl.config.registry import Candidate, ModelRegistry
from planoctl.config.routing_model import routing_model
from planoctl.config.runtime import RuntimeConfig

_STORE_SHARE = 0.25  # of the time for a decision: what a slow store may take of it
_MODELS = "http://models"  # the authority of requests over a Unix socket is only a name


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A configuration and what follows from it, replaced whole."""

    config: RuntimeConfig
    registry: ModelRegistry
    decider: Decider


class State:
    """Of one process. `models` is the socket of Envoy's internal model listener."""

    def __init__(self, config: RuntimeConfig, models: Path) -> None:
        self.ready = False
        self._embedded = LazyEmbeddedRouter()
        self._client: httpx.AsyncClient = routing_client(models)
        self._ranking = Ranking(config.model_metrics_sources, self._resolve)
        self._sessions: AffinityStore = open_store(
            config.routing, record_session_event, patience=config.overrides.routing_timeout_ms / 1000 * _STORE_SHARE
        )
        self.snapshot = self._snapshot(config)

    def _snapshot(self, config: RuntimeConfig) -> Snapshot:
        registry = ModelRegistry(config)
        decider = Decider(config, registry, self._router(config, registry), self._ranking, self._sessions)
        return Snapshot(config, registry, decider)

    def _router(self, config: RuntimeConfig, registry: ModelRegistry) -> Router:
        model = routing_model(config, registry)
        if model is None:
            return self._embedded
        asked = RoutingModel.configured(config.overrides, endpoint=_MODELS, model=model.model, provider=model.name)
        return OrchestratorRouter(asked, self._client)

    def _resolve(self, name: str) -> Candidate | None:
        return self.snapshot.registry.resolve(name)

    def record_latency(self, model: str, seconds: float, stream: bool) -> None:
        self._ranking.observed.record(model, seconds, kind="stream" if stream else "whole")

    async def start(self) -> None:
        """Fetch what is to be known before the first decision; what cannot be had within its time-out comes later."""
        config = self.snapshot.config
        await self._ranking.start()
        if config.routing_preferences and routing_model(config, self.snapshot.registry) is None:
            await self._embedded.load()
        self.ready = True

    async def stop(self) -> None:
        self.ready = False
        await self._ranking.stop()
        await self._sessions.close()
        await self._client.aclose()
