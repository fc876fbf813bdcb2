"""gRPC over HTTP/2 for one trusted peer: Envoy, on a Unix socket.

grpc.aio hands every message from its own thread to the event loop and back, which costs three times what the sidecar
itself does for a request (docs/performance.md has the figures). This is the part of RFC 9113 and of the gRPC wire
protocol that Envoy's ext_proc client uses, on the event loop alone. Performance-sensitive: `make bench`.
"""

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from extproc.hpack_path import MalformedBlock, find_path

log = logging.getLogger(__name__)

Reply = bytes | tuple[bytes, ...]
"""What a message is answered with: one message, or none, or several of which the first were owed."""
Handler = Callable[[bytes], Reply | Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Sink:
    """A call whose messages are not answered. It has no end of its own, so draining ends it."""

    take: Callable[[bytes], None]


Opener = Callable[[str, bytes], Handler | Sink | None]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEAD = struct.Struct(">HBBBL")
_MESSAGE_HEAD = struct.Struct(">BL")
_SETTING = struct.Struct(">HL")
_UINT32 = struct.Struct(">L")
_LARGEST_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65535
_RENEW_WINDOW_AT = 2**29
# What Envoy may send on a stream before it has to wait for us: it holds the provider back then.
_STREAM_WINDOW = 2**20
_RENEW_STREAM_AT = _STREAM_WINDOW // 2
_MAX_FRAME = 2**20
_HEADER_BLOCK_LIMIT = 64 * 1024


class Frame:
    """Frame types; plain integers, because enum arithmetic costs more than all the rest of a frame."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag:
    NONE = 0
    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4
    PADDED = 8
    PRIORITY = 32


class Setting:
    HEADER_TABLE_SIZE = 1
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5


class Fault:
    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FRAME_SIZE_ERROR = 6
    CANCEL = 8
    COMPRESSION_ERROR = 9


class ProtocolError(Exception):
    """The peer broke the protocol; the connection ends with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame on the wire."""
    length = len(payload)
    return _FRAME_HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header field as literal without indexing, not Huffman-coded (RFC 7541, 6.2.2); both under 127 bytes."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


_STATUS_200 = b"\x88"
_HEADERS = _STATUS_200 + _literal(b"content-type", b"application/grpc")
_TRAILERS = _literal(b"grpc-status", b"0")
_UNIMPLEMENTED = _HEADERS + _literal(b"grpc-status", b"12") + _literal(b"grpc-message", b"unknown method")
_OWN_SETTINGS = frame(
    Frame.SETTINGS,
    Flag.NONE,
    0,
    b"".join(
        _SETTING.pack(name, value)
        for name, value in (
            (Setting.HEADER_TABLE_SIZE, 0),
            (Setting.MAX_CONCURRENT_STREAMS, 2**31 - 1),
            (Setting.INITIAL_WINDOW_SIZE, _STREAM_WINDOW),
            (Setting.MAX_FRAME_SIZE, _MAX_FRAME),
        )
    ),
) + frame(Frame.WINDOW_UPDATE, Flag.NONE, 0, _UINT32.pack(_LARGEST_WINDOW - _DEFAULT_WINDOW))


class _Stream:
    """One call. `pending` is what the peer's flow-control window has not let out yet, `received` how many bytes of
    ours it has used since the last renewal.
    """

    __slots__ = (
        "buffer", "endless", "finished", "handle", "pending", "received", "started", "task", "waiting", "window",
    )  # fmt: skip

    def __init__(self, handle: Handler | Sink, window: int) -> None:
        self.endless = isinstance(handle, Sink)
        self.handle = partial(_swallow, handle.take) if isinstance(handle, Sink) else handle
        self.window = window
        self.buffer = bytearray()
        self.pending: deque[memoryview] = deque()
        self.received = 0
        self.started = False
        self.finished = False
        self.task: asyncio.Future[Reply] | None = None
        self.waiting: deque[bytes] = deque()

    @property
    def busy(self) -> bool:
        """Whether there are replies to come."""
        return self.task is not None or bool(self.waiting)

    def cancel(self) -> None:
        """The peer wants no reply any more."""
        if self.task is not None:
            self.task.cancel()


def _swallow(take: Callable[[bytes], None], message: bytes) -> Reply:
    take(message)
    return ()


class GrpcConnection(asyncio.Protocol):
    """One connection. `opener` gives the handler of a call by its path; `largest` bounds a message in bytes: it may
    change while the connection lives.
    """

    def __init__(self, opener: Opener, largest: Callable[[], int], connections: "set[GrpcConnection]") -> None:
        self._opener = opener
        self._largest = largest
        self._connections = connections
        self._streams: dict[int, _Stream] = {}
        self._rest = b""
        self._greeted = False
        self._out: list[bytes] = []
        self._window = _DEFAULT_WINDOW
        self._stream_window = _DEFAULT_WINDOW
        self._max_frame = 16384
        self._received = 0
        self._last_stream = 0
        self._block: tuple[int, int, bytearray] | None = None
        self._draining = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # asyncio's promise for stream servers
        self._connections.add(self)
        self._transport.write(_OWN_SETTINGS)

    def connection_lost(self, _fault: Exception | None) -> None:
        self._connections.discard(self)
        for call in self._streams.values():
            call.cancel()
        self._streams.clear()

    def drain(self) -> None:
        """Take no more calls; the connection ends with its last one."""
        self._draining = True
        self._send(Frame.GOAWAY, Flag.NONE, 0, struct.pack(">LL", self._last_stream, Fault.NO_ERROR))
        for stream, call in list(self._streams.items()):
            if call.endless:
                self._end(stream, call)
        self._flush()
        self._close_when_idle()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        try:
            used = self._read_frames(data)
        except ProtocolError as fault:
            self._fail(fault)
            return
        self._rest = data[used:]
        self._flush()
        if self._draining:
            self._close_when_idle()

    def _read_frames(self, data: bytes) -> int:
        """Handles all complete frames; returns how many bytes they were."""
        position = 0
        if not self._greeted:
            if len(data) < len(PREFACE):
                return 0
            if not data.startswith(PREFACE):
                raise ProtocolError(Fault.PROTOCOL_ERROR, "not an HTTP/2 client")
            self._greeted = True
            position = len(PREFACE)
        available = len(data)
        while available - position >= 9:
            high, low, kind, flags, stream = _FRAME_HEAD.unpack_from(data, position)
            length = high << 8 | low
            if length > _MAX_FRAME:
                raise ProtocolError(Fault.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            end = position + 9 + length
            if end > available:
                break
            if self._block is not None and kind != Frame.CONTINUATION:
                raise ProtocolError(Fault.PROTOCOL_ERROR, "a header block was interrupted")
            self._on_frame(kind, flags, stream & _LARGEST_WINDOW, data[position + 9 : end])
            position = end
        return position

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        match kind:
            case Frame.DATA:
                self._on_data(flags, stream, payload)
            case Frame.HEADERS:
                self._on_headers(flags, stream, payload)
            case Frame.CONTINUATION:
                self._on_continuation(flags, stream, payload)
            case Frame.WINDOW_UPDATE:
                self._on_window_update(stream, payload)
            case Frame.RST_STREAM:
                self._on_reset(stream)
            case Frame.SETTINGS:
                self._on_settings(flags, payload)
            case Frame.PING if not flags & Flag.ACK:
                self._send(Frame.PING, Flag.ACK, 0, payload)
            case Frame.GOAWAY:
                self._draining = True
            case _:
                pass  # PRIORITY, acknowledged PINGs and unknown frames mean nothing here (RFC 9113, 5.5)

    def _on_reset(self, stream: int) -> None:
        call = self._streams.pop(stream, None)
        if call is not None:
            call.cancel()

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        payload = _unpadded(flags, payload)
        if flags & Flag.PRIORITY:
            payload = payload[5:]
        if flags & Flag.END_HEADERS:
            self._open(stream, flags, payload)
        else:
            self._block = (stream, flags, bytearray(payload))

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise ProtocolError(Fault.PROTOCOL_ERROR, "a continuation of nothing")
        _, first_flags, block = self._block
        block += payload
        if len(block) > _HEADER_BLOCK_LIMIT:
            raise ProtocolError(Fault.PROTOCOL_ERROR, "a header block is too large")
        if flags & Flag.END_HEADERS:
            self._block = None
            self._open(stream, first_flags, bytes(block))

    def _open(self, stream: int, flags: int, block: bytes) -> None:
        if stream in self._streams:  # the peer's trailers
            if flags & Flag.END_STREAM:
                self._half_closed(stream)
            return
        if stream % 2 == 0 or stream <= self._last_stream:
            raise ProtocolError(Fault.PROTOCOL_ERROR, f"stream {stream} cannot be opened")
        if self._draining:  # not promised by GOAWAY: Envoy sends it elsewhere
            return
        self._last_stream = stream
        try:
            handle = self._opener(find_path(block) or "", block)
        except MalformedBlock as fault:
            raise ProtocolError(Fault.COMPRESSION_ERROR, str(fault)) from None
        if handle is None:
            self._send(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, _UNIMPLEMENTED)
            return
        self._streams[stream] = _Stream(handle, self._stream_window)
        if flags & Flag.END_STREAM:
            self._half_closed(stream)

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received >= _RENEW_WINDOW_AT:
            self._send(Frame.WINDOW_UPDATE, Flag.NONE, 0, _UINT32.pack(self._received))
            self._received = 0
        call = self._streams.get(stream)
        if call is None:  # reset or refused before; its bytes count for the connection only
            return
        call.received += len(payload)
        if flags & Flag.PADDED:
            payload = _unpadded(flags, payload)
        self._on_message_bytes(stream, call, payload)
        if stream not in self._streams:  # its handler failed
            return
        if flags & Flag.END_STREAM:
            self._half_closed(stream)
        elif call.received >= _RENEW_STREAM_AT:
            self._renew(stream, call)

    def _renew(self, stream: int, call: _Stream) -> None:
        """Gives the peer its window back, unless it leaves our replies lying: then it may send no more to answer."""
        if not call.pending:
            self._send(Frame.WINDOW_UPDATE, Flag.NONE, stream, _UINT32.pack(call.received))
            call.received = 0

    def _on_message_bytes(self, stream: int, call: _Stream, data: bytes) -> None:
        buffer = call.buffer
        if not buffer and len(data) >= 5:  # the common case: one frame holds one whole message
            compressed, length = _MESSAGE_HEAD.unpack_from(data)
            if length == len(data) - 5 and not compressed:
                self._handle(stream, call, data[5:])
                return
        buffer += data
        while len(buffer) >= 5:
            compressed, length = _MESSAGE_HEAD.unpack_from(buffer)
            if compressed or length > self._largest():
                raise ProtocolError(Fault.PROTOCOL_ERROR, f"a gRPC message of {length} bytes, compressed={compressed}")
            if len(buffer) < 5 + length:
                return
            message = bytes(memoryview(buffer)[5 : 5 + length])
            del buffer[: 5 + length]
            self._handle(stream, call, message)

    def _handle(self, stream: int, call: _Stream, message: bytes) -> None:
        """Replies in the order of the messages: while one is being awaited, later ones wait too."""
        if call.task is not None:
            call.waiting.append(message)
            return
        try:
            reply = call.handle(message)
        except Exception as fault:  # noqa: BLE001 — one call's fault must not end the calls beside it
            self._failed(stream, call, fault)
            return
        if isinstance(reply, bytes):
            self._reply(stream, call, reply)
            return
        if isinstance(reply, tuple):
            self._reply_all(stream, call, reply)
            return
        call.task = asyncio.ensure_future(reply)
        call.task.add_done_callback(partial(self._answered, stream, call))

    def _answered(self, stream: int, call: _Stream, task: "asyncio.Future[Reply]") -> None:
        call.task = None
        if self._streams.get(stream) is not call:
            return
        fault = None if task.cancelled() else task.exception()
        if task.cancelled() or fault is not None:
            self._failed(stream, call, fault)
        else:
            reply = task.result()
            self._reply_all(stream, call, (reply,) if isinstance(reply, bytes) else reply)
            while call.waiting and call.task is None:
                self._handle(stream, call, call.waiting.popleft())
            if call.finished and not call.busy and not call.pending and stream in self._streams:
                self._end(stream, call)
        self._flush()
        if self._draining:
            self._close_when_idle()

    def _failed(self, stream: int, call: _Stream, fault: BaseException | None) -> None:
        log.error("a handler failed", exc_info=fault)
        del self._streams[stream]
        call.waiting.clear()
        call.buffer.clear()
        self._send(Frame.RST_STREAM, Flag.NONE, stream, _UINT32.pack(Fault.INTERNAL_ERROR))

    def _reply_all(self, stream: int, call: _Stream, messages: tuple[bytes, ...]) -> None:
        for message in messages:
            self._reply(stream, call, message)

    def _reply(self, stream: int, call: _Stream, message: bytes) -> None:
        if not call.started:
            call.started = True
            self._send(Frame.HEADERS, Flag.END_HEADERS, stream, _HEADERS)
        data = _MESSAGE_HEAD.pack(0, len(message)) + message
        size = len(data)
        if not call.pending and size <= call.window and size <= self._window and size <= self._max_frame:
            call.window -= size
            self._window -= size
            self._send(Frame.DATA, Flag.NONE, stream, data)
            return
        call.pending.append(memoryview(data))
        self._send_pending(stream, call)

    def _send_pending(self, stream: int, call: _Stream) -> None:
        while call.pending:
            data = call.pending[0]
            size = min(len(data), call.window, self._window, self._max_frame)
            if size <= 0:
                return
            call.window -= size
            self._window -= size
            self._send(Frame.DATA, Flag.NONE, stream, bytes(data[:size]))
            if size == len(data):
                call.pending.popleft()
            else:
                call.pending[0] = data[size:]
        if call.finished and not call.busy:
            self._end(stream, call)
        elif call.received >= _RENEW_STREAM_AT:
            self._renew(stream, call)

    def _half_closed(self, stream: int) -> None:
        call = self._streams[stream]
        call.finished = True
        if not call.pending and not call.busy:
            self._end(stream, call)

    def _end(self, stream: int, call: _Stream) -> None:
        block = _TRAILERS if call.started else _HEADERS + _TRAILERS
        self._send(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, block)
        del self._streams[stream]

    def _on_window_update(self, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ProtocolError(Fault.FRAME_SIZE_ERROR, "a window update of the wrong size")
        increment = _UINT32.unpack(payload)[0] & _LARGEST_WINDOW
        if stream:
            call = self._streams.get(stream)
            if call is not None:
                call.window += increment
                self._send_pending(stream, call)
            return
        self._window += increment
        self._send_all_pending()

    def _send_all_pending(self) -> None:
        for stream, call in list(self._streams.items()):
            if call.pending:
                self._send_pending(stream, call)

    def _on_settings(self, flags: int, payload: bytes) -> None:
        if flags & Flag.ACK:
            return
        if len(payload) % 6:
            raise ProtocolError(Fault.FRAME_SIZE_ERROR, "settings of the wrong size")
        for name, value in _SETTING.iter_unpack(payload):
            if name == Setting.INITIAL_WINDOW_SIZE:
                for call in self._streams.values():
                    call.window += value - self._stream_window
                self._stream_window = value
            elif name == Setting.MAX_FRAME_SIZE:
                self._max_frame = value
        self._send(Frame.SETTINGS, Flag.ACK, 0)
        self._send_all_pending()

    def _send(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        length = len(payload)
        self._out.append(_FRAME_HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream))
        self._out.append(payload)

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            out = b"".join(self._out)
            self._out.clear()
            self._transport.write(out)

    def _fail(self, fault: ProtocolError) -> None:
        log.warning("closing a connection: %s", fault)
        self._send(Frame.GOAWAY, Flag.NONE, 0, struct.pack(">LL", self._last_stream, fault.code))
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _close_when_idle(self) -> None:
        if not self._streams and self._transport is not None:
            self._transport.close()


def _unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & Flag.PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ProtocolError(Fault.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]
