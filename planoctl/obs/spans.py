"""Reading span dicts: the JSON form in which the collector hands spans out, and which `--replay` files hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Span = Mapping[str, Any]
Value = str | int | float | bool

MAX_TEXT = 4096
"""Characters kept of a text attribute."""
MAX_EVENTS = 128
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something noted on a span: nanoseconds since the epoch, name, attributes."""

    time_ns: int
    name: str
    attributes: tuple[tuple[str, Value], ...]


def attributes_of(holder: Span) -> dict[str, Value]:
    """The attributes of a span or an event: texts, numbers and truth values; anything else is left out."""
    return dict(_pairs(holder.get("attributes")))


def events_of(span: Span) -> tuple[Event, ...]:
    events = span.get("events")
    if not isinstance(events, list):
        return ()
    return tuple(
        Event(nanoseconds(event.get("timeUnixNano")), clean(event.get("name", "")), tuple(attributes_of(event).items()))
        for event in events[:MAX_EVENTS]
        if isinstance(event, Mapping)
    )


def status_of(span: Span) -> tuple[str, str]:
    """Code (`unset`, `ok`, `error`) and message."""
    status = span.get("status")
    if not isinstance(status, Mapping):
        return "unset", ""
    code = str(status.get("code", "unset")).lower().removeprefix("status_code_")
    return {"0": "unset", "1": "ok", "2": "error"}.get(code, clean(code)), clean(status.get("message") or "")


def nanoseconds(value: Any) -> int:
    """A time of OTLP's JSON form, a decimal text; 0 where there is none."""
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        return 0


def clean(value: Any) -> str:
    """A text that is safe to print: what could steer a terminal is replaced, what is too long is cut."""
    text = str(value)[: MAX_TEXT + 1]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() or letter == "\n" else _REPLACEMENT for letter in text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _pairs(attributes: Any) -> Iterator[tuple[str, Value]]:
    if not isinstance(attributes, list):
        return
    for attribute in attributes:
        if isinstance(attribute, Mapping) and isinstance(attribute.get("value"), Mapping):
            value = _value(attribute["value"])
            if value is not None:
                yield clean(attribute.get("key", "")), value


def _value(value: Span) -> Value | None:
    try:
        if "stringValue" in value:
            return clean(value["stringValue"])
        if "boolValue" in value:
            return bool(value["boolValue"])
        if "intValue" in value:
            return int(value["intValue"])
        if "doubleValue" in value:
            return float(value["doubleValue"])
    except (TypeError, ValueError):
        return None
    return None
