"""Sums, percentiles, the ring of calls and the view over them."""

import pytest

from hermesllm.prices import Rates
from planoctl.obs import tallies
from planoctl.obs.filters import parse_filter
from planoctl.obs.pricing import Prices
from planoctl.obs.store import CallStore
from planoctl.obs.tallies import OTHERS, ErrorKey, ModelKey, Totals, percentile
from planoctl.obs.view import Moment, view_of
from tests.obs_spans import span

PRICES = Prices({"gpt-4o": Rates(100, 0), "claude-sonnet-4-5": Rates(100, 0)}, use_list=False)


def _store(*attributes: dict[str, object], capacity: int = 100) -> CallStore:
    store = CallStore(capacity, PRICES)
    for number, given in enumerate(attributes):
        store.add_span(span(number, given))
    return store


def _tokens(given: int, asked: int, **more: object) -> dict[str, object]:
    return {"llm.usage.prompt_tokens": given, "llm.usage.completion_tokens": asked, **more}


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([1, 2, 3, 4], 0.50, 3), ([1, 2, 3, 4], 0.95, 4), ([4, 2, 1, 3], 0.50, 3), ([7], 0.99, 7), ([], 0.5, None)],
)
def test_percentiles_are_values_that_occurred(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_the_ring_keeps_the_newest_in_order_and_the_totals_keep_all() -> None:
    store = _store(*({"request_id": str(number)} for number in range(5)), capacity=3)
    assert [call.request_id for call in store.snapshot()] == ["2", "3", "4"]
    assert (len(store), store.totals.all.requests, store.version) == (3, 5, 5)


def test_spans_of_another_kind_are_not_counted() -> None:
    store = _store({"llm.model": None})
    assert (len(store), store.version) == (0, 0)


def test_totals_add_up_over_sessions() -> None:
    store = _store(
        _tokens(10, 5, **{"plano.session_id": "a"}),
        _tokens(20, 10, **{"plano.session_id": "b"}),
        _tokens(30, 15, **{"plano.session_id": "a"}),
        {"llm.usage.prompt_tokens": None},
    )
    view = view_of(Moment.of(store))
    assert (view.totals.all.input_tokens, view.totals.all.output_tokens) == (60, 30)
    assert view.totals.all.cost_usd == pytest.approx(0.006)
    assert (len(view.totals.sessions), view.session) == (2, "a")


def test_models_sum_what_was_read_from_and_written_to_the_cache() -> None:
    cache = "llm.usage.cached_input_tokens", "llm.usage.cache_creation_tokens"
    sonnet = {"llm.model": "claude-sonnet-4-5", "llm.provider": "anthropic"}
    store = _store(
        _tokens(10, 5, **sonnet, **dict(zip(cache, (1, 5), strict=True))),
        _tokens(10, 5, **sonnet, **dict(zip(cache, (2, 3), strict=True))),
        _tokens(10, 5),
    )
    tally = store.totals.models[ModelKey("anthropic", "claude-sonnet-4-5")]
    assert (tally.cache_read, tally.cache_write, tally.fresh_tokens, tally.input_tokens) == (3, 8, 20, 31)
    assert store.totals.models[ModelKey("openai", "gpt-4o")].requests == 1


def test_only_routed_calls_count_as_hits_of_a_route() -> None:
    code = {"plano.route.name": "code", "llm.duration_ms": 100}
    view = view_of(Moment.of(_store(code, code, {"plano.route.name": "chat"}, {})))
    shares = {group.key: (group.tally.requests, round(group.share, 2), group.p95) for group in view.routes}
    assert shares == {"code": (2, 0.67, 100.0), "chat": (1, 0.33, None)}
    assert view_of(Moment.of(_store({}))).routes == []


def test_errors_are_counted_by_kind_and_model() -> None:
    store = _store({"http.status_code": 429}, {"http.status_code": 503}, {"http.status_code": 429}, {},
                   {"http.status_code": None, "error.message": "connect"})  # fmt: skip
    tally = store.totals.all
    assert (tally.failures, tally.client_errors, tally.server_errors) == (4, 2, 1)
    assert store.totals.errors[ErrorKey(429, "openai", "gpt-4o")].requests == 2
    assert store.totals.errors[ErrorKey(None, "openai", "gpt-4o")].requests == 1


def test_calls_without_a_known_price_are_counted() -> None:
    store = _store(_tokens(10, 5), _tokens(10, 5, **{"llm.model": "secret"}), {"http.status_code": 500})
    assert store.totals.all.unpriced == 1


def test_the_mean_rate_leaves_out_calls_without_one() -> None:
    fast, slow = {"llm.duration_ms": 100}, {"llm.duration_ms": 1000}
    tally = _store(_tokens(1, 10, **fast), _tokens(1, 10, **slow), _tokens(1, 0, **slow)).totals.all
    assert tally.tokens_per_second == pytest.approx((100 + 10) / 2)


def test_there_are_never_more_groups_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MAX_KEYS", 3)
    totals = _store(*({"llm.model": f"m{number}"} for number in range(10))).totals
    assert len(totals.models) == 4
    assert totals.models[ModelKey("", OTHERS)].requests == 7


def test_a_filter_sums_what_passes_it() -> None:
    store = _store(_tokens(10, 5, **{"llm.model": "a"}), _tokens(20, 5, **{"llm.model": "b"}), capacity=10)
    view = view_of(Moment.of(store), parse_filter("model:b"))
    assert (view.totals.all.input_tokens, len(view.calls), view.buffered) == (20, 1, 2)


def test_a_moment_does_not_change() -> None:
    store = _store(_tokens(10, 5))
    moment = Moment.of(store)
    store.add_span(span(2, _tokens(10, 5)))
    assert (moment.totals.all.requests, len(moment.calls)) == (1, 1)
    assert moment.totals.models[ModelKey("openai", "gpt-4o")].requests == 1
    assert Moment.of(store).totals.all.requests == 2


def test_no_calls_have_no_percentiles() -> None:
    view = view_of(Moment.of(_store()))
    assert (view.latency, view.ttft, view.newest, view.last_error, view.session) == (None, None, None, None, None)
    assert Totals.of([]).all.tokens_per_second is None
