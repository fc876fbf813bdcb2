"""Runs the mock: in the foreground for the command, or in a thread for a test.

with run_in_thread(key="secret") as mock:
    OpenAI(base_url=f"{mock.url}/v1", api_key="secret")
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from planoctl.mock_provider.app import create_app
from planoctl.mock_provider.validation import Json

_START_SECONDS = 10.0


class TransportProtocol(H11Protocol):
    """Shows an application the connection of its request, as `request.state.transport`: faults close it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


@dataclass(frozen=True, slots=True)
class RunningMock:
    """A mock in a thread. `requests` are the records of what it received, oldest first, last 1,000."""

    url: str
    port: int
    requests: Sequence[Json]


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def url_of(bound: socket.socket, *, tls: bool) -> str:
    """The address that clients use."""
    host, port = bound.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{host}:{port}"


def build(app: Starlette, *, tls_cert: Path | None = None, tls_key: Path | None = None) -> uvicorn.Server:
    """A server for the application; TLS when a certificate (PEM) is given."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=TransportProtocol,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=300,
            timeout_graceful_shutdown=1,
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
        )
    )


@contextlib.contextmanager
def run_in_thread(
    *,
    key: str | None = None,
    record: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> Iterator[RunningMock]:
    """Runs a mock while the block lasts; raises `RuntimeError` when it does not start."""
    app = create_app(key=key, record=record)
    server = build(app, tls_cert=tls_cert, tls_key=tls_key)
    with listen(host, port) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="mock-provider", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            url = url_of(bound, tls=tls_cert is not None)
            yield RunningMock(url=url, port=bound.getsockname()[1], requests=app.state.requests)
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    tick = threading.Event()
    for _ in range(int(_START_SECONDS / 0.01)):
        if server.started:
            return
        if not thread.is_alive():
            break
        tick.wait(0.01)
    raise RuntimeError("the mock provider did not start")
