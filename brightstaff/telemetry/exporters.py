"""Where spans go: OTLP over gRPC or HTTP, PostHog, or this process's output. An exporter raises when it fails."""

import json
import sys
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import httpx

from brightstaff.telemetry.otlp import export_request
from brightstaff.telemetry.posthog import posthog_batch
from brightstaff.telemetry.span import Relayed, Span
from planoctl.config.addresses import parse_collector_url
from planoctl.config.runtime import Tracing

_EXPORT_SECONDS = 10.0
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


Item_contra = TypeVar("Item_contra", contravariant=True)


class Exporter(Protocol[Item_contra]):
    """Of `Span` or `Relayed`. `target` names it in messages."""

    target: str

    async def export(self, spans: Sequence[Item_contra]) -> None: ...

    async def close(self) -> None: ...


class OtlpGrpc:
    """A collector over gRPC, connected with the first export."""

    def __init__(self, url: str) -> None:
        self.target = url
        self._address = parse_collector_url(url)
        self._channel: Any = None

    async def export(self, spans: Sequence[Span]) -> None:
        await self._connected().unary_unary(_EXPORT)(export_request(spans), timeout=_EXPORT_SECONDS)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    def _connected(self) -> Any:
        if self._channel is None:
            import grpc
            import grpc.aio

            host, port = self._address.host, self._address.port
            target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            options = (("grpc.enable_http_proxy", 0),)
            self._channel = (
                grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
                if self._address.scheme == "https"
                else grpc.aio.insecure_channel(target, options=options)
            )
        return self._channel


class _HttpCollector:
    """A collector over HTTP, with protobuf."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.target = url
        own = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        fixed = {b"content-type": b"application/x-protobuf"}
        self._client = httpx.AsyncClient(timeout=_EXPORT_SECONDS, headers={**fixed, **own})

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, request: bytes) -> None:
        reply = await self._client.post(self.target, content=request)
        reply.raise_for_status()


class OtlpHttp(_HttpCollector):
    """Takes the spans of this process."""

    async def export(self, spans: Sequence[Span]) -> None:
        await self._post(export_request(spans))


class RelayHttp(_HttpCollector):
    """Takes Envoy's spans."""

    async def export(self, spans: Sequence[Relayed]) -> None:
        await self._post(b"".join(each.body for each in spans))  # joined, messages of protobuf are one


class PostHog:
    """PostHog's LLM analytics: one event for each LLM call."""

    def __init__(self, url: str, key: str, *, capture_messages: bool = False) -> None:
        self.target = f"{url.rstrip('/')}/batch/"
        self._key = key
        self._capture = capture_messages
        self._client = httpx.AsyncClient(timeout=_EXPORT_SECONDS)

    async def export(self, spans: Sequence[Span]) -> None:
        batch = posthog_batch(spans, capture_messages=self._capture)
        if batch:
            reply = await self._client.post(self.target, json={"api_key": self._key, "batch": batch})
            reply.raise_for_status()

    async def close(self) -> None:
        await self._client.aclose()


class Console:
    """A line of JSON for each span."""

    target = "the console"

    async def export(self, spans: Sequence[Span]) -> None:
        for span in spans:
            line = {
                "service": span.service,
                "name": span.name,
                "trace_id": span.context.trace_id,
                "span_id": span.span_id,
                "parent_id": span.context.parent_id,
                "started": span.started,
                "ended": span.ended,
                "error": span.error,
                "attributes": span.attributes,
            }
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    async def close(self) -> None:
        return


def relays(tracing: Tracing | None) -> list[Exporter[Relayed]]:
    """Where Envoy's spans go that it does not send to a collector itself."""
    if tracing is None or not tracing.active or tracing.opentracing_grpc_endpoint:
        return []
    return [
        RelayHttp(entry["url"], entry.get("headers")) for entry in tracing.exporters if entry["type"] == "otlp_http"
    ]


def exporters(tracing: Tracing | None) -> list[Exporter[Span]]:
    """Those of a configuration, for the spans of this process."""
    if tracing is None or not tracing.active:
        return []
    found: list[Exporter[Span]] = []
    if tracing.opentracing_grpc_endpoint:
        found.append(OtlpGrpc(tracing.opentracing_grpc_endpoint))
    for entry in tracing.exporters:
        match entry["type"]:
            case "otlp_http":
                found.append(OtlpHttp(entry["url"], entry.get("headers")))
            case "posthog":
                capture = bool(entry.get("capture_messages"))
                found.append(PostHog(entry["url"], entry["api_key"], capture_messages=capture))
            case "console":
                found.append(Console())
    return found
