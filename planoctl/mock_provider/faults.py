"""Sends an answer the way a behaviour asks for: late, in odd pieces, broken, or not to the end."""

import asyncio
import enum
import gzip
import itertools
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from planoctl.mock_provider.behaviour import Behaviour

_GARBAGE = b'data: {"id": "mock", "choices": [{"delta"\n\n\xff\xfe no field here\n\n'
_BROKEN_JSON = b'{"id": "mock", "choices": [{"message": '
_NO_LINGER = struct.pack("ii", 1, 0)


class Ending(enum.Enum):
    """What happens after the last byte."""

    FINISH = "finish"
    CUT = "cut"
    STALL = "stall"


@dataclass(frozen=True, slots=True)
class Script:
    """The pieces of a body as they go on the wire, and how it ends. `length` is the announced content-length."""

    pieces: Iterable[bytes]
    ending: Ending
    length: int | None


class Delivery(Response):
    """An ASGI response that plays a script. Give it either one `body` or the `events` of a stream."""

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        status: int = 200,
        headers: dict[str, str],
        body: bytes = b"",
        events: Iterable[bytes] | None = None,
        error_event: bytes = b"",
    ) -> None:
        if behaviour.gzip:
            headers = headers | {"content-encoding": "gzip"}
        super().__init__(status_code=status, headers=headers)
        self._gap = behaviour.gap
        if events is None:
            self._script = _body_script(body, behaviour)
        else:
            self._script = _stream_script(events, behaviour, error_event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        script = self._script
        headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        if script.length is not None:
            headers.append((b"content-length", str(script.length).encode()))
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        for number, piece in enumerate(script.pieces):
            if number:
                await asyncio.sleep(self._gap)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if script.ending is Ending.FINISH:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        if script.ending is Ending.CUT:
            transport_of(scope).close()
        await client_gone(receive)


class Reset(Response):
    """No answer: the connection is reset, with a TCP RST."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        transport = transport_of(scope)
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
        await client_gone(receive)


def transport_of(scope: Scope) -> asyncio.Transport:
    """The connection that a request came on; `server.TransportProtocol` puts it there."""
    transport = scope.get("state", {}).get("transport")
    if transport is None:
        raise RuntimeError("cut and reset need the mock's own server: planoctl.mock_provider.server")
    return transport  # type: ignore[no-any-return]


async def client_gone(receive: Receive) -> None:
    """Waits until the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _body_script(body: bytes, behaviour: Behaviour) -> Script:
    if behaviour.malformed:
        body = _BROKEN_JSON
    if behaviour.empty:
        body = b""
    if behaviour.gzip:
        body = gzip.compress(body, mtime=0)
    half = body[: len(body) // 2]
    pieces: Iterable[bytes] = [body]
    length: int | None = len(body)
    ending = Ending.FINISH
    if behaviour.cutclean is not None:
        pieces, length = [half], len(half)
    elif behaviour.cut is not None:
        pieces, ending = [half], Ending.CUT
    elif behaviour.stall is not None:
        pieces, ending = [half], Ending.STALL
    if behaviour.dribble or behaviour.chunk:
        pieces, length = _rechunked(pieces, behaviour), None
    return Script(pieces, ending, length)


def _stream_script(events: Iterable[bytes], behaviour: Behaviour, error_event: bytes) -> Script:
    ending = Ending.FINISH
    if behaviour.empty:
        events = []
    elif behaviour.error_event is not None:
        events = [*itertools.islice(events, behaviour.error_event), error_event]
    elif behaviour.malformed:
        events = _with_garbage(events)
    for count, ending_then in (
        (behaviour.cutclean, Ending.FINISH),
        (behaviour.cut, Ending.CUT),
        (behaviour.stall, Ending.STALL),
    ):
        if count is not None:
            events, ending = itertools.islice(events, count), ending_then
            break
    if behaviour.comments:
        events = (b": mock comment\n\n" + event for event in events)
    if behaviour.crlf:
        events = (event.replace(b"\n", b"\r\n") for event in events)
    if behaviour.gzip:
        events = _gzipped(events)
    if behaviour.dribble or behaviour.chunk:
        events = _rechunked(events, behaviour)
    return Script(events, ending, None)


def _with_garbage(events: Iterable[bytes]) -> Iterator[bytes]:
    for number, event in enumerate(events):
        yield event
        if number == 0:
            yield _GARBAGE


def _gzipped(events: Iterable[bytes]) -> Iterator[bytes]:
    """Each event is flushed, so that a client can read it at once."""
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    for event in events:
        yield compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()


def _rechunked(pieces: Iterable[bytes], behaviour: Behaviour) -> Iterator[bytes]:
    size = 1 if behaviour.dribble else behaviour.chunk or 1
    data = b"".join(pieces)
    yield from (data[start : start + size] for start in range(0, len(data), size))
