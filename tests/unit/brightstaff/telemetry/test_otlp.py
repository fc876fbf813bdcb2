from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as pb

from brightstaff.telemetry.otlp import export_request
from brightstaff.telemetry.span import Event, Span, TraceContext

KINDS = {"internal": pb.Span.SPAN_KIND_INTERNAL, "client": pb.Span.SPAN_KIND_CLIENT}
IDS = st.binary(min_size=8, max_size=8).map(bytes.hex)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
VALUES = (
    TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.lists(TEXTS, max_size=3)
)
ATTRIBUTES = st.dictionaries(TEXTS, VALUES, max_size=5)
TIMES = st.floats(0, 4e9)
SPANS = st.builds(
    Span,
    service=st.sampled_from(["plano(llm)", "plano(routing)"]),
    name=TEXTS,
    context=st.builds(TraceContext, st.tuples(IDS, IDS).map("".join), IDS, st.just(value=True)),
    started=TIMES,
    ended=TIMES,
    span_id=IDS,
    kind=st.sampled_from(["internal", "client"]),
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(Event, TEXTS, TIMES, ATTRIBUTES), max_size=2),
    error=st.none() | TEXTS,
)


def value(given: Any) -> AnyValue:
    if isinstance(given, list):
        return AnyValue(array_value=ArrayValue(values=[value(item) for item in given]))
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    return AnyValue(**{kinds[type(given)]: given})


def attributes(given: Any) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(each)) for key, each in given.items()]


def message(span: Span) -> pb.Span:
    """The same by the messages of OTLP."""
    return pb.Span(
        trace_id=bytes.fromhex(span.context.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.context.parent_id),
        flags=1,
        name=span.name,
        kind=KINDS[span.kind],
        start_time_unix_nano=int(span.started * 1e9),
        end_time_unix_nano=int(span.ended * 1e9),
        attributes=attributes(span.attributes),
        events=[
            pb.Span.Event(name=each.name, time_unix_nano=int(each.at * 1e9), attributes=attributes(each.attributes))
            for each in span.events
        ],
        status=None if span.error is None else pb.Status(code=pb.Status.STATUS_CODE_ERROR, message=span.error),
    )


@given(st.lists(SPANS, max_size=4))
def test_what_is_written_is_otlp(spans: list[Span]) -> None:
    expected = ExportTraceServiceRequest()
    for service in dict.fromkeys(span.service for span in spans):
        group = expected.resource_spans.add(resource=Resource(attributes=attributes({"service.name": service})))
        scope = group.scope_spans.add(spans=[message(span) for span in spans if span.service == service])
        scope.scope.name = "brightstaff"
    assert ExportTraceServiceRequest.FromString(export_request(spans)) == expected
