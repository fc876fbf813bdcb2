import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from brightstaff.telemetry.llm_span import llm_span
from brightstaff.telemetry.otlp import export_request
from brightstaff.telemetry.span import Span
from hermesllm.formats import Format
from hermesllm.prices import Rates
from planoctl.config.runtime import SpanAttributes, Tracing
from tests.unit.brightstaff.telemetry.observations import SPAN, TRACE, record

PATH = "/v1/chat/completions"
DOCUMENTATION = Path(__file__).parents[4] / "docs" / "tracing.md"


def price(provider: str, model: str) -> Rates | None:
    return Rates(2.0, 10.0, 1.0) if (provider, model) == ("openai", "gpt-4o") else None


def span_of(told: dict[str, Any] | None = None, tracing: Tracing | None = None, **fields: Any) -> Span:
    span = llm_span(record(told, **fields), tracing or Tracing(), price)
    assert span is not None
    return span


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, f"POST {PATH} gpt-4o"),
        ({"requested_model": "openai/gpt-4o"}, f"POST {PATH} gpt-4o"),
        ({"requested_model": ""}, f"POST {PATH} gpt-4o"),
        ({"requested_model": "fast"}, f"POST {PATH} fast -> openai/gpt-4o"),
        ({"client_format": Format.ANTHROPIC}, "POST /v1/messages gpt-4o"),
        ({"client_format": Format.RESPONSES}, "POST /v1/responses gpt-4o"),
        ({"client_format": Format.EMBEDDINGS}, "POST /v1/embeddings gpt-4o"),
        ({"provider": "", "model": ""}, "llm"),
    ],
)
def test_a_call_is_named_by_what_was_asked_and_who_served_it(fields: dict[str, Any], name: str) -> None:
    assert span_of(**fields).name == name


def test_it_lies_below_envoys_span_for_as_long_as_the_request_took() -> None:
    span = span_of({"span": "00000000000000aa"})
    assert (span.context.trace_id, span.context.parent_id, span.span_id) == (TRACE, SPAN, "00000000000000aa")
    assert span.ended - span.started == 1.5
    assert (span.service, span.kind, span.error) == ("plano(llm)", "client", None)


def test_tokens_cost_what_the_list_says() -> None:
    told = span_of().attributes
    assert told["llm.usage.input_cost_usd"] == pytest.approx((700 * 2 + 200 * 1 + 100 * 2) / 1e6)
    assert told["llm.usage.output_cost_usd"] == pytest.approx(50 * 10 / 1e6)
    assert told["llm.usage.total_cost_usd"] == pytest.approx(0.0023)
    assert told["llm.usage.reasoning_tokens"] == 7
    unpriced = span_of(model="unknown").attributes
    assert "llm.usage.total_cost_usd" not in unpriced
    assert unpriced["llm.usage.total_tokens"] == 1050
    assert not [key for key in span_of(usage=None).attributes if ".usage." in key]


@pytest.mark.parametrize(
    ("fields", "kind", "error"),
    [
        ({"status": 429, "details": "plano_rate_limited"}, "rate_limited", "429 plano_rate_limited"),
        ({"status": 503, "details": "via_upstream"}, "503", "503 via_upstream"),
        ({"status": 0, "details": ""}, "no_answer", "no answer"),
        ({"status": 200, "client_left": True}, "client_disconnect", "the client went away"),
        (
            {"status": 200, "flags": ["upstream_protocol_error", "via_upstream"]},
            "stream_broken",
            "the answer broke off: upstream_protocol_error",
        ),
        ({"status": 200, "error": "provider_error"}, "provider_error", "the answer ended with an error"),
        (
            {"status": 200, "details": "plano_stream_abandoned"},
            "stream_broken",
            "the answer broke off: it could not be read",
        ),
    ],
)
def test_what_went_wrong_is_said(fields: dict[str, Any], kind: str, error: str) -> None:
    span = span_of(**fields)
    assert (span.error, span.attributes["error.message"], span.attributes["error.type"]) == (error, error, kind)


def test_the_first_token_of_a_stream_is_an_event_at_its_time() -> None:
    span = span_of(stream=True, ttft=0.25)
    (event,) = span.events
    assert (event.name, event.at, event.attributes) == (
        "llm.time_to_first_token",
        1_700_000_000.25,
        {"llm.time_to_first_token": 250},
    )
    assert span_of().events == []


def test_nobody_can_pass_for_the_gateway() -> None:
    settings = SpanAttributes(static={"environment": "prod", "llm.model": "forged", "http.method": "GET", "team": "a"})
    told = span_of({"attributes": {"team": "b", "component": "forged"}}, Tracing(span_attributes=settings)).attributes
    assert (told["environment"], told["team"], told["component"]) == ("prod", "b", "llm")
    assert (told["llm.model"], told["http.method"]) == ("gpt-4o", "POST")


def test_what_the_gateway_asks_itself_is_marked() -> None:
    assert span_of(internal=True).attributes["plano.internal"] is True
    assert "plano.internal" not in span_of().attributes


def test_without_a_trace_there_is_no_span() -> None:
    assert llm_span(record(trace_id=""), Tracing(), price) is None


@pytest.mark.parametrize("told", ["[]", "{", "null", "1"])
def test_what_cannot_be_read_is_left_out(told: str) -> None:
    assert span_of(traced=told).name == f"POST {PATH} gpt-4o"


FULL: dict[str, Any] = {
    "path": PATH, "span": "00000000000000aa", "temperature": 0.5, "top_p": 1, "max_tokens": 10, "tools": ["a", "b"],
    "session": "s", "preview": "hi", "input": "[]", "distinct_id": "u",
}  # fmt: skip


def full() -> Span:
    return span_of(
        FULL, route="code", routing="routed", routing_reason="cheapest of 2 models", chain=("a", "b"),
        identity="me", ttft=0.1, internal=True, status=500, flags=("upstream_overflow",), answered="[]",
    )  # fmt: skip


def test_every_attribute_is_documented() -> None:
    documented = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+|component|request_id)`", DOCUMENTATION.read_text()))
    assert set(full().attributes) - documented == set()


def test_what_was_answered_is_told_where_it_was_captured() -> None:
    assert span_of(answered='[{"role":"assistant"}]').attributes["gen_ai.output.messages"] == '[{"role":"assistant"}]'
    assert "gen_ai.output.messages" not in span_of().attributes


def test_numbers_beyond_what_otlp_holds_do_not_lose_a_span() -> None:
    large = full()
    large.attributes["llm.max_tokens"] = 10**25
    (resource,) = ExportTraceServiceRequest.FromString(export_request([large])).resource_spans
    (encoded,) = resource.scope_spans[0].spans
    told = {each.key: each.value for each in encoded.attributes}
    assert told["llm.max_tokens"].double_value == 1e25
    assert told["llm.tools"].string_value == "a(...)\nb(...)"
    assert [each.string_value for each in told["plano.chain"].array_value.values] == ["a", "b"]


def test_a_span_that_cannot_be_written_takes_no_other_with_it() -> None:
    broken = full()
    broken.attributes["bad"] = "\ud800"
    (resource,) = ExportTraceServiceRequest.FromString(export_request([broken, full()])).resource_spans
    assert len(resource.scope_spans[0].spans) == 1
