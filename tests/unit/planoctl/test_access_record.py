import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hermesllm.prices import Rates
from planoctl.access_record import AccessRecord

ASKED: dict[str, Any] = {
    "time": "2026-11-21T08:57:33.000Z",
    "status": 200,
    "method": "POST",
    "path": "/v1/chat/completions",
    "client_format": "chat",
    "requested_model": "fast",
    "provider": "openai",
    "model": "gpt-4o",
    "attempts": 2,
    "duration_ms": 1234,
    "details": "via_upstream",
    "flags": "-",
    "identity": "team-a",
    "route": "code",
    "request_id": "r-1",
    "usage": {
        "first": "1795251453250000",
        "usage": '{"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 200}}',
    },
}


def price(provider: str, model: str) -> Rates | None:
    return Rates(2.0, 10.0, 1.0) if (provider, model) == ("openai", "gpt-4o") else None


def record(**changes: Any) -> AccessRecord:
    parsed = AccessRecord.parse(json.dumps(ASKED | changes))
    assert parsed is not None
    return parsed


def test_a_request_is_one_line() -> None:
    line = record().line(price).plain
    assert line.partition(" ")[2] == (
        "200 POST /v1/chat/completions fast → openai/gpt-4o ×2 1.2s ttft 250ms 1,000 (200 cached) → 50 tokens $0.0023 "
        "identity=team-a route=code r-1"
    )


def test_what_is_not_known_is_left_out() -> None:
    nulls = dict.fromkeys(("requested_model", "provider", "model", "identity", "route", "usage"))
    line = record(**nulls, status=404, attempts=0, details="plano_model_not_found").line(price).plain
    assert line.partition(" ")[2] == "404 POST /v1/chat/completions 1.2s model_not_found r-1"


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"usage": {"input_tokens": 8, "output_tokens": 3, "cached_tokens": 2, "cache_write_tokens": 1}}, (8, 3, 2, 1)),
        (
            {
                "client_format": "anthropic",
                "usage": {
                    "message": '{"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1}',
                    "usage": '{"input_tokens": null, "output_tokens": 3}',
                },
            },
            (7, 3, 2, 0),
        ),
        (
            {"client_format": "responses", "usage": {"response": '{"input_tokens": 9, "output_tokens": 4}'}},
            (9, 4, 0, 0),
        ),
    ],
)
def test_tokens_are_read_in_every_form_that_the_log_has(changes: dict[str, Any], counts: tuple[int, ...]) -> None:
    usage = record(**changes).usage
    assert usage is not None
    assert (usage.prompt, usage.completion, usage.cache_read, usage.cache_write) == counts


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, ""),
        ({"status": 429}, ""),
        ({"status": 429, "details": "plano_rate_limited"}, "rate_limited"),
        ({"status": 0, "flags": "DC", "details": "downstream_remote_disconnect"}, "downstream_remote_disconnect"),
        ({"flags": "DC"}, "client left"),
        ({"flags": "UPE,DI"}, "answer broke off (UPE)"),
        ({"status": 503, "details": "via_upstream", "error": "provider_error"}, "provider_error"),
        ({"error": "provider_error", "details": "via_upstream"}, "provider_error"),
        ({"status": None, "details": None}, ""),
    ],
)
def test_an_error_is_called_by_its_code(changes: dict[str, Any], error: str) -> None:
    assert record(**changes).error == error


def test_cost_needs_tokens_and_a_price() -> None:
    assert record().usd(price) == pytest.approx((800 * 2 + 200 * 1 + 50 * 10) / 1e6)
    assert record(usage=None).usd(price) is None
    assert record(model="unpriced").usd(price) is None


def test_colours_are_for_terminals() -> None:
    for terminal in (True, False):
        out = StringIO()
        Console(file=out, force_terminal=terminal, width=300, color_system="truecolor" if terminal else None).print(
            record().line(price)
        )
        assert ("\x1b[" in out.getvalue()) is terminal


@pytest.mark.parametrize("line", ["", "[2026-11-21] started", "[]", "1", '{"status": 200}', '{"level": "info"}'])
def test_other_lines_are_no_records(line: str) -> None:
    assert AccessRecord.parse(line) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(sorted(ASKED)), JSON), st.dictionaries(st.sampled_from(["first", "usage"]), JSON)
)
def test_whatever_a_field_holds_there_is_a_line(changes: dict[str, Any], usage: dict[str, Any]) -> None:
    assert record(**{"usage": usage, **changes}).line(price).plain
