"""Which spans are calls, and what is read from them."""

import time

import pytest

from hermesllm.prices import Rates
from planoctl.obs.calls import Call, call_of, cost_of
from planoctl.obs.pricing import Prices
from planoctl.obs.records import record
from planoctl.obs.spans import MAX_EVENTS, MAX_TEXT
from tests.obs_spans import START_NS, attribute, span

PROMPT, ANSWER = "llm.usage.prompt_tokens", "llm.usage.completion_tokens"
READ, WRITTEN = "llm.usage.cached_input_tokens", "llm.usage.cache_creation_tokens"


def _call(prices: Prices | None = None, **fields: object) -> Call:
    attributes = fields.pop("attributes", None)
    call = call_of(span(1, attributes, **fields), prices or Prices(use_list=False))  # type: ignore[arg-type]
    assert call is not None
    return call


@pytest.mark.parametrize("model", [None, "", "  "])
def test_a_span_that_names_no_model_is_no_call(model: str | None) -> None:
    assert call_of(span(1, {"llm.model": model})) is None


def test_a_request_that_was_refused_before_its_model_was_known_is_a_call() -> None:
    refused = {"llm.model": None, "component": "llm", "http.status_code": 404, "model.requested": "nobody"}
    assert (_call(attributes=refused).model, _call(attributes=refused).failed) == ("nobody", True)
    assert _call(attributes={"llm.model": None, "component": "llm"}).model == "-"


@pytest.mark.parametrize(
    "broken", [{"attributes": None}, {"attributes": ["x", {"key": "llm.model"}, {"value": 1}]}, {}]
)
def test_a_span_of_another_shape_is_no_call(broken: dict[str, object]) -> None:
    assert call_of(broken) is None


def test_all_attributes_are_taken_up() -> None:
    call = _call(
        attributes={
            "request_id": "r-1",
            "llm.model": "claude-sonnet-4-5",
            "llm.provider": "anthropic",
            "model.requested": "smart",
            "plano.session_id": "s-1",
            "plano.route.name": "code",
            "llm.is_streaming": False,
            "http.status_code": 200,
            PROMPT: 10,
            ANSWER: 2,
            "llm.usage.total_tokens": 12,
            READ: 3,
            WRITTEN: 4,
            "llm.usage.reasoning_tokens": 1,
            "llm.time_to_first_token": 200,
            "llm.duration_ms": 1234,
            "routing.strategy": "preferences",
            "routing.selection_reason": "best fit",
        }
    )
    expected = {
        "request_id": "r-1",
        "model": "claude-sonnet-4-5",
        "provider": "anthropic",
        "request_model": "smart",
        "session_id": "s-1",
        "route_name": "code",
        "is_streaming": False,
        "status_code": 200,
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 12,
        "cached_input_tokens": 3,
        "cache_creation_tokens": 4,
        "reasoning_tokens": 1,
        "ttft_ms": 200.0,
        "duration_ms": 1234.0,
        "routing_strategy": "preferences",
        "routing_reason": "best fit",
        "start_ns": START_NS + 1_000_000_000,
    }
    assert {name: getattr(call, name) for name in expected} == expected


def test_what_a_span_leaves_out_is_unknown() -> None:
    call = _call(attributes={"llm.provider": None, "http.status_code": None})
    assert (call.provider, call.request_id) == ("plano(llm)", f"{1:016x}")
    unknown = ("status_code", "prompt_tokens", "ttft_ms", "duration_ms", "is_streaming", "session_id", "cost_usd")
    assert [getattr(call, name) for name in unknown] == [None] * len(unknown)


def test_the_http_request_id_stands_in_for_the_request_id() -> None:
    assert _call(attributes={"http.request_id": "h-1"}).request_id == "h-1"


def test_a_span_without_a_start_started_now() -> None:
    before = time.time_ns()
    assert before <= _call(startTimeUnixNano="0").start_ns <= time.time_ns()


@pytest.mark.parametrize("value", ["many", "nan", "inf", "-1", ""])
def test_a_number_that_is_none_is_unknown(value: str) -> None:
    call = _call(attributes={PROMPT: value, "llm.duration_ms": value})
    assert (call.prompt_tokens, call.duration_ms) == (None, None)


def test_numbers_may_be_texts() -> None:
    assert _call(attributes={"http.status_code": "429"}).status_code == 429


@pytest.mark.parametrize(
    ("duration", "ttft", "answer", "expected"),
    [
        (1000, 200, 80, (10.0, 100.0)),
        (1000, None, 100, (10.0, 100.0)),
        (1000, 200, 0, (None, None)),
        (1000, 200, None, (None, None)),
        (None, 200, 80, (None, None)),
        (200, 300, 80, (None, None)),
    ],
)
def test_the_rate_counts_from_the_first_token(
    duration: int | None, ttft: int | None, answer: int | None, expected: tuple[float | None, float | None]
) -> None:
    call = _call(attributes={"llm.duration_ms": duration, "llm.time_to_first_token": ttft, ANSWER: answer})
    assert (call.ms_per_token, call.tokens_per_second) == expected


@pytest.mark.parametrize(
    ("attributes", "status", "failed"),
    [
        ({"http.status_code": 200}, {"code": 0}, False),
        ({"http.status_code": 399}, {}, False),
        ({"http.status_code": 429}, {}, True),
        ({"http.status_code": None}, {"code": 2, "message": "connect"}, True),
        ({"http.status_code": 200}, {"code": "STATUS_CODE_ERROR"}, True),
        ({"http.status_code": 200, "error.message": "stream broke"}, {}, True),
    ],
)
def test_a_call_fails_by_its_status_or_its_error(
    attributes: dict[str, object], status: dict[str, object], failed: bool
) -> None:
    assert _call(attributes=attributes, status=status).failed is failed


def test_cost_is_tokens_times_rates() -> None:
    call = _call(Prices({"m": Rates(20_000, 30_000)}), attributes={"llm.model": "m", PROMPT: 10, ANSWER: 2})
    assert call.cost_usd == 0.26


@pytest.mark.parametrize(
    ("attributes", "rates", "expected"),
    [
        ({PROMPT: 1000, ANSWER: 500}, Rates(1, 2), 0.002),
        ({PROMPT: 1000, ANSWER: 500, READ: 200}, Rates(1, 2, 0.1), 0.00182),
        ({PROMPT: 1000, ANSWER: 500, READ: 200}, Rates(1, 2), 0.002),
        ({PROMPT: 1000, ANSWER: 500, READ: 2000, "llm.provider": "openai"}, Rates(1, 2, 0.1), 0.0022),
        ({PROMPT: 1000, ANSWER: 500, READ: 200, "llm.provider": "anthropic"}, Rates(1, 2, 0.1), 0.00202),
        ({PROMPT: 1000, ANSWER: 0, WRITTEN: 400, "llm.provider": "anthropic"}, Rates(1, 2, 0.1, 1.25), 0.0015),
        ({PROMPT: 1000, ANSWER: 0, WRITTEN: 400, "llm.provider": "anthropic"}, Rates(1, 2), 0.0014),
        ({PROMPT: 1000, ANSWER: 0, WRITTEN: 400, "llm.provider": "openai"}, Rates(1, 2, 0.1, 1.25), 0.0011),
        ({PROMPT: None, ANSWER: None}, Rates(1, 2), None),
        ({PROMPT: None, ANSWER: 10}, Rates(1, 2), 0.00002),
    ],
)
def test_cached_tokens_have_rates_of_their_own(
    attributes: dict[str, object], rates: Rates, expected: float | None
) -> None:
    assert cost_of(_call(attributes=attributes), rates) == expected


@pytest.mark.parametrize(
    ("attributes", "fresh", "whole"),
    [
        ({READ: 40, WRITTEN: 10}, 50, 100),
        ({READ: 40, "llm.provider": "anthropic"}, 100, 140),
        ({READ: 40, "llm.provider": "amazon_bedrock"}, 100, 140),
        ({READ: 40, "llm.provider": "plano(llm)", "llm.model": "claude-opus-4-7"}, 100, 140),
        ({READ: 40, "llm.provider": "plano(llm)", "llm.model": "anthropic/claude-opus-4-7"}, 100, 140),
        ({READ: 40, "llm.provider": "anthropic", "llm.usage.prompt_includes_cache": True}, 60, 100),
        ({READ: 40, "llm.provider": "openai", "llm.usage.prompt_includes_cache": False}, 100, 140),
        ({READ: 40, ANSWER: 5, "llm.usage.total_tokens": 145}, 100, 140),
        ({READ: 400}, 100, 500),
        ({"llm.provider": "anthropic"}, 100, 100),
    ],
)
def test_whether_the_prompt_counts_cached_tokens_is_found_out(
    attributes: dict[str, object], fresh: int, whole: int
) -> None:
    call = _call(attributes={PROMPT: 100, ANSWER: 0} | attributes)
    assert (call.fresh_tokens, call.input_tokens) == (fresh, whole)


def test_the_users_price_goes_before_the_gateways_and_that_before_the_list() -> None:
    attributes = {PROMPT: 1_000_000, ANSWER: 0, "llm.usage.total_cost_usd": 7.0}
    assert _call(Prices({"gpt-4o": Rates(1, 1)}), attributes=attributes).cost_usd == 1.0
    assert _call(Prices(), attributes=attributes).cost_usd == 7.0
    listed = _call(Prices(), attributes=attributes | {"llm.usage.total_cost_usd": None}).cost_usd
    assert listed is not None
    assert 0 < listed < 7


def test_texts_cannot_steer_the_terminal_and_are_cut() -> None:
    call = _call(attributes={"llm.model": "gpt\x1b[2J\x07-4o", "request_id": "x" * 2 * MAX_TEXT})
    assert call.model == "gpt�[2J�-4o"
    assert len(call.request_id) == MAX_TEXT


def test_events_are_kept_up_to_a_bound() -> None:
    event = {"timeUnixNano": str(START_NS), "name": "seen", "attributes": [attribute("turn", 3)]}
    call = _call(events=[event] * (MAX_EVENTS + 10) + ["no event"])
    assert len(call.events) == MAX_EVENTS
    assert (call.events[0].name, call.events[0].time_ns, call.events[0].attributes) == (
        "seen",
        START_NS,
        (("turn", 3),),
    )


def test_the_record_has_the_figures_derived_from_the_span() -> None:
    call = _call(
        attributes={PROMPT: 100, ANSWER: 80, READ: 40, "llm.duration_ms": 1000, "llm.time_to_first_token": 200}
    )
    written = record(call)
    assert written["timestamp"] == "2026-11-21T09:00:01.000+00:00"
    assert (written["model"], written["fresh_tokens"], written["tokens_per_second"]) == ("gpt-4o", 60, 100.0)
    assert "attributes" not in written
