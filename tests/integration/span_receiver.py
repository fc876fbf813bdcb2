"""An OTLP collector of a test, over gRPC or HTTP: every span that arrives, and traces put together from them."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_ENVOYS_OWN = "async envoy.service."  # its calls to the sidecar


@dataclass(frozen=True)
class Received:
    """A span with its attributes as Python values."""

    service: str
    span: Span
    attributes: dict[str, Any]

    @property
    def id(self) -> str:
        return self.span.span_id.hex()

    @property
    def parent(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def title(self) -> str:
        """Service and name, without the cluster of an attempt."""
        name = re.sub(r"^(attempt [0-9]+) .*", r"\1", self.span.name)
        return f"{self.service} {name}"


Tree = tuple[str, list["Tree"]]


class Trace(list[Received]):
    """The spans of one trace."""

    def of(self, service: str, name: str = "") -> Received:
        """The only span of a service whose name begins so."""
        (found,) = [each for each in self if each.service == service and each.span.name.startswith(name)]
        return found

    @property
    def tree(self) -> list[Tree]:
        """Titles below titles, in order of title; Envoy's calls to the sidecar are left out."""
        known = {each.id for each in self}
        return [self._branch(each) for each in sorted(self._shown(), key=_title) if each.parent not in known]

    def _branch(self, top: Received) -> Tree:
        below = sorted((each for each in self._shown() if each.parent == top.id), key=_title)
        return top.title, [self._branch(each) for each in below]

    def _shown(self) -> list[Received]:
        return [each for each in self if not each.span.name.startswith(_ENVOYS_OWN)]


@dataclass
class SpanReceiver(services.TraceServiceServicer):
    """`delay`: seconds that it takes to answer."""

    url: str = ""
    delay: float = 0.0
    spans: list[Received] = field(default_factory=list)

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 — the servicer's signature
        self.take(request)
        return messages.ExportTraceServiceResponse()

    def take(self, request: Any) -> None:
        time.sleep(self.delay)
        for group in request.resource_spans:
            (service,) = [each.value.string_value for each in group.resource.attributes if each.key == "service.name"]
            for scope in group.scope_spans:
                for span in scope.spans:
                    attributes = {each.key: value_of(each.value) for each in span.attributes}
                    self.spans.append(Received(service, span, attributes))

    def trace(self, trace_id: str) -> Trace:
        return Trace(each for each in list(self.spans) if each.span.trace_id.hex() == trace_id)

    def of_request(self, request_id: str) -> Trace:
        """What has arrived of the trace of a request so far."""
        ids = {
            each.span.trace_id.hex()
            for each in list(self.spans)
            if request_id in (each.attributes.get("request_id"), each.attributes.get("guid:x-request-id"))
        }
        return Trace() if not ids else self.trace(ids.pop())

    def awaited(
        self, request_id: str, complete: Callable[[Trace], bool], nudge: Callable[[], object], *, seconds: float = 20
    ) -> Trace:
        """The trace of a request once it is complete. `nudge` causes other spans: Envoy sends them by the handful."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.of_request(request_id)
            if complete(found):
                return found
            nudge()
            time.sleep(0.1)
        raise AssertionError(f"no whole trace of {request_id}: {self.of_request(request_id).tree}")


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    return getattr(value, str(kind))


@contextlib.contextmanager
def span_receiver() -> Iterator[SpanReceiver]:
    """Receives while the block lasts."""
    receiver = SpanReceiver()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    services.add_TraceServiceServicer_to_server(receiver, server)
    receiver.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield receiver
    server.stop(None)


@contextlib.contextmanager
def http_span_receiver(header: str, key: str) -> Iterator[SpanReceiver]:
    """Receives at `url` while the block lasts what comes with `header: key`."""
    receiver = SpanReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            welcome = self.headers.get(header) == key and self.path == "/v1/traces"
            if welcome:
                receiver.take(messages.ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if welcome else 401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


def _title(span: Received) -> str:
    return span.title
