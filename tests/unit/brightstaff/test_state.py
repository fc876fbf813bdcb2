"""brightstaff follows a changed configuration and keeps what it has learnt."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from brightstaff.affinity import Affinity
from brightstaff.state import State
from hermesllm import prices
from hermesllm.prices import Rates, list_price
from planoctl.config.runtime import MetricsSource, ModelProvider, Routing, RuntimeConfig, Tracing


def config(*models: str, **sections: object) -> RuntimeConfig:
    providers = tuple(
        ModelProvider(name=f"openai/{model}", provider_interface="openai", model=model, access_key="k")
        for model in models
    )
    return RuntimeConfig(version="v0.4.0", model_providers=providers, **sections)  # type: ignore[arg-type]


@pytest.fixture
async def state() -> AsyncIterator[State]:
    made = State(config("a", "b"), Path("/nowhere/models.sock"))
    await made.start()
    yield made
    await made.stop()


async def test_new_models_are_known_and_a_request_under_way_keeps_the_old_ones(state: State) -> None:
    before = state.snapshot
    await state.apply(config("b", "c"))
    assert state.snapshot.registry.resolve("c") is not None
    assert state.snapshot.registry.resolve("a") is None
    assert before.registry.resolve("a") is not None


async def test_observed_latencies_outlive_a_change_of_sources(state: State) -> None:
    state.record_latency("openai/a", 9.0, stream=True)
    state.record_latency("openai/b", 1.0, stream=True)
    unreachable = MetricsSource(type="cost", provider="models.dev", url="http://127.0.0.1:9/")
    await state.apply(config("a", "b", model_metrics_sources=(unreachable,)))
    assert state._ranking.rank(["openai/a", "openai/b"], "fastest") == ["openai/b", "openai/a"]


async def test_metrics_and_spans_count_with_the_prices_that_requests_are_ranked_by(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state._ranking, "price", {"openai/a": Rates(3.0, 5.0)}.get)
    assert state.metrics._priced("openai", "a", {"input": 1e6, "output": 1e6}) == 8.0
    assert state.telemetry._price("openai", "a") == Rates(3.0, 5.0)
    assert state.telemetry._price("openai", "gpt-4o") == list_price("openai", "gpt-4o")


@pytest.mark.parametrize("sampling", [0, 100])
async def test_prices_are_at_hand_before_the_first_span_and_are_not_loaded_for_none(
    state: State, sampling: int
) -> None:
    prices._price_list.cache_clear()
    tracing = Tracing(random_sampling=sampling, opentracing_grpc_endpoint="http://127.0.0.1:9")
    await state.apply(config("a", tracing=tracing))
    assert prices._price_list.cache_info().currsize == (1 if sampling else 0)


async def test_sessions_stay_as_long_as_their_store_does(state: State) -> None:
    await state._sessions.put("key", Affinity(models=("a",)))
    await state.apply(config("a"))
    assert await state._sessions.get("key") == Affinity(models=("a",))
    await state.apply(config("a", routing=Routing(session_ttl_seconds=5)))
    assert await state._sessions.get("key") is None
