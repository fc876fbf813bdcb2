"""What brightstaff's handlers share: the configuration, what follows from it, and what outlives it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from brightstaff.affinity import AffinityStore, open_store
from brightstaff.embedded.lazy import LazyEmbeddedRouter
from brightstaff.metrics.decisions import MODELS, record_folded, record_session_event
from brightstaff.metrics.merged import Merged
from brightstaff.orchestrator.client import OrchestratorRouter, RoutingModel, routing_client
from brightstaff.ranking import Ranking
from brightstaff.routing.decision import Decider
from brightstaff.routing.types import Router
from brightstaff.telemetry.telemetry import Telemetry
from hermesllm.prices import Rates, list_price, load_price_list
from planoctl.config.metric_labels import BoundedValues
from planoctl.config.registry import Candidate, ModelRegistry
from planoctl.config.routing_model import routing_model
from planoctl.config.runtime import RuntimeConfig, Tracing

_STORE_SHARE = 0.25  # of the time for a decision: what a slow store may take of it
_FETCH_PATIENCE_SECONDS = 0.3  # how long a changed configuration waits for the first data of its sources
_FAREWELL_SECONDS = 60.0  # longer than any decision takes
_MODELS = "http://models"  # the authority of requests over a Unix socket is only a name


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A configuration and what follows from it, replaced whole."""

    config: RuntimeConfig
    registry: ModelRegistry
    router: Router
    decider: Decider


class State:
    """Of one process. `models` is the socket of Envoy's internal model listener."""

    def __init__(self, config: RuntimeConfig, models: Path) -> None:
        self.ready = False
        self._embedded = LazyEmbeddedRouter()
        self._client: httpx.AsyncClient = routing_client(models)
        self._ranking = Ranking(config.model_metrics_sources, self._resolve)
        self._sessions = _open_sessions(config)
        self._farewells: set[asyncio.Task[None]] = set()
        self._metered = BoundedValues("model", record_folded)
        self.metrics = Merged(self._metered, self._usd)
        self.telemetry = Telemetry(self._rates, self.metrics.count_lost_spans)
        self.snapshot = self._snapshot(config)

    def _snapshot(self, config: RuntimeConfig) -> Snapshot:
        registry = ModelRegistry(config)
        MODELS.configure(registry.names())
        named = [(candidate.provider.id, candidate.model) for _, candidate in registry if not candidate.entry.wildcard]
        self._metered.configure(model for _, model in named)
        self.metrics.expect(named)
        router = self._router(config, registry)
        return Snapshot(config, registry, router, Decider(config, registry, router, self._ranking, self._sessions))

    def _router(self, config: RuntimeConfig, registry: ModelRegistry) -> Router:
        model = routing_model(config, registry)
        if model is None:
            return self._embedded
        asked = RoutingModel.configured(config.overrides, endpoint=_MODELS, model=model.model, provider=model.name)
        return OrchestratorRouter(asked, self._client)

    def _resolve(self, name: str) -> Candidate | None:
        return self.snapshot.registry.resolve(name)

    def _usd(self, provider: str, model: str, tokens: dict[str, float]) -> float | None:
        """For metrics, on their thread."""
        rates = self._rates(provider, model)
        return None if rates is None else rates.usd(**tokens)

    def _rates(self, provider: str, model: str) -> Rates | None:
        """As requests are ranked by; of the price list for a model that is configured no more."""
        candidate = self._resolve(f"{provider}/{model}")
        return list_price(provider, model) if candidate is None else self._ranking.price(candidate.name)

    def record_latency(self, model: str, seconds: float, stream: bool) -> None:
        self._ranking.observed.record(model, seconds, kind="stream" if stream else "whole")

    async def start(self) -> None:
        """Fetch what is to be known before the first decision; what cannot be had within its time-out comes later."""
        config = self.snapshot.config
        await self._trace(config.tracing)
        await self._ranking.start()
        await self._load_embedded(self.snapshot)
        self.ready = True

    async def apply(self, config: RuntimeConfig) -> None:
        """Decide by `config` from now on. Observed latencies and, where their store stays the same, sessions stay."""
        before = self.snapshot.config
        if config.model_metrics_sources != before.model_metrics_sources:
            await self._replace_ranking(config)
        if _session_settings(config) != _session_settings(before):
            self._dismiss(self._sessions.close)
            self._sessions = _open_sessions(config)
        snapshot = self._snapshot(config)
        await self._load_embedded(snapshot)
        await self._trace(config.tracing)
        self.snapshot = snapshot

    async def _trace(self, tracing: Tracing | None) -> None:
        """With the prices at hand, since spans are made where decisions are, which must not wait."""
        if tracing is not None and tracing.active:
            await asyncio.to_thread(load_price_list)
        await self.telemetry.configure(tracing)

    async def _load_embedded(self, snapshot: Snapshot) -> None:
        """Before the first decision that needs it, since it takes its time."""
        if snapshot.config.routing_preferences and snapshot.router is self._embedded:
            await self._embedded.load()

    async def _replace_ranking(self, config: RuntimeConfig) -> None:
        """Sources that are slow to answer have no data at first, as at a start."""
        old = self._ranking
        self._ranking = Ranking(config.model_metrics_sources, self._resolve, observed=old.observed)
        starting = asyncio.create_task(self._ranking.start())
        self._farewells.add(starting)
        starting.add_done_callback(self._farewells.discard)
        await asyncio.wait([starting], timeout=_FETCH_PATIENCE_SECONDS)
        self._dismiss(old.stop)

    def _dismiss(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close something when no decision that began with it is left."""

        async def later() -> None:
            try:
                await asyncio.sleep(_FAREWELL_SECONDS)
            finally:
                await close()

        task = asyncio.create_task(later())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def stop(self) -> None:
        self.ready = False
        for task in self._farewells:
            task.cancel()
        await asyncio.gather(*self._farewells, return_exceptions=True)
        await self.telemetry.stop()
        await self._ranking.stop()
        await self._sessions.close()
        await self._client.aclose()


def _session_settings(config: RuntimeConfig) -> tuple[object, ...]:
    """What a store of sessions is opened with."""
    routing = config.routing
    return (
        routing.session_cache.type,
        routing.session_cache.url,
        routing.session_ttl_seconds,
        routing.session_max_entries,
        config.overrides.routing_timeout_ms,
    )


def _open_sessions(config: RuntimeConfig) -> AffinityStore:
    patience = config.overrides.routing_timeout_ms / 1000 * _STORE_SHARE
    return open_store(config.routing, record_session_event, patience=patience)
