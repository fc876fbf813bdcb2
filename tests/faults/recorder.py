"""A provider that reads HTTP/1.1 strictly and remembers each request, so that none can come in unseen."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import h11

_ANSWER = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    }
).encode()


@dataclass
class Recorder:
    """`requests`: target, headers and body of each; `malformed`: what could not be read as HTTP/1.1."""

    port: int = 0
    requests: list[tuple[bytes, dict[bytes, bytes], bytes]] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)

    def forget(self) -> None:
        self.requests.clear()
        self.malformed.clear()

    def assert_nothing_smuggled(self) -> None:
        """At most one request came, whole, and none that was hidden in another's body."""
        assert not self.malformed, self.malformed
        assert len(self.requests) <= 1, self.requests
        for target, headers, body in self.requests:
            assert b"smuggled" not in target + b"".join(headers)
            assert isinstance(json.loads(body), dict)


@contextlib.contextmanager
def recorder() -> Iterator[Recorder]:
    """Runs one while the block lasts."""
    found = Recorder()
    server = socket.create_server(("127.0.0.1", 0))
    found.port = server.getsockname()[1]

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=_serve, args=(connection, found), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _serve(connection: socket.socket, found: Recorder) -> None:
    parser = h11.Connection(h11.SERVER)
    request: h11.Request | None = None
    body = b""
    with connection, contextlib.suppress(OSError):
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as fault:
                found.malformed.append(str(fault))
                return
            if event is h11.NEED_DATA:
                parser.receive_data(connection.recv(65536))
            elif isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                found.requests.append((bytes(request.target), dict(request.headers), body))
                head = [("content-type", "application/json"), ("content-length", str(len(_ANSWER)))]
                connection.sendall(
                    (parser.send(h11.Response(status_code=200, headers=head)) or b"")
                    + (parser.send(h11.Data(data=_ANSWER)) or b"")
                    + (parser.send(h11.EndOfMessage()) or b"")
                )
                parser.start_next_cycle()
            else:
                return
