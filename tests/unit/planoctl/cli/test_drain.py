import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from planoctl.cli import cli
from tests.integration.gateway import free_port


class Admin(ThreadingHTTPServer):
    """Envoy's admin interface with `open` requests; each look at them closes one. `asked` are the POSTs."""

    open = 0
    stays_open = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Admin

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        self._answer(b"OK")

    def do_GET(self) -> None:
        stats = [
            {"name": "http.llm.downstream_rq_active", "value": self.server.open},
            {"name": "http.admin.downstream_rq_active", "value": 1},
        ]
        if not self.server.stays_open:
            self.server.open = max(self.server.open - 1, 0)
        self._answer(json.dumps({"stats": stats}).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def admin() -> Iterator[Admin]:
    with Admin() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def drain(url: str, *options: str) -> Result:
    return CliRunner().invoke(cli, ["drain", "--admin", url, *options])


def test_clients_are_told_and_open_requests_waited_for(admin: Admin) -> None:
    admin.open = 2
    shown = drain(admin.url)
    assert shown.exit_code == 0, shown.output
    assert admin.asked[0] == "/drain_listeners?graceful&skip_exit"
    assert "waiting for 2 open requests" in shown.stdout
    assert "no request is open" in shown.stdout


def test_requests_that_stay_open_are_an_error_when_the_time_is_up(admin: Admin) -> None:
    admin.open, admin.stays_open = 3, True
    shown = drain(admin.url, "--seconds", "0.5")
    assert shown.exit_code == 1
    assert "3 requests were still open after 0.5 s" in shown.stderr


def test_a_quiet_gateway_still_waits_for_load_balancers(admin: Admin) -> None:
    began = time.monotonic()
    assert drain(admin.url, "--at-least", "0.7").exit_code == 0
    assert time.monotonic() - began >= 0.7


def test_an_envoy_that_is_gone_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    shown = drain(url)
    assert shown.exit_code == 1
    assert f"no Envoy answers at {url}" in shown.stderr
