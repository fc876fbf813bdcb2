"""One sidecar worker: Envoy's ext_proc streams in on a Unix socket, the stages' replies out."""

import asyncio
import logging
import os
import signal
from pathlib import Path

from extproc.http2 import GrpcConnection, Handler
from extproc.stage import ListenerStage, Snapshot

log = logging.getLogger(__name__)

_PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
_MESSAGE_OVERHEAD = 1024 * 1024  # headers and attributes beside a body
_DRAIN_SECONDS = 30.0


class Worker:
    """Opens a stage per stream. `snapshot` is replaced in one assignment when the configuration changes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def open(self, path: str) -> Handler | None:
        """The handler of a gRPC call, None for a method that is not served."""
        if path == _PROCESS:
            return ListenerStage(self.snapshot).handle
        return _check if path == _HEALTH else None


def _check(_request: bytes) -> bytes:
    return _SERVING


async def serve(snapshot: Snapshot, socket: Path) -> None:
    """Serve until SIGTERM or SIGINT, then finish the streams that are open, for up to 30 seconds."""
    worker = Worker(snapshot)
    largest = snapshot.config.overrides.buffer_limit_bytes + _MESSAGE_OVERHEAD
    connections: set[GrpcConnection] = set()
    loop = asyncio.get_running_loop()
    previous = os.umask(0o177)  # only the owner may connect
    try:
        server = await loop.create_unix_server(
            lambda: GrpcConnection(worker.open, largest, connections), str(socket), backlog=1024
        )
    finally:
        os.umask(previous)
    log.info("serving on %s", socket)
    await _until_stopped(loop)
    log.info("draining")
    server.close()
    for connection in list(connections):
        connection.drain()
    deadline = loop.time() + _DRAIN_SECONDS
    while connections and loop.time() < deadline:  # noqa: ASYNC110 — once per life; nothing else needs to know
        await asyncio.sleep(0.05)


async def _until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
