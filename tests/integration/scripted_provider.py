"""A provider whose answer is bytes that a test made, good or bad, and that counts how many of them it got rid of."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hermesllm.formats import STREAM_CONTENT_TYPES, Format

Pieces = Callable[[], Iterable[bytes]]


@dataclass
class ScriptedProvider:
    """`pieces` makes the next answers' bodies. `sent` counts their bytes, `bodies` keeps the requests.

    `status` and `pause`, the seconds before its head, are those of all answers.
    """

    url: str = ""
    pieces: Pieces = tuple
    content_type: str = "application/json"
    status: int = 200
    pause: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    bodies: list[bytes] = field(default_factory=list)

    def answer(self, body: bytes) -> None:
        """Answers with one JSON body."""
        self.pieces, self.content_type, self.sent = lambda: (body,), "application/json", 0

    def stream(self, spoken: Format, pieces: Pieces) -> None:
        """Answers with a stream in the content type of a format."""
        self.pieces, self.content_type, self.sent = pieces, STREAM_CONTENT_TYPES[spoken][0], 0


@contextlib.contextmanager
def scripted_provider() -> Iterator[ScriptedProvider]:
    """Runs a provider while the block lasts; set its answer before each request."""
    provider = ScriptedProvider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            provider.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            time.sleep(provider.pause)
            self.send_response(provider.status)
            self.send_header("content-type", provider.content_type)
            self.send_header("transfer-encoding", "chunked")
            for name, value in provider.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in provider.pieces():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    provider.sent += len(piece)
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # the gateway has had enough
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
