"""The collector: one process that receives spans over OTLP, keeps the latest and hands them out."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from plano_pb import trace_query_pb2 as pb
from planoctl.traces import DEFAULT_PORT
from planoctl.traces.feed import Feed
from planoctl.traces.grpc_services import GrpcServices
from planoctl.traces.http_receiver import receiver
from planoctl.traces.kept import load, save
from planoctl.traces.otlp import received
from planoctl.traces.store import Limits, TraceStore

_LARGEST_REQUEST = 16 * 1024 * 1024
_GRACE_SECONDS = 2.0


class ListenError(Exception):
    """An address that cannot be listened on."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"Failed to start OTLP listener on {address}: {reason}. Stop what listens there, or choose other ports: "
            f"`planoctl trace listen --port PORT --http-port PORT`."
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the collector listens, and what it keeps. `http_port` None: no OTLP over HTTP; port 0: any free one.

    `keep` is a file that holds the traces between its end and the next start.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    http_port: int | None = DEFAULT_PORT + 1
    limits: Limits | None = None
    keep: Path | None = None


class Collector:
    """`await start()`, then it serves until `await stop()`. `port` and `http_port` are those in use then."""

    def __init__(self, settings: Settings) -> None:
        self.port = settings.port
        self.http_port = settings.http_port
        self._settings = settings
        self._store = TraceStore(settings.limits)
        self._feed = Feed()
        self._server: grpc.aio.Server | None = None
        self._web: uvicorn.Server | None = None
        self._web_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises ListenError, with nothing left open."""
        if self._settings.keep is not None:
            load(self._settings.keep, self._store)
        host = self._settings.host
        web_socket = None if self._settings.http_port is None else _bound(host, self._settings.http_port)
        try:
            await self._start_grpc(host)
        except BaseException:
            if web_socket is not None:
                web_socket.close()
            raise
        if web_socket is not None:
            self.http_port = web_socket.getsockname()[1]
            self._start_web(web_socket)

    async def stop(self) -> None:
        """Refuse new requests at once; open ones get two seconds."""
        if self._web is not None and self._web_task is not None:
            self._web.should_exit = True
            await self._web_task
        if self._server is not None:
            await self._server.stop(_GRACE_SECONDS)
        if self._settings.keep is not None:
            save(self._store, self._settings.keep)

    def record(self, request: ExportTraceServiceRequest) -> int:
        """Store the spans of a request and pass them on; returns how many of them were rejected."""
        spans, rejected = received(request)
        for span in spans:
            encoded = self._store.add(span)
            if encoded is not None:
                self._feed.put(encoded)
        return rejected

    async def _start_grpc(self, host: str) -> None:
        server = grpc.aio.server(
            options=(("grpc.max_receive_message_length", _LARGEST_REQUEST), ("grpc.so_reuseport", 0))
        )
        GrpcServices(self.record, self._store, self._feed, self._status).register(server)
        address = written(host, self._settings.port)
        _bound(host, self._settings.port).close()
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise ListenError(address, "address is already in use") from error
        if port == 0:
            raise ListenError(address, "address is already in use")
        await server.start()
        self._server, self.port = server, port

    def _start_web(self, bound: socket.socket) -> None:
        config = uvicorn.Config(
            receiver(self.record, _LARGEST_REQUEST),
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(_GRACE_SECONDS),
        )
        self._web = _Web(config)
        self._web_task = asyncio.create_task(self._web.serve(sockets=[bound]))

    def _status(self) -> pb.CollectorStatus:
        return pb.CollectorStatus(
            pid=os.getpid(),
            http_port=self.http_port or 0,
            traces=self._store.trace_count,
            spans=self._store.span_count,
        )


def run_collector(settings: Settings, ready: Callable[[Collector], None]) -> None:
    """Run a collector until SIGTERM or SIGINT; `ready` is called once it listens. Raises ListenError."""
    asyncio.run(_run(settings, ready))


async def _run(settings: Settings, ready: Callable[[Collector], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    collector = Collector(settings)
    await collector.start()
    try:
        ready(collector)
        await stop.wait()
    finally:
        await collector.stop()


def written(host: str, port: int) -> str:
    """`host:port`, with brackets where IPv6 needs them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Web(uvicorn.Server):
    """Leaves the signals to the collector."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ListenError(
            written(host, port), reason if "in use" not in reason else "address is already in use"
        ) from error
