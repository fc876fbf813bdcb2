import json
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from planoctl.traces.otlp import BadExport, parse_json, received
from planoctl.traces.span import mapping
from tests.unit.planoctl.traces.sample import BEGAN, Made, export

A = "ab" * 16


def document() -> dict[str, Any]:
    span = {
        "traceId": A,
        "spanId": "1" * 16,
        "parentSpanId": "2" * 16,
        "name": "work",
        "kind": 2,
        "startTimeUnixNano": "1770000000000000000",
        "endTimeUnixNano": "1770000000005000000",
        "attributes": [{"key": "n", "value": {"intValue": "7"}}],
        "status": {"code": 2, "message": "broken"},
        "aFieldOfTomorrow": 1,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def test_a_span_keeps_events_status_and_resource() -> None:
    request = export(Made(A, "1", "2", "plano(llm)", "chat", 1, 3, {"ok": True}, {"seen": {"n": 1}}, error="broken"))
    (span,) = received(request).spans
    assert span == {
        "traceId": A,
        "spanId": "0000000000000001",
        "parentSpanId": "0000000000000002",
        "name": "chat",
        "startTimeUnixNano": str(BEGAN + 1_000_000),
        "endTimeUnixNano": str(BEGAN + 3_000_000),
        "service": "plano(llm)",
        "attributes": [{"key": "ok", "value": {"boolValue": True}}],
        "events": [
            {
                "timeUnixNano": str(BEGAN + 1_000_000),
                "name": "seen",
                "attributes": [{"key": "n", "value": {"intValue": "1"}}],
            }
        ],
        "status": {"code": 2, "message": "broken"},
        "resource": [{"key": "service.name", "value": {"stringValue": "plano(llm)"}}],
    }


def test_lists_and_mappings_become_json_text() -> None:
    request = export(Made(A, "1"))
    span = request.resource_spans[0].scope_spans[0].spans[0]
    words = ArrayValue(values=[AnyValue(string_value="é"), AnyValue(int_value=2), AnyValue()])
    pairs = KeyValueList(values=[KeyValue(key="deep", value=AnyValue(array_value=words))])
    for key, value in {
        "list": AnyValue(array_value=words),
        "mapping": AnyValue(kvlist_value=pairs),
        "bytes": AnyValue(bytes_value=b"\x00\x01"),
        "nothing": AnyValue(),
        "number": AnyValue(double_value=0.5),
    }.items():
        span.attributes.add(key=key, value=value)
    assert mapping(received(request).spans[0]["attributes"]) == {
        "list": '["é", 2, null]',
        "mapping": '{"deep": ["é", 2, null]}',
        "bytes": "AAE=",
        "number": 0.5,
    }


def test_spans_without_usable_ids_are_rejected_and_the_others_kept() -> None:
    request = export(Made(A, "1"), Made("0" * 32, "2"), Made(A, "0"), Made(A, "4"))
    request.resource_spans[3].scope_spans[0].spans[0].trace_id = b"short"
    found = received(request)
    assert ([span["spanId"][-1] for span in found.spans], found.rejected) == (["1"], 3)


def test_a_service_without_a_name_is_unknown() -> None:
    request = export(Made(A, "1"))
    request.resource_spans[0].ClearField("resource")
    assert received(request).spans[0]["service"] == "unknown"


def test_json_has_its_ids_in_hex() -> None:
    (span,) = received(parse_json(json.dumps(document()).encode())).spans
    assert (span["traceId"], span["spanId"], span["parentSpanId"]) == (A, "1" * 16, "2" * 16)
    assert (span["service"], span["attributes"]) == ("shop", [{"key": "n", "value": {"intValue": "7"}}])
    assert span["status"] == {"code": 2, "message": "broken"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [5]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 5}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": ["a"]}]}]}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_json_that_is_no_export_is_refused(body: bytes) -> None:
    with pytest.raises(BadExport):
        parse_json(body)


def test_json_and_protobuf_mean_the_same() -> None:
    request = export(Made(A, "1", "2", attributes={"n": 1, "t": "x", "b": False, "f": 1.5}, error="e"))
    document = json_format.MessageToDict(request)
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span |= {"traceId": A, "spanId": f"{1:016x}", "parentSpanId": f"{2:016x}"}
    assert received(parse_json(json.dumps(document).encode())) == received(request)
