"""The server's HTTP/2 and gRPC, against grpcio's client and, byte by byte, against hand-made frames."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from extproc.hpack_path import MalformedBlock, find_path
from extproc.http2 import PREFACE, Flag, Frame, GrpcConnection, Handler, Opener, Reply, Sink, frame

LARGEST = 48 * 1024 * 1024
ECHO = "/test.Service/Echo"


def opener(path: str, _block: bytes = b"") -> Handler | None:
    return (lambda message: b"echo:" + message) if path == ECHO else None


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    connections: set[GrpcConnection] = set()
    path = str(tmp_path / "s.sock")
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: GrpcConnection(opener, lambda: LARGEST, connections), path
    )
    yield f"unix:{path}"
    server.close()
    for connection in list(connections):
        connection.drain()


def channel(address: str) -> grpc.aio.Channel:
    limits = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    return grpc.aio.insecure_channel(address, options=limits)


async def echoes(call: Any, messages: list[bytes]) -> list[bytes]:
    replies = []
    for message in messages:
        await call.write(message)
        replies.append(await call.read())
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    return replies


async def test_a_stream_of_messages_is_answered_one_by_one_and_ends_well(address: str) -> None:
    async with channel(address) as connection:
        assert await echoes(connection.stream_stream(ECHO)(), [b"", b"a", b"b" * 70000]) == [
            b"echo:", b"echo:a", b"echo:" + b"b" * 70000,
        ]  # fmt: skip


async def test_messages_larger_than_every_window_pass_in_both_directions(address: str) -> None:
    large = bytes(range(256)) * (40 * 1024 * 4)
    async with channel(address) as connection:
        (reply,) = await echoes(connection.stream_stream(ECHO)(), [large])
    assert reply == b"echo:" + large


async def test_many_streams_share_a_connection_without_mixing(address: str) -> None:
    async with channel(address) as connection:
        calls = [echoes(connection.stream_stream(ECHO)(), [b"%d" % number] * 3) for number in range(300)]
        for number, replies in enumerate(await asyncio.gather(*calls)):
            assert replies == [b"echo:%d" % number] * 3


async def test_large_and_small_streams_at_once_do_not_starve_each_other(address: str) -> None:
    async with channel(address) as connection:
        calls = [echoes(connection.stream_stream(ECHO)(), [b"x" * size]) for size in [5_000_000, 10] * 10]
        sizes = [len(replies[0]) for replies in await asyncio.gather(*calls)]
    assert sizes == [5_000_005, 15] * 10


async def test_a_cancelled_stream_leaves_the_others_alone(address: str) -> None:
    async with channel(address) as connection:
        call = connection.stream_stream(ECHO)()
        await call.write(b"a")
        await call.read()
        call.cancel()
        assert await echoes(connection.stream_stream(ECHO)(), [b"b"]) == [b"echo:b"]


async def test_an_unknown_method_is_unimplemented(address: str) -> None:
    async with channel(address) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await connection.unary_unary("/test.Service/Nothing")(b"x")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_unary_call_works_too(address: str) -> None:
    async with channel(address) as connection:
        assert await connection.unary_unary(ECHO)(b"hi") == b"echo:hi"


class Wire(asyncio.Transport):
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True


def frames(data: bytes | bytearray) -> list[tuple[int, int, int, bytes]]:
    found = []
    position = 0
    while position < len(data):
        high, low, kind, flags, stream = struct.unpack_from(">HBBBL", data, position)
        length = high << 8 | low
        found.append((kind, flags, stream, bytes(data[position + 9 : position + 9 + length])))
        position += 9 + length
    return found


def connected() -> tuple[GrpcConnection, Wire]:
    wire = Wire()
    connection = GrpcConnection(opener, lambda: LARGEST, set())
    connection.connection_made(wire)
    wire.sent.clear()
    return connection, wire


def headers(stream: int, path: str = ECHO, flags: int = Flag.END_HEADERS, **frame_parts: bytes) -> bytes:
    encoder = Encoder()
    encoder.header_table_size = 0
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "extproc"), ("te", "trailers")]
    block = encoder.encode(fields)
    return frame(Frame.HEADERS, flags, stream, frame_parts.get("before", b"") + block + frame_parts.get("after", b""))


def message(stream: int, body: bytes, flags: int = 0) -> bytes:
    return frame(Frame.DATA, flags, stream, struct.pack(">BL", 0, len(body)) + body)


CONVERSATION = b"".join(
    [
        PREFACE,
        frame(Frame.SETTINGS, 0, 0, struct.pack(">HL", 4, 1_000_000)),
        headers(1),
        message(1, b"one"),
        frame(Frame.PING, 0, 0, b"12345678"),
        headers(3, flags=Flag.END_HEADERS | Flag.PRIORITY, before=b"\x00\x00\x00\x00\x10"),
        message(3, b"three"),
        frame(Frame.PRIORITY, 0, 3, b"\x00\x00\x00\x00\x10"),
        frame(Frame.DATA, Flag.PADDED, 1, b"\x03" + struct.pack(">BL", 0, 3) + b"two" + b"\x00\x00\x00"),
        frame(Frame.DATA, Flag.END_STREAM, 1),
        frame(0xBE, 0, 0, b"unknown frame types are ignored"),
        message(3, b"four", Flag.END_STREAM),
    ]
)


def replies(sent: bytes | bytearray) -> dict[int, bytes]:
    """The data of each stream, put together."""
    found: dict[int, bytes] = {}
    for kind, _, stream, payload in frames(sent):
        if kind == Frame.DATA:
            found[stream] = found.get(stream, b"") + payload
    return found


def framed(*bodies: bytes) -> bytes:
    return b"".join(struct.pack(">BL", 0, len(body)) + body for body in bodies)


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_a_conversation_is_understood_however_its_bytes_arrive(cuts: list[int]) -> None:
    connection, wire = connected()
    places = [0, *sorted(cuts), len(CONVERSATION)]
    for start, end in pairwise(places):
        if start < end:
            connection.data_received(CONVERSATION[start:end])
    assert replies(wire.sent) == {1: framed(b"echo:one", b"echo:two"), 3: framed(b"echo:three", b"echo:four")}
    ends = [stream for kind, flags, stream, _ in frames(wire.sent) if kind == Frame.HEADERS and flags & Flag.END_STREAM]
    assert sorted(ends) == [1, 3]
    assert (Frame.PING, Flag.ACK, 0, b"12345678") in frames(wire.sent)
    assert not wire.closed


def test_each_byte_may_come_alone() -> None:
    connection, wire = connected()
    for byte in CONVERSATION:
        connection.data_received(bytes([byte]))
    assert replies(wire.sent)[1] == framed(b"echo:one", b"echo:two")


def test_what_does_not_fit_the_peers_window_waits_for_it() -> None:
    connection, wire = connected()
    settings = frame(Frame.SETTINGS, 0, 0, struct.pack(">HL", 4, 10))
    connection.data_received(PREFACE + settings + headers(1) + message(1, b"x" * 20, Flag.END_STREAM))
    assert replies(wire.sent)[1] == framed(b"echo:" + b"x" * 20)[:10]
    connection.data_received(frame(Frame.WINDOW_UPDATE, 0, 1, struct.pack(">L", 7)))
    assert replies(wire.sent)[1] == framed(b"echo:" + b"x" * 20)[:17]
    assert not [True for kind, flags, _, _ in frames(wire.sent) if kind == Frame.HEADERS and flags & Flag.END_STREAM]
    connection.data_received(frame(Frame.SETTINGS, 0, 0, struct.pack(">HL", 4, 1000)))
    assert replies(wire.sent)[1] == framed(b"echo:" + b"x" * 20)
    assert frames(wire.sent)[-1][:3] == (Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1)


def test_a_header_block_may_be_continued() -> None:
    connection, wire = connected()
    block = frames(headers(1))[0][3]
    connection.data_received(
        PREFACE
        + frame(Frame.HEADERS, 0, 1, block[:5])
        + frame(Frame.CONTINUATION, 0, 1, block[5:9])
        + frame(Frame.CONTINUATION, Flag.END_HEADERS, 1, block[9:])
        + message(1, b"a")
    )
    assert replies(wire.sent) == {1: framed(b"echo:a")}


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" + b" " * 30,
        PREFACE + frame(Frame.HEADERS, Flag.END_HEADERS, 2, b"\x88"),
        PREFACE + headers(3) + headers(1),
        PREFACE + struct.pack(">HBBBL", 0xFFFF, 0xFF, 0, 0, 1),
        PREFACE + frame(Frame.HEADERS, Flag.END_HEADERS, 1, b"\x04\xff"),
        PREFACE + frame(Frame.HEADERS, 0, 1, b"\x88") + frame(Frame.PING, 0, 0, b"12345678"),
        PREFACE + frame(Frame.CONTINUATION, Flag.END_HEADERS, 1, b"\x88"),
        PREFACE + frame(Frame.SETTINGS, 0, 0, b"12345"),
        PREFACE + frame(Frame.WINDOW_UPDATE, 0, 0, b"12"),
        PREFACE + headers(1) + frame(Frame.DATA, Flag.PADDED, 1, b"\x09abc"),
        PREFACE + headers(1) + frame(Frame.DATA, 0, 1, struct.pack(">BL", 1, 3) + b"abc"),
        PREFACE + headers(1) + frame(Frame.DATA, 0, 1, struct.pack(">BL", 0, LARGEST + 1) + b"abc"),
    ],
)
def test_a_peer_that_breaks_the_protocol_is_told_goodbye(data: bytes) -> None:
    connection, wire = connected()
    connection.data_received(data)
    assert frames(wire.sent)[-1][0] == Frame.GOAWAY
    assert wire.closed


@given(st.binary(max_size=300))
def test_garbage_raises_nothing(garbage: bytes) -> None:
    connection, _ = connected()
    connection.data_received(PREFACE + garbage)


def test_a_handler_that_fails_ends_its_own_stream_and_no_other() -> None:
    def fail(_message: bytes) -> bytes:
        raise RuntimeError("broken")

    wire = Wire()
    calls: Opener = lambda path, _block: fail if path == "/broken" else opener(path)  # noqa: E731
    connection = GrpcConnection(calls, lambda: LARGEST, set())
    connection.connection_made(wire)
    broken = headers(1, "/broken") + message(1, b"a") + message(1, b"b", Flag.END_STREAM)
    connection.data_received(PREFACE + broken + headers(3) + message(3, b"c", Flag.END_STREAM))
    assert (Frame.RST_STREAM, 0, 1, struct.pack(">L", 2)) in frames(wire.sent)
    assert replies(wire.sent) == {3: framed(b"echo:c")}
    assert not wire.closed


def test_draining_finishes_open_streams_and_takes_no_new_ones() -> None:
    connection, wire = connected()
    connection.data_received(PREFACE + headers(1) + message(1, b"a"))
    connection.drain()
    assert not wire.closed
    connection.data_received(headers(3) + message(3, b"late"))
    connection.data_received(message(1, b"b", Flag.END_STREAM))
    assert replies(wire.sent) == {1: framed(b"echo:a", b"echo:b")}
    assert wire.closed


def sinking() -> tuple[GrpcConnection, Wire, list[bytes]]:
    wire, taken = Wire(), list[bytes]()
    calls: Opener = lambda path, _block: Sink(taken.append) if path == "/log" else opener(path)  # noqa: E731
    connection = GrpcConnection(calls, lambda: LARGEST, set())
    connection.connection_made(wire)
    connection.data_received(PREFACE + headers(1, "/log") + message(1, b"one") + message(1, b"two"))
    return connection, wire, taken


def test_a_sink_takes_messages_and_answers_none() -> None:
    connection, wire, taken = sinking()
    connection.data_received(message(1, b"three"))
    assert taken == [b"one", b"two", b"three"]
    assert not replies(wire.sent)
    assert not [frame for frame in frames(wire.sent) if frame[0] == Frame.HEADERS]


def test_a_sink_whose_peer_has_no_more_to_say_ends_well() -> None:
    connection, wire, _ = sinking()
    wire.sent.clear()
    connection.data_received(frame(Frame.DATA, Flag.END_STREAM, 1))
    ((kind, flags, stream, _),) = frames(wire.sent)
    assert (kind, flags, stream) == (Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1)


def test_draining_ends_sinks_and_waits_for_calls_that_have_an_end() -> None:
    connection, wire, taken = sinking()
    connection.data_received(headers(3))
    wire.sent.clear()
    connection.drain()
    assert [(kind, stream) for kind, _, stream, _ in frames(wire.sent)] == [(Frame.GOAWAY, 0), (Frame.HEADERS, 1)]
    assert not wire.closed
    connection.data_received(message(1, b"late") + message(3, b"x", Flag.END_STREAM))
    assert taken == [b"one", b"two"]
    assert replies(wire.sent) == {3: framed(b"echo:x")}
    assert wire.closed


def test_a_sink_gets_its_window_back_however_much_it_takes() -> None:
    connection, wire, taken = sinking()
    for _ in range(40):
        connection.data_received(message(1, bytes(60_000)))
    assert len(taken) == 42
    assert windows_given(wire)[1] >= 2_000_000


def test_the_window_is_given_back_before_it_runs_out() -> None:
    connection, wire = connected()
    connection.data_received(PREFACE + headers(1))
    piece = frame(Frame.DATA, 0, 1, b"x" * 2**20)
    connection.data_received(frame(Frame.DATA, 0, 1, struct.pack(">BL", 0, 40 * 2**20)))
    for _ in range(14):
        for _ in range(40):
            connection.data_received(piece)
        connection.data_received(frame(Frame.DATA, 0, 1, struct.pack(">BL", 0, 40 * 2**20)))
        wire.sent[:] = b"".join(frame(k, f, s, p) for k, f, s, p in frames(wire.sent) if k == Frame.WINDOW_UPDATE)
    updated = {stream for kind, _, stream, _ in frames(wire.sent) if kind == Frame.WINDOW_UPDATE}
    assert updated == {0, 1}


def windows_given(wire: Wire) -> dict[int, int]:
    """Bytes of window that each stream was given back."""
    given: dict[int, int] = {}
    for kind, _, stream, payload in frames(wire.sent):
        if kind == Frame.WINDOW_UPDATE:
            given[stream] = given.get(stream, 0) + struct.unpack(">L", payload)[0]
    return given


HALF_WINDOW = 2**19


def test_a_message_larger_than_the_window_gets_it_back_as_its_parts_come() -> None:
    connection, wire = connected()
    connection.data_received(PREFACE + headers(1) + frame(Frame.DATA, 0, 1, struct.pack(">BL", 0, 4 * HALF_WINDOW)))
    for part in range(1, 4):
        connection.data_received(frame(Frame.DATA, 0, 1, b"x" * HALF_WINDOW))
        assert windows_given(wire)[1] == part * HALF_WINDOW + 5
    assert 0 not in windows_given(wire)


def test_a_peer_that_leaves_replies_lying_gets_no_more_window_until_it_takes_them() -> None:
    connection, wire = connected()
    settings = frame(Frame.SETTINGS, 0, 0, struct.pack(">HL", 4, 10))
    connection.data_received(PREFACE + settings + headers(1) + headers(3) + message(1, b"x" * HALF_WINDOW))
    connection.data_received(frame(Frame.DATA, 0, 1, struct.pack(">BL", 0, 99) + b"half a message"))
    assert windows_given(wire) == {}
    connection.data_received(message(3, b"x"))
    assert replies(wire.sent)[3] == framed(b"echo:x")[:10]
    connection.data_received(frame(Frame.WINDOW_UPDATE, 0, 0, struct.pack(">L", 2**20)))
    connection.data_received(frame(Frame.WINDOW_UPDATE, 0, 1, struct.pack(">L", 2**18)))
    assert windows_given(wire) == {}
    connection.data_received(frame(Frame.WINDOW_UPDATE, 0, 1, struct.pack(">L", 2**20)))
    assert len(replies(wire.sent)[1]) == HALF_WINDOW + len(framed(b"echo:"))
    assert windows_given(wire) == {1: HALF_WINDOW + 5 + 5 + len(b"half a message")}


@pytest.mark.parametrize("huffman", [False, True])
@pytest.mark.parametrize("path", [ECHO, "/envoy.service.ext_proc.v3.ExternalProcessor/Process", "/x" * 200])
def test_the_path_is_found_in_any_coding(huffman: bool, path: str) -> None:
    encoder = Encoder()
    encoder.header_table_size = 0
    block = encoder.encode([(":method", "POST"), ("x-other", "1"), (":path", path)], huffman=huffman)
    assert find_path(block) == path


@given(st.binary(max_size=100))
def test_a_block_of_garbage_is_malformed_or_has_no_path(block: bytes) -> None:
    with suppress(MalformedBlock):
        find_path(block)


class Answers:
    """Handlers whose replies come when the test sets them, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.pending: list[asyncio.Future[Reply]] = []

    def handle(self, body: bytes) -> Reply | Awaitable[Reply]:
        self.asked.append(body)
        if body.startswith(b"now"):
            return b"at once:" + body
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.pending.append(future)
        return future


def asked_later(*data: bytes) -> tuple[GrpcConnection, Wire, Answers]:
    answers, wire = Answers(), Wire()
    connection = GrpcConnection(lambda _path, _block: answers.handle, lambda: LARGEST, set())
    connection.connection_made(wire)
    wire.sent.clear()
    connection.data_received(PREFACE + headers(1) + b"".join(data))
    return connection, wire, answers


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def ended(wire: Wire) -> list[int]:
    return [stream for kind, flags, stream, _ in frames(wire.sent) if kind == Frame.HEADERS and flags & Flag.END_STREAM]


async def test_replies_keep_the_order_of_their_messages_while_one_is_awaited() -> None:
    _, wire, answers = asked_later(message(1, b"later 1"), message(1, b"now 1"), message(1, b"later 2"))
    assert answers.asked == [b"later 1"]
    assert replies(wire.sent) == {}
    answers.pending[0].set_result(b"first")
    await settled()
    assert answers.asked == [b"later 1", b"now 1", b"later 2"]
    assert replies(wire.sent)[1] == framed(b"first", b"at once:now 1")
    answers.pending[1].set_result(b"last")
    await settled()
    assert replies(wire.sent)[1] == framed(b"first", b"at once:now 1", b"last")


async def test_streams_do_not_wait_for_the_awaited_reply_of_another() -> None:
    connection, wire, answers = asked_later(message(1, b"later"))
    connection.data_received(headers(3) + message(3, b"now", Flag.END_STREAM))
    assert replies(wire.sent) == {3: framed(b"at once:now")}
    answers.pending[0].set_result(b"done")
    await settled()
    assert replies(wire.sent)[1] == framed(b"done")


async def test_a_reset_cancels_what_is_awaited_and_nothing_more_is_said_on_the_stream() -> None:
    connection, wire, answers = asked_later(message(1, b"later"), message(1, b"now"))
    connection.data_received(frame(Frame.RST_STREAM, 0, 1, struct.pack(">L", 8)))
    await settled()
    assert answers.pending[0].cancelled()
    assert answers.asked == [b"later"]
    assert [stream for _, _, stream, _ in frames(wire.sent) if stream] == []


async def test_a_lost_connection_cancels_what_is_awaited() -> None:
    connection, wire, answers = asked_later(message(1, b"later"), headers(3), message(3, b"later"))
    connection.connection_lost(None)
    await settled()
    assert [future.cancelled() for future in answers.pending] == [True, True]
    assert [stream for _, _, stream, _ in frames(wire.sent) if stream] == []


async def test_a_stream_that_the_peer_has_finished_ends_after_its_awaited_replies() -> None:
    _, wire, answers = asked_later(message(1, b"later"), message(1, b"now", Flag.END_STREAM))
    assert ended(wire) == []
    answers.pending[0].set_result(b"first")
    await settled()
    assert replies(wire.sent)[1] == framed(b"first", b"at once:now")
    assert ended(wire) == [1]


async def test_a_connection_that_drains_waits_for_awaited_replies() -> None:
    connection, wire, answers = asked_later(message(1, b"later", Flag.END_STREAM))
    connection.drain()
    assert not wire.closed
    answers.pending[0].set_result(b"done")
    await settled()
    assert replies(wire.sent)[1] == framed(b"done")
    assert wire.closed


async def test_awaited_replies_heed_the_peers_window() -> None:
    connection, wire, answers = asked_later(message(1, b"later", Flag.END_STREAM))
    connection.data_received(frame(Frame.SETTINGS, 0, 0, struct.pack(">HL", 4, 10)))
    answers.pending[0].set_result(b"x" * 20)
    await settled()
    assert replies(wire.sent)[1] == framed(b"x" * 20)[:10]
    assert ended(wire) == []
    connection.data_received(frame(Frame.WINDOW_UPDATE, 0, 1, struct.pack(">L", 100)))
    assert replies(wire.sent)[1] == framed(b"x" * 20)
    assert ended(wire) == [1]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_handler_that_fails_resets_its_stream_and_no_other(cancelled: bool) -> None:
    connection, wire, answers = asked_later(message(1, b"later"), message(1, b"now"), headers(3), message(3, b"later"))
    if cancelled:
        answers.pending[0].cancel()
    else:
        answers.pending[0].set_exception(ValueError("a fault"))
    await settled()
    assert (Frame.RST_STREAM, 0, 1, struct.pack(">L", 2)) in frames(wire.sent)
    assert answers.asked == [b"later", b"later"]
    answers.pending[1].set_result(b"well")
    await settled()
    assert replies(wire.sent) == {3: framed(b"well")}
    connection.data_received(message(1, b"now") + message(3, b"now"))
    assert replies(wire.sent) == {3: framed(b"well", b"at once:now")}
    assert not wire.closed


@pytest.mark.parametrize("parts", [(), (b"one",), (b"one", b"two", b"three")])
async def test_a_message_may_be_answered_by_several_replies_or_none(parts: tuple[bytes, ...]) -> None:
    wire = Wire()
    connection = GrpcConnection(lambda _path, _block: lambda _body: parts, lambda: LARGEST, set())
    connection.connection_made(wire)
    wire.sent.clear()
    connection.data_received(PREFACE + headers(1) + message(1, b"x", Flag.END_STREAM))
    assert replies(wire.sent).get(1, b"") == framed(*parts)
    assert ended(wire) == [1]
    _, later, answers = asked_later(message(1, b"later", Flag.END_STREAM))
    answers.pending[0].set_result(parts)
    await settled()
    assert replies(later.sent).get(1, b"") == framed(*parts)
    assert ended(later) == [1]
