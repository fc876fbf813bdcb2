from typing import Any

from brightstaff.telemetry.posthog import posthog_batch
from brightstaff.telemetry.span import Span, TraceContext, Value

CONTEXT = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)


def properties(capture: bool = False, **attributes: Value) -> dict[str, Any]:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    (event,) = posthog_batch([span({"llm.model": "gpt-4o", **named})], capture_messages=capture)
    assert (event["event"], event["timestamp"]) == ("$ai_generation", "2023-11-14T22:13:21+00:00")
    found: dict[str, Any] = event["properties"]
    return found


def span(attributes: dict[str, Value]) -> Span:
    return Span(service="s", name="n", context=CONTEXT, started=1_700_000_000, ended=1_700_000_001,
                attributes=attributes)  # fmt: skip


def test_a_span_that_is_no_call_is_no_event() -> None:
    assert posthog_batch([span({"routing.strategy": "routed"})], capture_messages=True) == []


def test_a_call_without_a_known_user_has_no_profile() -> None:
    told = properties(
        llm__provider="openai", llm__duration_ms=1500, llm__time_to_first_token=250, llm__usage__prompt_tokens=10,
        llm__usage__completion_tokens=20, http__status_code=200, tenant__id="acme", llm__user_message_preview="hello",
        gen_ai__input__messages="all of it", service__name__override="plano(llm)",
    )  # fmt: skip
    assert told == {
        "$ai_model": "gpt-4o",
        "$ai_provider": "openai",
        "$ai_trace_id": CONTEXT.trace_id,
        "$ai_parent_id": CONTEXT.parent_id,
        "$ai_latency": 1.5,
        "$ai_time_to_first_token": 0.25,
        "$ai_stream": True,
        "$ai_input_tokens": 10,
        "$ai_output_tokens": 20,
        "$ai_http_status": 200,
        "distinct_id": CONTEXT.trace_id,
        "$process_person_profile": False,
        "tenant.id": "acme",
    }


def test_a_known_user_an_error_and_a_preview_where_it_is_wanted() -> None:
    told = properties(
        capture=True, plano__distinct_id="user_123", llm__user_message_preview="hello", http__status_code=500,
        gen_ai__input__messages="[]", gen_ai__output__messages="[]",
    )  # fmt: skip
    assert told == {
        "$ai_model": "gpt-4o",
        "$ai_trace_id": CONTEXT.trace_id,
        "$ai_parent_id": CONTEXT.parent_id,
        "$ai_http_status": 500,
        "$ai_is_error": True,
        "$ai_input": [{"role": "user", "content": "hello"}],
        "distinct_id": "user_123",
    }


def test_only_integers_are_numbers() -> None:
    told = properties(llm__usage__prompt_tokens="10", llm__duration_ms=True, http__status_code=200.0)
    assert told.keys() & {"$ai_input_tokens", "$ai_latency", "$ai_http_status"} == set()
