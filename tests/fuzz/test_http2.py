"""The sidecar's HTTP/2 server with frames in any order: it answers or says goodbye, and keeps its books straight."""

import asyncio
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extproc.http2 import PREFACE, Flag, Frame, GrpcConnection, Handler, frame
from tests.fuzz.effort import examples
from tests.unit.extproc.test_http2 import LARGEST, Wire, frames, headers, message

SYNC, LATER, BROKEN, OWED = "/sync", "/later", "/broken", "/owed"


async def _later(data: bytes) -> bytes:
    await asyncio.sleep(0)
    if data == b"fail":
        raise RuntimeError
    return data


def _broken(_data: bytes) -> bytes:
    raise RuntimeError


def opener(path: str, _block: bytes = b"") -> Handler | None:
    handlers: dict[str, Handler] = {SYNC: lambda data: data, LATER: _later, BROKEN: _broken, OWED: lambda _: ()}
    return handlers.get(path)


_streams = st.sampled_from([0, 1, 1, 1, 3, 3, 5, 7, 2, 2**31 - 1, 2**31 + 1])
_flags = st.sampled_from([0, 0, Flag.END_STREAM, Flag.END_HEADERS, 5, 8, 9, 0xFF]) | st.integers(0, 255)
_bodies = st.sampled_from([b"", b"x", b"fail", b"y" * 100])
_windows = st.sampled_from([0, 1, 7, 65535, 2**31 - 1, 2**32 - 1])


def _any_frame(*paths: str) -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.builds(headers, _streams, st.sampled_from(paths), st.sampled_from([4, 4, 5, 0, 1])),
        st.builds(message, _streams, _bodies, st.sampled_from([0, 0, Flag.END_STREAM])),
        st.builds(frame, st.just(Frame.DATA), _flags, _streams, st.binary(max_size=12)),
        st.builds(
            lambda stream, size: frame(Frame.WINDOW_UPDATE, 0, stream, struct.pack(">L", size)), _streams, _windows
        ),
        st.builds(
            lambda name, value: frame(Frame.SETTINGS, 0, 0, struct.pack(">HL", name, value)),
            st.integers(0, 7),
            _windows,
        ),
        st.builds(lambda stream: frame(Frame.RST_STREAM, 0, stream, b"\0\0\0\x08"), _streams),
        st.builds(frame, st.integers(0, 12), _flags, _streams, st.binary(max_size=30)),
    )


async def _converse(pieces: list[bytes]) -> tuple[GrpcConnection, Wire]:
    wire: Any = Wire()
    connections: set[GrpcConnection] = set()
    connection = GrpcConnection(opener, lambda: LARGEST, connections)
    connection.connection_made(wire)
    connection.data_received(PREFACE)
    for number, piece in enumerate(pieces):
        if wire.closed:
            break
        connection.data_received(piece)
        if number % 3 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return connection, wire


@given(st.lists(_any_frame(SYNC, LATER, BROKEN, OWED, "/no"), max_size=25))
@examples(400)
def test_frames_in_any_order_end_in_answers_or_a_goodbye(pieces: list[bytes]) -> None:
    async def run() -> None:
        connection, wire = await _converse(pieces)
        sent = frames(wire.sent)
        assert wire.closed or sent[0][0] == Frame.SETTINGS
        if wire.closed:
            assert any(kind == Frame.GOAWAY for kind, *_ in sent) or connection._draining
        ended = [stream for kind, flags, stream, _ in sent if kind == Frame.HEADERS and flags & Flag.END_STREAM]
        assert len(ended) == len(set(ended))
        connection.connection_lost(None)
        assert not connection._streams

    asyncio.run(run())


@given(st.lists(_any_frame(SYNC, OWED, "/no"), max_size=25), st.data())
@examples(200)
def test_the_answers_do_not_depend_on_where_the_bytes_are_cut(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parts = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True) if start < end]

    async def run(parts: list[bytes]) -> dict[int, list[bytes]]:
        _, wire = await _converse(parts)
        answers: dict[int, list[bytes]] = {}
        for kind, _, number, payload in frames(wire.sent):
            if kind == Frame.DATA:
                answers.setdefault(number, []).append(payload)
        return {} if wire.closed else answers

    whole, cut = asyncio.run(run([stream] if stream else [])), asyncio.run(run(parts))
    assert {number: b"".join(data) for number, data in whole.items()} == {
        number: b"".join(data) for number, data in cut.items()
    }
