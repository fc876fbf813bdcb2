"""Spans as OTLP, grouped by the service that each of them names.

Written by hand, since the messages of `opentelemetry-proto` take five times as long and brightstaff decides on requests
meanwhile; a test compares the two.
"""

import logging
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from brightstaff.telemetry.span import Event, Span, Value

log = logging.getLogger(__name__)

_SCOPE = "brightstaff"
_KINDS = {"internal": b"\x01", "client": b"\x03"}
_LARGEST = 2**63  # what OTLP's integers hold
_LONGEST_CACHED = 64
_FIXED64 = struct.Struct("<Q")
_DOUBLE = struct.Struct("<d")

# Keys of fields: number << 3 | wire type.
_RESOURCE_SPANS = b"\x0a"  # ExportTraceServiceRequest.resource_spans
_RESOURCE, _SCOPE_SPANS = b"\x0a", b"\x12"  # of ResourceSpans
_RESOURCE_ATTRIBUTES = b"\x0a"
_SCOPE_OF_SPANS, _SPANS = b"\x0a", b"\x12"  # of ScopeSpans
_SCOPE_NAME = b"\x0a"
_TRACE_ID, _SPAN_ID, _PARENT_ID = b"\x0a", b"\x12", b"\x22"  # of Span, and so on
_NAME, _KIND, _START, _END, _ATTRIBUTES, _EVENTS, _STATUS = (
    b"\x2a",
    b"\x30",
    b"\x39",
    b"\x41",
    b"\x4a",
    b"\x5a",
    b"\x7a",
)
_SAMPLED = b"\x85\x01\x01\x00\x00\x00"  # Span.flags, fixed32
_EVENT_TIME, _EVENT_NAME, _EVENT_ATTRIBUTES = b"\x09", b"\x12", b"\x1a"
_STATUS_MESSAGE, _STATUS_ERROR = b"\x12", b"\x18\x02"
_KEY, _VALUE = b"\x0a", b"\x12"  # of KeyValue
_STRING, _BOOL, _INT, _FLOAT, _ARRAY = b"\x0a", b"\x10", b"\x18", b"\x21", b"\x2a"  # of AnyValue
_ARRAY_VALUES = b"\x0a"


def export_request(spans: Iterable[Span]) -> bytes:
    """A serialised ExportTraceServiceRequest with a resource for each service."""
    by_service: dict[str, list[bytes]] = defaultdict(list)
    for span in spans:
        try:
            by_service[span.service].append(_field(_SPANS, _encoded(span)))
        except Exception:  # one span that cannot be written must not take others with it
            log.exception("the span %r cannot be exported", span.name)
    scope = _field(_SCOPE_OF_SPANS, _field(_SCOPE_NAME, _SCOPE.encode()))
    groups = []
    for service, encoded in by_service.items():
        resource = _field(_RESOURCE, _attributes(_RESOURCE_ATTRIBUTES, {"service.name": service}))
        groups.append(_field(_RESOURCE_SPANS, resource + _field(_SCOPE_SPANS, scope + b"".join(encoded))))
    return b"".join(groups)


def _encoded(span: Span) -> bytes:
    context = span.context
    parts = [
        _field(_TRACE_ID, bytes.fromhex(context.trace_id)),
        _field(_SPAN_ID, bytes.fromhex(span.span_id)),
        _field(_PARENT_ID, bytes.fromhex(context.parent_id)),
        _field(_NAME, span.name.encode()),
        _KIND + _KINDS[span.kind],
        _START + _nanoseconds(span.started),
        _END + _nanoseconds(span.ended),
        _attributes(_ATTRIBUTES, span.attributes),
        *(_field(_EVENTS, _event(event)) for event in span.events),
    ]
    if span.error is not None:
        parts.append(_field(_STATUS, _field(_STATUS_MESSAGE, span.error.encode()) + _STATUS_ERROR))
    parts.append(_SAMPLED)
    return b"".join(parts)


def _event(event: Event) -> bytes:
    return (
        _EVENT_TIME
        + _nanoseconds(event.at)
        + _field(_EVENT_NAME, event.name.encode())
        + _attributes(_EVENT_ATTRIBUTES, event.attributes)
    )


def _attributes(field: bytes, values: Mapping[str, Value]) -> bytes:
    return b"".join([_attribute(field, key, value) for key, value in values.items()])


def _attribute(field: bytes, key: str, value: Value) -> bytes:
    if type(value) is str and len(value) <= _LONGEST_CACHED:
        return _text_attribute(field, key, value)
    return _field(field, _key(key) + _field(_VALUE, _value(value)))


@lru_cache(maxsize=1024)
def _text_attribute(field: bytes, key: str, value: str) -> bytes:
    return _field(field, _key(key) + _field(_VALUE, _field(_STRING, value.encode())))


@lru_cache(maxsize=1024)
def _key(key: str) -> bytes:
    return _field(_KEY, key.encode())


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return _field(_STRING, value.encode())
    if isinstance(value, bool):
        return _BOOL + (b"\x01" if value else b"\x00")
    if isinstance(value, int) and -_LARGEST <= value < _LARGEST:
        return _INT + _varint(value % 2**64)
    if isinstance(value, int | float):
        return _FLOAT + _DOUBLE.pack(value)
    return _field(_ARRAY, b"".join(_field(_ARRAY_VALUES, _value(item)) for item in value))


def _field(key: bytes, payload: bytes) -> bytes:
    size = len(payload)
    return key + (bytes((size,)) if size < 0x80 else _varint(size)) + payload


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _nanoseconds(seconds: float) -> bytes:
    return _FIXED64.pack(int(seconds * 1e9))
