"""The shape of a span and of a trace, as the collector stores them and `planoctl trace --json` prints them.

It is that of OTLP's JSON form with the service lifted out of the resource. Times are nanoseconds since 1970 as decimal
text, ids are hex. An attribute's value is one of {"stringValue": text}, {"boolValue": true}, {"intValue": decimal text}
and {"doubleValue": number}; lists and mappings become JSON text, bytes become Base64 text.
"""

from collections.abc import Iterable
from typing import NotRequired, TypedDict


class Value(TypedDict, total=False):
    """One of the four, never more."""

    stringValue: str
    boolValue: bool
    intValue: str
    doubleValue: float


class Attribute(TypedDict):
    key: str
    value: Value


class Event(TypedDict):
    timeUnixNano: str
    name: str
    attributes: list[Attribute]


class Status(TypedDict):
    """`code`: 0 unset, 1 ok, 2 error. `message` explains an error."""

    code: int
    message: str


class Span(TypedDict):
    """`parentSpanId` is empty for a root; `service` is `unknown` if the resource does not name one."""

    traceId: str
    spanId: str
    parentSpanId: str
    name: str
    startTimeUnixNano: str
    endTimeUnixNano: str
    service: str
    attributes: list[Attribute]
    events: NotRequired[list[Event]]
    status: NotRequired[Status]
    resource: NotRequired[list[Attribute]]


class Trace(TypedDict):
    """The spans of one request. They may have several trace ids; `trace_id` is that of the root."""

    trace_id: str
    spans: list[Span]


STATUS_ERROR = 2

Scalar = str | bool | int | float


def scalar(value: Value) -> Scalar:
    """What an attribute's value holds; empty text if it is of an unknown kind."""
    if "intValue" in value:
        return int(value["intValue"])
    if "boolValue" in value:
        return value["boolValue"]
    return value["doubleValue"] if "doubleValue" in value else value.get("stringValue", "")


def text(value: Value) -> str:
    """The value as one would write it: `true`, `3`, `0.5`, or the text itself."""
    found = scalar(value)
    return str(found).lower() if isinstance(found, bool) else str(found)


def mapping(attributes: Iterable[Attribute]) -> dict[str, Scalar]:
    """Attributes by key; of two with the same key the last one counts."""
    return {attribute["key"]: scalar(attribute["value"]) for attribute in attributes}


def start_nanoseconds(span: Span) -> int:
    return int(span["startTimeUnixNano"] or 0)


def end_nanoseconds(span: Span) -> int:
    """The end, never before the start: a span that was exported unfinished has none."""
    return max(int(span["endTimeUnixNano"] or 0), start_nanoseconds(span))
