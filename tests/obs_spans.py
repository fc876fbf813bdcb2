"""Span dicts as the collector hands them out."""

from typing import Any

START_NS = 1_795_251_600_000_000_000


def attribute(key: str, value: Any) -> dict[str, Any]:
    kind = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def span(number: int = 1, attributes: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A span that starts `number` seconds after START_NS; attributes with the value None are left out."""
    start = START_NS + number * 1_000_000_000
    given = {"llm.model": "gpt-4o", "llm.provider": "openai", "http.status_code": 200} | (attributes or {})
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": "",
        "name": "POST /v1/chat/completions gpt-4o",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 1_000_000_000),
        "service": "plano(llm)",
        "attributes": [attribute(key, value) for key, value in given.items() if value is not None],
        "events": [],
        "status": {"code": 0},
        **fields,
    }
