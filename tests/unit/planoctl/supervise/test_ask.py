import contextlib
import http.server
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from planoctl.supervise.ask import main


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ask-") as made:
        yield Path(made)


def listening(path: Path, greeting: bytes | None) -> socket.socket:
    """A server for one connection; None: it says nothing and keeps the connection, b"": it closes it."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            if greeting is None:
                connection.recv(1)
            else:
                connection.sendall(greeting)

    threading.Thread(target=serve, daemon=True).start()
    return server


def test_a_page_that_is_ok_succeeds_and_any_other_does_not(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["http", f"http://127.0.0.1:{port}/healthz"]) == 0
    assert main(["http", f"http://127.0.0.1:{port}/readyz"]) == 1
    assert "status 503" in capsys.readouterr().err


def test_a_port_is_asked_for_a_connection(port: int) -> None:
    assert main(["port", f"127.0.0.1:{port}"]) == 0
    with socket.create_server(("127.0.0.1", 0)) as bound:
        free = bound.getsockname()[1]
    assert main(["port", f"127.0.0.1:{free}"]) == 1


def test_a_file_is_there_or_not(folder: Path) -> None:
    (folder / "there").touch()
    assert main(["file", str(folder / "there")]) == 0
    assert main(["file", str(folder / "there"), "file", str(folder / "not there")]) == 1


def test_a_greeting_needs_a_first_byte(folder: Path) -> None:
    with listening(folder / "speaks", b"x"):
        assert main(["greeting", str(folder / "speaks")]) == 0
    with listening(folder / "closes", b""):
        assert main(["greeting", str(folder / "closes")]) == 1
    with listening(folder / "silent", None):
        assert main(["socket", str(folder / "silent")]) == 0
    assert main(["socket", str(folder / "nobody")]) == 1


@pytest.mark.parametrize("arguments", [[], ["file"], ["file", "a", "file"]])
def test_a_wrong_call_is_told_from_a_failure(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_an_unknown_kind_never_succeeds() -> None:
    assert main(["mood", "good"]) == 1


def test_the_program_imports_nothing_that_takes_time() -> None:
    command = "import sys, planoctl.supervise.ask; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "httpx", "msgspec", "click", "yaml"} & set(loaded)
