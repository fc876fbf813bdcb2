"""The collector as exporters and viewers meet it: real sockets, the exporters of OpenTelemetry."""

import asyncio
import gzip
import itertools
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Status, StatusCode

from plano_pb import trace_query_pb2 as pb
from planoctl.traces.client import (
    CollectorUnavailable,
    NotACollector,
    collector_status,
    fetch_traces,
    watch_spans,
)
from planoctl.traces.collector import Collector, ListenError, Settings
from planoctl.traces.span import mapping
from planoctl.traces.store import Limits
from tests.unit.planoctl.traces.conftest import Running, Start
from tests.unit.planoctl.traces.sample import FAILURE, SUCCESS, Made, export

A = "ab" * 16

EXPORTERS: dict[str, Callable[[Running], SpanExporter]] = {
    "grpc": lambda running: GrpcExporter(f"http://{running.address}", insecure=True),
    "http": lambda running: HttpExporter(f"http://127.0.0.1:{running.http_port}/v1/traces"),
    "http, gzip": lambda running: HttpExporter(
        f"http://127.0.0.1:{running.http_port}/v1/traces", compression=Compression.Gzip
    ),
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_what_an_opentelemetry_exporter_sends_is_there_a_moment_later(name: str, collector: Running) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "team": "blue"}))
    provider.add_span_processor(SimpleSpanProcessor(EXPORTERS[name](collector)))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("parent") as parent:
        with tracer.start_as_current_span("child") as child:
            child.set_attributes({"n": 3, "ok": True, "share": 0.5, "words": ["a", "b"]})
            child.add_event("seen", {"where": "here"})
            child.set_status(Status(StatusCode.ERROR, "broken"))
        trace_id = f"{parent.get_span_context().trace_id:032x}"
    provider.shutdown()

    (trace,) = fetch_traces(collector.address)
    assert trace["trace_id"] == trace_id
    received = {span["name"]: span for span in trace["spans"]}
    assert received["child"]["parentSpanId"] == received["parent"]["spanId"]
    assert mapping(received["child"]["attributes"]) == {"n": 3, "ok": True, "share": 0.5, "words": '["a", "b"]'}
    assert [(event["name"], mapping(event["attributes"])) for event in received["child"]["events"]] == [
        ("seen", {"where": "here"})
    ]
    assert received["child"]["status"] == {"code": 2, "message": "broken"}
    assert received["child"]["service"] == "shop"
    assert mapping(received["child"]["resource"])["team"] == "blue"


def test_an_exporter_is_told_of_spans_that_were_rejected(collector: Running) -> None:
    answer = collector.send(export(Made(A, "1"), Made("0" * 32, "2")))
    assert answer.partial_success.rejected_spans == 1
    url = f"http://127.0.0.1:{collector.http_port}/v1/traces"
    body = export(Made("0" * 32, "2")).SerializeToString()
    response = httpx.post(url, content=body, headers={"content-type": "application/x-protobuf"})
    assert response.headers["content-type"] == "application/x-protobuf"
    assert ExportTraceServiceResponse.FromString(response.content).partial_success.rejected_spans == 1


def test_json_over_http_is_answered_in_json(collector: Running) -> None:
    span = {"traceId": A, "spanId": "1" * 16, "name": "by hand", "startTimeUnixNano": "5", "endTimeUnixNano": "9"}
    response = httpx.post(
        f"http://127.0.0.1:{collector.http_port}/v1/traces",
        json={"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
    )
    assert (response.status_code, response.json()) == (200, {})
    assert fetch_traces(collector.address)[0]["spans"][0]["name"] == "by hand"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "text/plain"}, b"x", 415),
        ({}, b"x", 415),
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/x-protobuf"}, b"\xff\xff", 400),
        ({"content-type": "application/x-protobuf", "content-encoding": "br"}, b"x", 415),
        ({"content-type": "application/x-protobuf", "content-encoding": "gzip"}, b"x", 400),
        ({"content-type": "application/x-protobuf", "content-encoding": "gzip"}, gzip.compress(b"x" * 9)[:12], 400),
        ({"content-type": "application/x-protobuf", "content-encoding": "gzip"}, gzip.compress(bytes(2**25)), 413),
        ({"content-type": "application/x-protobuf"}, bytes(2**24 + 1), 413),
    ],
    ids=["text", "no type", "bad json", "bad protobuf", "brotli", "no gzip", "cut gzip", "bomb", "large"],
)
def test_what_cannot_be_used_is_refused_with_a_reason(
    headers: dict[str, str], body: bytes, status: int, collector: Running
) -> None:
    response = httpx.post(f"http://127.0.0.1:{collector.http_port}/v1/traces", content=body, headers=headers)
    assert (response.status_code, bool(response.json()["message"])) == (status, True)
    assert fetch_traces(collector.address) == []


def test_more_than_a_message_may_hold_arrives_whole(collector: Running) -> None:
    text = "x" * 40_000
    for number in range(4):
        collector.send(export(*(Made(A, f"{number}{span:03x}", attributes={"t": text}) for span in range(1, 101))))
    collector.send(export(Made("cd" * 16, "ffff")))
    newest, oldest = fetch_traces(collector.address)
    assert (len(newest["spans"]), len(oldest["spans"])) == (1, 400)
    assert {len(str(mapping(span["attributes"])["t"])) for span in oldest["spans"]} == {40_000}


def test_answers_come_in_messages_that_any_client_takes(collector: Running) -> None:
    for number in range(1, 161):
        collector.send(export(Made(A, f"{number:x}", attributes={"t": "x" * 40_000})))
    with grpc.insecure_channel(collector.address) as channel:  # with gRPC's limit of 4 MiB a message
        ask: Any = channel.unary_stream(
            "/plano.traces.v1.TraceQuery/GetTraces",
            request_serializer=pb.TracesRequest.SerializeToString,
            response_deserializer=pb.TracePart.FromString,
        )
        parts = list(ask(pb.TracesRequest(), timeout=20))
    assert {part.trace_id for part in parts} == {A}
    assert sum(len(part.spans) for part in parts) == 160
    assert max(part.ByteSize() for part in parts) < 1.1 * 2**20


def test_a_collector_keeps_to_its_limits(start: Start) -> None:
    collector = start(Limits(traces=2, spans_per_trace=4))
    collector.send(export(*FAILURE, *SUCCESS))
    assert [len(trace["spans"]) for trace in fetch_traces(collector.address)] == [4, 4]
    status = collector_status(collector.address)
    assert (status.pid, status.traces, status.spans, status.http_port) == (os.getpid(), 2, 8, collector.http_port)


def test_a_watcher_gets_what_is_stored_and_then_what_arrives(collector: Running) -> None:
    collector.send(export(Made(A, "1"), Made(A, "2")))
    collector.send(export(Made("cd" * 16, "3")))
    watching = watch_spans(collector.address)
    assert [next(watching)["spanId"][-1] for _ in range(3)] == ["1", "2", "3"]
    collector.send(export(Made(A, "3"), Made(A, "4")))  # 3 is known already
    assert next(watching)["spanId"][-1] == "4"
    watching.close()


def test_a_watcher_may_leave_out_what_is_stored(collector: Running) -> None:
    collector.send(export(Made(A, "1")))
    watching = watch_spans(collector.address, stored=False)
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.append(next(watching)["spanId"]))
    reader.start()
    for number in itertools.count(0x10):
        collector.send(export(Made(A, f"{number:x}")))  # until one arrives after the watcher has
        reader.join(0.05)
        if not reader.is_alive():
            break
    assert int(seen[0], 16) >= 0x10


def test_spans_above_the_limit_of_a_trace_are_still_passed_on(start: Start) -> None:
    collector = start(Limits(spans_per_trace=1))
    collector.send(export(Made(A, "1")))
    watching = watch_spans(collector.address)
    assert next(watching)["spanId"][-1] == "1"
    collector.send(export(Made(A, "2"), Made(A, "3")))
    assert [next(watching)["spanId"][-1] for _ in range(2)] == ["2", "3"]
    watching.close()


def test_a_watcher_learns_that_the_collector_has_gone() -> None:
    async def scenario() -> None:
        collector = Collector(Settings(port=0, http_port=None))
        await collector.start()
        watching = watch_spans(f"127.0.0.1:{collector.port}")
        collector.record(export(Made(A, "1")))
        assert (await asyncio.to_thread(next, watching))["traceId"] == A
        ending = asyncio.create_task(collector.stop())
        with pytest.raises(CollectorUnavailable):
            await asyncio.to_thread(next, watching)
        await ending

    asyncio.run(scenario())


def test_without_a_collector_there_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    with pytest.raises(CollectorUnavailable, match=f"no trace collector answers on 127.0.0.1:{port}"):
        fetch_traces(f"127.0.0.1:{port}")


def test_another_grpc_server_is_not_taken_for_a_collector() -> None:
    async def scenario() -> None:
        server = grpc.aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        with pytest.raises(NotACollector, match="is no trace collector"):
            await asyncio.to_thread(fetch_traces, f"127.0.0.1:{port}")
        await server.stop(0)

    asyncio.run(scenario())


@pytest.mark.parametrize("taken", ["grpc", "http"])
def test_a_port_in_use_is_an_error_that_names_the_way_out(taken: str, start: Start) -> None:
    running = start()
    settings = {
        "grpc": Settings(port=running.port, http_port=None),
        "http": Settings(port=0, http_port=running.http_port),
    }[taken]
    with pytest.raises(ListenError) as caught:
        asyncio.run(Collector(settings).start())
    assert "address is already in use" in str(caught.value)
    assert "planoctl trace listen" in str(caught.value)
    assert fetch_traces(running.address) == []


def test_without_http_there_is_only_grpc(start: Start) -> None:
    running = start(http_port=None)
    assert collector_status(running.address).http_port == 0
