"""Asks a collector for its traces. `planoctl trace` and `planoctl obs` use it."""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import grpc
import orjson

from plano_pb import trace_query_pb2 as pb
from planoctl.traces.grpc_services import QUERY_SERVICE
from planoctl.traces.span import Span, Trace

_SECONDS = 10.0
_STATUS_SECONDS = 2.0
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


class CollectorUnavailable(Exception):
    """Nothing that answers listens there."""


class NotACollector(CollectorUnavailable):
    """Something listens there that is no collector of planoctl's."""


def fetch_traces(address: str) -> list[Trace]:
    """Everything a collector (`host:port`) has stored, newest trace first; raises CollectorUnavailable."""
    traces: list[Trace] = []
    with _asking(address) as channel:
        for part in _stream(channel, "GetTraces", pb.TracesRequest(), pb.TracePart, timeout=_SECONDS):
            spans = [cast("Span", orjson.loads(span)) for span in part.spans]
            if traces and traces[-1]["trace_id"] == part.trace_id:
                traces[-1]["spans"] += spans
            else:
                traces.append({"trace_id": part.trace_id, "spans": spans})
    return traces


def watch_spans(address: str, *, stored: bool = True) -> Iterator[Span]:
    """Each span as it arrives, with `stored` those first that are there; blocks between them.

    Ends when the caller closes it; raises CollectorUnavailable when the collector ends, or is not there.
    """
    with _asking(address) as channel:
        for batch in _stream(channel, "WatchSpans", pb.WatchRequest(stored=stored), pb.SpanBatch):
            for span in batch.spans:
                yield cast("Span", orjson.loads(span))
    raise CollectorUnavailable(f"the trace collector at {address} has stopped")


def collector_status(address: str) -> pb.CollectorStatus:
    """Which process listens at `host:port`, and what it holds; raises CollectorUnavailable."""
    with _asking(address) as channel:
        ask = channel.unary_unary(
            f"/{QUERY_SERVICE}/GetStatus",
            request_serializer=pb.StatusRequest.SerializeToString,
            response_deserializer=pb.CollectorStatus.FromString,
        )
        return ask(pb.StatusRequest(), timeout=_STATUS_SECONDS)


def _stream(channel: grpc.Channel, method: str, request: Any, answer: Any, *, timeout: float | None = None) -> Any:
    ask = channel.unary_stream(
        f"/{QUERY_SERVICE}/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=answer.FromString,
    )
    return ask(request, timeout=timeout)


@contextlib.contextmanager
def _asking(address: str) -> Iterator[grpc.Channel]:
    """A channel; errors of calls on it become CollectorUnavailable."""
    try:
        with grpc.insecure_channel(address, options=_OPTIONS) as channel:
            yield channel
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise NotACollector(f"what listens on {address} is no trace collector of planoctl's") from error
        raise CollectorUnavailable(f"no trace collector answers on {address}") from error
