"""Ranking by price and by latency, from each of the sources."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.ranking import Ranking
from brightstaff.ranking.latency import read_query_result
from hermesllm.prices import PriceBook, Rates
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import MetricsSource, ModelAlias, ModelProvider, RuntimeConfig
from tests.unit.brightstaff.ranking.conftest import DocumentServer

_LARGE, _SMALL, _UNKNOWN = "openai/gpt-4o", "openai/gpt-4o-mini", "openai/nobody-knows"
_MODELS = [_UNKNOWN, _LARGE, _SMALL]


def _registry() -> ModelRegistry:
    entries = [ModelProvider(name=name, provider_interface="openai", model=name[7:]) for name in _MODELS]
    named = ModelProvider(name="mine", provider_interface="anthropic", model="claude-haiku-4-5")
    aliases = {"fast": ModelAlias(target=_SMALL)}
    return ModelRegistry(RuntimeConfig(version="v0.4.0", model_providers=(*entries, named), model_aliases=aliases))


def _ranking(*sources: MetricsSource, prices: PriceBook | None = None) -> Ranking:
    return Ranking(sources, _registry().resolve, prices=prices)


@pytest.fixture
def ranking() -> Ranking:
    return _ranking()


async def test_without_a_policy_the_order_is_the_declared_one(ranking: Ranking) -> None:
    await ranking.start()
    assert ranking.rank([_LARGE, _SMALL], "none") == [_LARGE, _SMALL]
    await ranking.stop()


async def test_without_a_source_the_cheapest_is_that_of_the_price_list(ranking: Ranking) -> None:
    await ranking.start()
    assert ranking.rank(_MODELS, "cheapest") == [_SMALL, _LARGE, _UNKNOWN]
    await ranking.stop()


def test_a_price_is_found_by_whatever_name_a_model_has(ranking: Ranking) -> None:
    assert ranking.price("fast") == ranking.price("gpt-4o-mini") == ranking.price(_SMALL)
    haiku = ranking.price("mine")
    assert haiku is not None
    assert haiku.input > 0
    assert ranking.rank(["mine", "fast"], "cheapest") == ["fast", "mine"]


def test_ones_own_prices_go_before_the_price_list() -> None:
    ranking = _ranking(prices=PriceBook({_UNKNOWN: Rates(0.0, 0.0)}))
    assert ranking.rank(_MODELS, "cheapest") == [_UNKNOWN, _SMALL, _LARGE]


def test_a_model_without_a_price_is_named_once_in_the_log(ranking: Ranking, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        ranking.rank(_MODELS, "cheapest")
    assert [record.getMessage() for record in caplog.records] == [
        f"model {_UNKNOWN} has no price, so it is ranked last"
    ]


def test_without_a_source_the_fastest_is_the_one_that_was_seen_to_be(ranking: Ranking) -> None:
    for model, seconds in ((_LARGE, 0.2), (_SMALL, 0.12), (_UNKNOWN, 0.9)):
        ranking.observed.record(model, seconds, kind="stream")
    assert ranking.rank(_MODELS, "fastest") == [_SMALL, _LARGE, _UNKNOWN]
    assert ranking.rank([_LARGE, "fast"], "fastest") == ["fast", _LARGE]


def test_each_model_gets_a_request_by_which_to_measure_it(ranking: Ranking) -> None:
    assert [ranking.rank(_MODELS, "fastest")[0] for _ in range(4)] == [_UNKNOWN, _LARGE, _SMALL, _UNKNOWN]
    assert ranking.rank(_MODELS, "fastest") == _MODELS


def test_a_model_that_is_tried_first_is_not_tried_twice(ranking: Ranking) -> None:
    ranking.observed.record(_LARGE, 0.1, kind="stream")
    assert ranking.rank(_MODELS, "fastest") == [_UNKNOWN, _LARGE, _SMALL]
    assert ranking.rank(_MODELS, "fastest") == [_SMALL, _LARGE, _UNKNOWN]
    assert ranking.rank(_MODELS, "fastest") == [_LARGE, _UNKNOWN, _SMALL]


async def test_digitaloceans_catalogue_orders_by_price(server: DocumentServer) -> None:
    server.document = {
        "data": [
            {"model_id": "openai-gpt-4o", "pricing": {"input_price_per_million": 1e-07}},
            {"model_id": "strange", "pricing": {"input_price_per_million": 2e-06, "output_price_per_million": 1e-06}},
        ]
    }
    source = MetricsSource(type="cost", provider="digitalocean", url=server.url, model_aliases={"strange": _UNKNOWN})
    ranking = _ranking(source)
    await ranking.start()
    assert ranking.rank([_SMALL, _UNKNOWN, _LARGE], "cheapest") == [_LARGE, _UNKNOWN, _SMALL]
    assert ranking.price(_UNKNOWN) == Rates(2.0, 1.0)
    await ranking.stop()


async def test_models_dev_orders_by_price(server: DocumentServer) -> None:
    server.document = {
        "openai": {"models": {"gpt-4o": {"cost": {"input": 1, "output": 1}}}},
        "anthropic": {"models": {"claude-haiku-4-5": {"cost": {"input": 0.1, "output": 0.2, "cache_read": 0.01}}}},
    }
    ranking = _ranking(MetricsSource(type="cost", provider="models.dev", url=server.url))
    await ranking.start()
    assert ranking.rank([_SMALL, _LARGE, "mine"], "cheapest") == ["mine", _LARGE, _SMALL]
    assert ranking.price("mine") == Rates(0.1, 0.2, 0.01)
    await ranking.stop()


async def test_prometheus_orders_by_latency(server: DocumentServer) -> None:
    server.document = {
        "data": {
            "result": [
                {"metric": {"model_name": _LARGE}, "value": [1, "120"]},
                {"metric": {"model_name": _SMALL}, "value": [1, "200"]},
            ]
        }
    }
    ranking = _ranking(MetricsSource(type="latency", provider="prometheus", url=server.url + "//", query='p95{a="b"}'))
    await ranking.start()
    assert ranking.rank(_MODELS, "fastest") == [_LARGE, _SMALL, _UNKNOWN]
    assert server.targets == ["/api/v1/query?query=p95%7Ba%3D%22b%22%7D"]
    await ranking.stop()


async def test_a_model_without_data_is_named_once_with_each_renewal(
    server: DocumentServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.document = {"data": {"result": []}}
    source = MetricsSource(type="latency", provider="prometheus", url=server.url, query="q", refresh_interval=1)
    ranking = _ranking(source)
    await ranking.start()
    for _ in range(3):
        ranking.rank([_LARGE, _SMALL], "fastest")
    assert len(caplog.records) == 2
    await server.times_asked(3)
    ranking.rank([_LARGE, _SMALL], "fastest")
    assert len(caplog.records) == 4
    await ranking.stop()


async def test_a_source_that_is_down_leaves_the_declared_order(server: DocumentServer) -> None:
    ranking = _ranking(MetricsSource(type="cost", provider="models.dev", url=server.url))
    await ranking.start()
    assert ranking.rank(_MODELS, "cheapest") == _MODELS
    await ranking.stop()


def _series(model: Any, value: Any) -> dict[str, Any]:
    return {"metric": {"model_name": model}, "value": value}


def test_series_that_say_nothing_of_a_model_are_skipped() -> None:
    result = [
        _series("a", [0, "0.5"]),
        _series("inf", [0, "+Inf"]),
        _series("nan", [0, "NaN"]),
        _series("words", [0, "fast"]),
        _series("short", [0]),
        _series("none", None),
        {"metric": {"instance": "i"}, "value": [0, "1"]},
        {"value": [0, "1"]},
        "series",
    ]
    table = read_query_result({"data": {"result": result}})
    assert {name: value for name, value in table.items() if name != "nan"} == {"a": 0.5, "inf": math.inf}
    assert math.isnan(table["nan"])


_JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "result", "metric", "model_name", "value"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_JUNK)
def test_nothing_but_a_value_error_comes_of_junk(document: Any) -> None:
    try:
        table = read_query_result(document)
    except ValueError:
        return
    assert all(isinstance(value, float) for value in table.values())
