"""One sidecar worker: Envoy's ext_proc streams in on a Unix socket, the stages' replies out, and its access log in."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Sequence
from pathlib import Path

from extproc.accounting.access_log import STREAM_ACCESS_LOGS, AccessLog
from extproc.accounting.observation import Subscriber
from extproc.health import Health
from extproc.http2 import GrpcConnection, Handler, Reply, Sink
from extproc.limits.limits import Limits
from extproc.listener_stage import ListenerStage
from extproc.metrics.report import Reporter
from extproc.metrics.requests import RequestMetrics
from extproc.routing import RoutingClient
from extproc.services import Services
from extproc.snapshot import Snapshot
from extproc.tracing import TracedRequests
from extproc.upstream_stage import UpstreamStage
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import METADATA_NAMESPACE
from planoctl.config.runtime import RuntimeConfig
from planoctl.config.watch import ConfigWatch

log = logging.getLogger(__name__)

_PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
_MESSAGE_OVERHEAD = 1024 * 1024  # headers and attributes beside a body
_DRAIN_SECONDS = 30.0


class Worker:
    """Opens a stage per stream. `snapshot` is replaced in one assignment when the configuration changes."""

    def __init__(self, config: RuntimeConfig, services: Services) -> None:
        self.snapshot = Snapshot.of(config)
        self._services = services
        self.access_log = AccessLog(services.subscribers)
        self._log = Sink(self.access_log.take)

    async def apply(self, config: RuntimeConfig) -> None:
        """Serve requests that begin from now on by `config`. Raises ValueError and OSError for stores that it names."""
        await asyncio.to_thread(self._services.limits.prepare, config)
        self._services.limits.configure(config)
        self.snapshot = Snapshot.of(config)
        self._services.health.configure(config.routing.failover)
        self._services.metrics.configure(config)

    @property
    def largest_message(self) -> int:
        """In bytes: a body that may be buffered, and what comes with it."""
        return self.snapshot.config.overrides.buffer_limit_bytes + _MESSAGE_OVERHEAD

    def open(self, path: str, block: bytes) -> Handler | Sink | None:
        """The handler of a gRPC call with the header block `block`, None for a method that is not served."""
        if path == _PROCESS:
            return _Stream(self.snapshot, self._services, block).handle
        if path == STREAM_ACCESS_LOGS:
            return self._log
        return _check if path == _HEALTH else None


class _Stream:
    """One ext_proc stream, of whichever stage: only inside a chain's cluster does Envoy send the chain's metadata."""

    def __init__(self, snapshot: Snapshot, services: Services, block: bytes) -> None:
        self._snapshot = snapshot
        self._services = services
        self._block = block
        self._stage: ListenerStage | UpstreamStage | None = None

    def handle(self, data: bytes) -> Reply | Awaitable[Reply]:
        message = pb.ProcessingRequest.FromString(data)
        if self._stage is None:
            chained = METADATA_NAMESPACE in message.metadata_context.filter_metadata
            self._stage = (
                UpstreamStage(self._snapshot) if chained else ListenerStage(self._snapshot, self._services, self._block)
            )
        return self._stage.handle(message)


def _check(_request: bytes) -> bytes:
    return _SERVING


async def serve(
    watch: ConfigWatch, socket: Path, brightstaff: str, limits: Limits, subscribers: Sequence[Subscriber] = ()
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the streams that are open, for up to 30 seconds.

    `brightstaff` is the address of the routing service, as gRPC writes them. `subscribers` are told of each request
    that is over.
    """
    metrics = RequestMetrics()
    metrics.configure(watch.config)
    services = Services(
        Health(watch.config.routing.failover),
        RoutingClient(brightstaff),
        subscribers=[limits.observe, metrics.observe, *subscribers],
        limits=limits,
        metrics=metrics,
    )
    traced = TracedRequests()
    services.subscribers.append(traced.observe)
    worker = Worker(watch.config, services)
    reporter = Reporter(
        socket.stem,
        metrics.tally,
        services.latencies,
        services.routing,
        faults=lambda: worker.access_log.faults,
        lost_spans=lambda: traced.lost,
    )
    background = (
        asyncio.create_task(reporter.run()),
        asyncio.create_task(traced.ship(services.routing)),
        asyncio.create_task(watch.run(worker.apply)),
    )
    connections: set[GrpcConnection] = set()
    loop = asyncio.get_running_loop()
    previous = os.umask(0o177)  # only the owner may connect
    try:
        server = await loop.create_unix_server(
            lambda: GrpcConnection(worker.open, lambda: worker.largest_message, connections), str(socket), backlog=1024
        )
    finally:
        os.umask(previous)
    log.info("serving on %s", socket)
    await _until_stopped(loop)
    log.info("draining")
    for task in background:
        task.cancel()
    server.close()
    for connection in list(connections):
        connection.drain()
    deadline = loop.time() + _DRAIN_SECONDS
    while connections and loop.time() < deadline:  # noqa: ASYNC110 — once per life; nothing else needs to know
        await asyncio.sleep(0.05)
    await traced.flush(services.routing)
    await reporter.report()
    await services.routing.close()
    await services.limits.close()


async def _until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
