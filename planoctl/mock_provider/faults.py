"""Sends an answer the way a behaviour asks for: late, in odd pieces, broken, or not to the end."""

import asyncio
import enum
import gzip
import itertools
import re
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from planoctl.mock_provider.behaviour import Behaviour

_BROKEN_JSON = b'{"id": "mock", "choices": [{"message": '
_NO_HTTP = b"\x00\xff mock garbage, no status line\r\n\r\n"
_PROXY_HEADERS = {
    "server": "envoy",
    "via": "1.1 mock",
    "alt-svc": 'h3=":443"; ma=86400',
    "x-envoy-upstream-service-time": "7",
    "x-envoy-decorator-operation": "mock",
    "x-arch-llm-provider": "mock",
    "x-plano-model": "mock-proxy",
    "x-plano-provider": "mock-proxy",
    "x-plano-gateway-error": "mock",
}
_NO_LINGER = struct.pack("ii", 1, 0)
_LINE_END = re.compile(rb"\r?\n")


class Ending(enum.Enum):
    """What happens after the last byte."""

    FINISH = "finish"
    CUT = "cut"
    RESET = "reset"
    STALL = "stall"


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of a good stream, and what a bad one of its format has in it. Only `lines` can have comments."""

    events: Iterable[bytes]
    error_event: bytes
    garbage: bytes
    lines: bool = True


@dataclass(frozen=True, slots=True)
class Script:
    """The pieces of a body as they go on the wire, and how it ends. `length` is the announced content-length."""

    pieces: Iterable[bytes]
    ending: Ending
    length: int | None


class Delivery(Response):
    """An ASGI response that plays a script. Give it either one `body` or a `stream`."""

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        status: int = 200,
        headers: dict[str, str],
        body: bytes = b"",
        stream: Stream | None = None,
    ) -> None:
        if behaviour.gzip:
            headers = headers | {"content-encoding": "gzip"}
        if behaviour.proxied:
            headers = headers | _PROXY_HEADERS
        super().__init__(status_code=status, headers=headers)
        self._gap = behaviour.gap
        self._script = _body_script(body, behaviour) if stream is None else _stream_script(stream, behaviour)

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
        if script.ending is not Ending.STALL:
            await _leave(transport_of(scope), reset=script.ending is Ending.RESET)
        await client_gone(receive)


class NoAnswer(Response):
    """What comes instead of an answer: a TCP RST, an orderly close, bytes that are no HTTP, or nothing."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__()
        self._behaviour = behaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        if not self._behaviour.hang:
            transport = transport_of(scope)
            if self._behaviour.garbage:
                transport.write(_NO_HTTP)
            await _leave(transport, reset=self._behaviour.reset)
        await client_gone(receive)


def unanswered(behaviour: Behaviour) -> bool:
    """Whether a behaviour wants no HTTP answer at all."""
    return behaviour.reset or behaviour.close or behaviour.hang or behaviour.garbage


def transport_of(scope: Scope) -> asyncio.Transport:
    """The connection that a request came on; `server.TransportProtocol` puts it there."""
    transport = scope.get("state", {}).get("transport")
    if transport is None:
        raise RuntimeError("faults of the connection need the mock's own server: planoctl.mock_provider.server")
    return transport  # type: ignore[no-any-return]


async def client_gone(receive: Receive) -> None:
    """Waits until the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _leave(transport: asyncio.Transport, *, reset: bool) -> None:
    """Ends a connection once everything written has left: with a FIN, or with a RST."""
    if not reset:
        transport.close()
        return
    while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110 — transports tell nobody
        await asyncio.sleep(0.005)
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def _body_script(body: bytes, behaviour: Behaviour) -> Script:
    if behaviour.malformed:
        body = _BROKEN_JSON
    if behaviour.empty:
        body = b""
    if behaviour.gzip:
        body = gzip.compress(body, mtime=0)
    pieces: Iterable[bytes] = [body]
    length: int | None = len(body)
    count, ending = _end(behaviour)
    if count is not None:
        pieces = [body[: len(body) // 2]]
        length = len(body) // 2 if ending is Ending.FINISH else len(body)
    if behaviour.dribble or behaviour.chunk:
        pieces, length = _rechunked(pieces, behaviour), None
    return Script(pieces, ending, length)


def _stream_script(stream: Stream, behaviour: Behaviour) -> Script:
    events = stream.events
    if behaviour.empty:
        events = []
    elif behaviour.error_event is not None:
        events = [*itertools.islice(events, behaviour.error_event), stream.error_event]
    elif behaviour.malformed:
        events = _with_garbage(events, stream.garbage)
    count, ending = _end(behaviour)
    if count is not None:
        events = itertools.islice(events, count)
    if behaviour.comments and stream.lines:
        events = (b": mock comment\n\n" + event for event in events)
    if behaviour.crlf and stream.lines:
        events = (_LINE_END.sub(b"\r\n", event) for event in events)
    if behaviour.gzip:
        events = _gzipped(events)
    if behaviour.dribble or behaviour.chunk:
        events = _rechunked(events, behaviour)
    return Script(events, ending, None)


def _end(behaviour: Behaviour) -> tuple[int | None, Ending]:
    """How many events come before an early end (None: all of them), and how the answer ends."""
    for count, ending in (
        (behaviour.cutclean, Ending.FINISH),
        (behaviour.cut, Ending.CUT),
        (behaviour.reset_after, Ending.RESET),
        (behaviour.stall, Ending.STALL),
    ):
        if count is not None:
            return count, ending
    return None, Ending.FINISH


def _with_garbage(events: Iterable[bytes], garbage: bytes) -> Iterator[bytes]:
    for number, event in enumerate(events):
        yield event
        if number == 0:
            yield garbage


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
