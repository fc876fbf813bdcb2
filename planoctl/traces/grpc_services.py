"""The collector's gRPC side: OTLP in, and what `planoctl trace` and `planoctl obs` ask."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from plano_pb import trace_query_pb2 as pb
from planoctl.traces.feed import Feed
from planoctl.traces.otlp import answer
from planoctl.traces.store import TraceStore

EXPORT_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
QUERY_SERVICE = "plano.traces.v1.TraceQuery"
PART_BYTES = 1024 * 1024
"""About how large the messages of an answer are; a larger span is a message of its own."""

Record = Callable[[ExportTraceServiceRequest], int]
"""Stores the spans of a request and says how many it rejected."""


class GrpcServices:
    """Handlers of both services. `status` makes the answer to GetStatus."""

    def __init__(self, record: Record, store: TraceStore, feed: Feed, status: Callable[[], pb.CollectorStatus]) -> None:
        self._record = record
        self._store = store
        self._feed = feed
        self._status = status

    async def export(self, request: ExportTraceServiceRequest, _context: object) -> ExportTraceServiceResponse:
        return answer(self._record(request))

    async def get_status(self, _request: pb.StatusRequest, _context: object) -> pb.CollectorStatus:
        return self._status()

    async def get_traces(self, _request: pb.TracesRequest, _context: object) -> AsyncIterator[pb.TracePart]:
        for trace_id, spans in list(self._store.traces()):
            for part in _parts(spans):
                yield pb.TracePart(trace_id=trace_id, spans=part)

    async def watch_spans(self, request: pb.WatchRequest, _context: object) -> AsyncIterator[pb.SpanBatch]:
        stored = [span for _, spans in self._store.traces() for span in reversed(spans)] if request.stored else []
        with self._feed.watcher(reversed(stored)) as watcher:
            async for spans, dropped in watcher.batches(PART_BYTES):
                yield pb.SpanBatch(spans=spans, dropped=dropped)

    def register(self, server: grpc.aio.Server) -> None:
        """Serve both services on `server`."""
        export: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Export": grpc.unary_unary_rpc_method_handler(
                self.export,
                request_deserializer=ExportTraceServiceRequest.FromString,
                response_serializer=ExportTraceServiceResponse.SerializeToString,
            )
        }
        query: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetStatus": grpc.unary_unary_rpc_method_handler(
                self.get_status,
                request_deserializer=pb.StatusRequest.FromString,
                response_serializer=pb.CollectorStatus.SerializeToString,
            ),
            "GetTraces": grpc.unary_stream_rpc_method_handler(
                self.get_traces,
                request_deserializer=pb.TracesRequest.FromString,
                response_serializer=pb.TracePart.SerializeToString,
            ),
            "WatchSpans": grpc.unary_stream_rpc_method_handler(
                self.watch_spans,
                request_deserializer=pb.WatchRequest.FromString,
                response_serializer=pb.SpanBatch.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(EXPORT_SERVICE, export),
                grpc.method_handlers_generic_handler(QUERY_SERVICE, query),
            )
        )


def _parts(spans: list[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for span in spans:
        if part and size + len(span) > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(span)
        size += len(span)
    if part:
        yield part
