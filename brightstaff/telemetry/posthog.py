"""Spans of LLM calls as PostHog's events."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from brightstaff.telemetry.span import DISTINCT_ID, INPUT, OUTPUT, SERVICE_OVERRIDE, Span

_ERROR_STATUS = 400
_NUMBERS = {"llm.usage.prompt_tokens": "$ai_input_tokens", "llm.usage.completion_tokens": "$ai_output_tokens"}
_SECONDS = {"llm.duration_ms": "$ai_latency", "llm.time_to_first_token": "$ai_time_to_first_token"}
_NOT_COPIED = frozenset(
    {"llm.model", "llm.provider", "llm.user_message_preview", "http.status_code", DISTINCT_ID, SERVICE_OVERRIDE}
) | {INPUT, OUTPUT, *_NUMBERS, *_SECONDS}


def posthog_batch(spans: Iterable[Span], *, capture_messages: bool) -> list[dict[str, Any]]:
    """One `$ai_generation` for each span of an LLM call; other spans are left out."""
    return [_event(span, capture_messages) for span in spans if span.attributes.get("llm.model")]


def _event(span: Span, capture_messages: bool) -> dict[str, Any]:
    attributes = span.attributes
    properties: dict[str, Any] = {
        "$ai_model": attributes["llm.model"],
        "$ai_trace_id": span.context.trace_id,
        "$ai_parent_id": span.context.parent_id,
    }
    if provider := attributes.get("llm.provider"):
        properties["$ai_provider"] = provider
    for key, name in _SECONDS.items():
        if (value := _integer(attributes.get(key))) is not None:
            properties[name] = value / 1000
    if "$ai_time_to_first_token" in properties:
        properties["$ai_stream"] = True
    for key, name in _NUMBERS.items():
        if (value := _integer(attributes.get(key))) is not None:
            properties[name] = value
    if (status := _integer(attributes.get("http.status_code"))) is not None:
        properties["$ai_http_status"] = status
        if status >= _ERROR_STATUS:
            properties["$ai_is_error"] = True
    if capture_messages and (preview := attributes.get("llm.user_message_preview")):
        properties["$ai_input"] = [{"role": "user", "content": preview}]
    if (distinct := attributes.get(DISTINCT_ID)) is not None:
        properties["distinct_id"] = distinct
    else:
        properties |= {"distinct_id": span.context.trace_id, "$process_person_profile": False}
    for key, copied in attributes.items():
        if key not in _NOT_COPIED:
            properties.setdefault(key, copied)
    return {
        "event": "$ai_generation",
        "timestamp": datetime.fromtimestamp(span.ended, UTC).isoformat(),
        "properties": properties,
    }


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
