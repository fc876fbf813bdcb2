"""From OTLP export requests, in protobuf or JSON, to spans."""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from planoctl.traces.span import Attribute, Span, Value

UNKNOWN_SERVICE = "unknown"
_ID_KEYS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8


class BadExport(ValueError):
    """A body that is no export request."""


class Received(NamedTuple):
    """The spans of a request. `rejected` counts those without a usable trace id or span id."""

    spans: list[Span]
    rejected: int


def parse_protobuf(body: bytes) -> ExportTraceServiceRequest:
    """Raises BadExport."""
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise BadExport(f"the body is no ExportTraceServiceRequest: {error}") from error


def parse_json(body: bytes) -> ExportTraceServiceRequest:
    """OTLP's JSON is protobuf's, but for ids in hex; raises BadExport."""
    try:
        document = json.loads(body)
        _ids_to_base64(document)
        return json_format.ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise BadExport(f"the body is no ExportTraceServiceRequest in JSON: {error}") from error


def received(request: ExportTraceServiceRequest) -> Received:
    """The spans of a request, in its order."""
    spans, rejected = [], 0
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        service = next((a["value"].get("stringValue", "") for a in resource if a["key"] == "service.name"), "")
        for scope in group.scope_spans:
            for span in scope.spans:
                if _usable(span.trace_id, _TRACE_ID_BYTES) and _usable(span.span_id, _SPAN_ID_BYTES):
                    spans.append(_span(span, service or UNKNOWN_SERVICE, resource))
                else:
                    rejected += 1
    return Received(spans, rejected)


def answer(rejected: int) -> ExportTraceServiceResponse:
    """What the exporter is told."""
    if not rejected:
        return ExportTraceServiceResponse()
    partial = ExportTracePartialSuccess(
        rejected_spans=rejected, error_message="spans need a trace id of 16 bytes and a span id of 8 bytes"
    )
    return ExportTraceServiceResponse(partial_success=partial)


def _span(span: trace_pb2.Span, service: str, resource: list[Attribute]) -> Span:
    parent = span.parent_span_id
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": parent.hex() if _usable(parent, _SPAN_ID_BYTES) else "",
        "name": span.name,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "service": service,
        "attributes": _attributes(span.attributes),
        "events": [
            {
                "timeUnixNano": str(event.time_unix_nano),
                "name": event.name,
                "attributes": _attributes(event.attributes),
            }
            for event in span.events
        ],
        "status": {"code": int(span.status.code), "message": span.status.message},
        "resource": resource,
    }


def _usable(identifier: bytes, length: int) -> bool:
    return len(identifier) == length and any(identifier)


def _attributes(pairs: Iterable[KeyValue]) -> list[Attribute]:
    return [{"key": pair.key, "value": value} for pair in pairs if (value := _value(pair.value)) is not None]


def _value(value: AnyValue) -> Value | None:
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "double_value":
            return {"doubleValue": value.double_value}
        case None:
            return None
        case _:
            found = _plain(value)
            return {"stringValue": found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return None if kind is None else getattr(value, kind)


def _ids_to_base64(document: Any) -> None:
    for span in _spans_in(document):
        for holder in (span, *span.get("links", ())):
            for key in _ID_KEYS:
                if key in holder:
                    holder[key] = _base64_of_hex(holder[key])


def _spans_in(document: Any) -> Iterator[dict[str, Any]]:
    for group in document.get("resourceSpans") or document.get("resource_spans") or ():
        for scope in group.get("scopeSpans") or group.get("scope_spans") or ():
            yield from scope.get("spans") or ()


def _base64_of_hex(identifier: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(identifier)).decode()
    except binascii.Error as error:
        raise BadExport(f"{identifier!r} is no id in hex") from error
