"""A real collector in a thread, which tests fill over gRPC."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from planoctl.traces.collector import Collector, Settings
from planoctl.traces.store import Limits

SECONDS = 20


@dataclass(frozen=True)
class Running:
    """A collector that listens on free ports."""

    port: int
    http_port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def send(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        with grpc.insecure_channel(self.address) as channel:
            call: Any = channel.unary_unary(
                "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                request_serializer=ExportTraceServiceRequest.SerializeToString,
                response_deserializer=ExportTraceServiceResponse.FromString,
            )
            answer: ExportTraceServiceResponse = call(request, timeout=SECONDS)
            return answer


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts collectors, with limits if a test has some; they end with the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    started: list[Collector] = []

    def wait(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(SECONDS)

    def begin(limits: Limits | None = None, *, http_port: int | None = 0) -> Running:
        collector = Collector(Settings(port=0, http_port=http_port, limits=limits))
        wait(collector.start())
        started.append(collector)
        return Running(collector.port, collector.http_port or 0)

    yield begin
    for collector in started:
        wait(collector.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(SECONDS)
    loop.close()


@pytest.fixture
def collector(start: Start) -> Running:
    return start()
