"""Cuts lose no byte and cut where their name says."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.cutting import binary_stream_variants, event_stream_variants
from tests.conformance.sse import Event, parse

STREAM = 'event: a\ndata: {"t":"é"}\n\ndata: [DONE]\n\n: bye\n\ndata: x\ndata: y\n\n'


@given(st.text(alphabet="aé\n:€ data", max_size=60))
def test_every_cut_joins_to_the_same_stream(text: str) -> None:
    stream = text.encode()
    for name, pieces, _ in event_stream_variants(stream):
        joined = b"".join(pieces)
        expected = {
            "CRLF": stream.replace(b"\n", b"\r\n"),
            "inside CRLF": stream.replace(b"\n", b"\r\n"),
            "no final newline": stream.rstrip(b"\n"),
        }
        assert joined == expected.get(name, stream)
        assert all(pieces)


@given(st.lists(st.binary(max_size=20), max_size=5), st.binary(max_size=5))
def test_every_cut_of_frames_joins_to_the_same_stream(bodies: list[bytes], rest: bytes) -> None:
    frames = [struct.pack(">I", 4 + len(body)) + body for body in bodies]
    for _, pieces, _ in binary_stream_variants(b"".join(frames) + rest):
        assert b"".join(pieces) == b"".join(frames) + rest


def test_cuts_are_where_their_names_say() -> None:
    cuts = {name: pieces for name, pieces, _ in event_stream_variants(STREAM.encode())}
    assert len(cuts["per event"]) == 4
    assert cuts["inside UTF-8"][0].endswith(b"\xc3")
    assert all(piece.endswith(b"\r") for piece in cuts["inside CRLF"][:-1])
    assert max(len(piece) for piece in cuts["7 bytes"]) == 7
    assert len(cuts["three events per chunk"]) == 2


def test_all_cuts_read_as_the_same_events() -> None:
    expected = [Event("a", {"t": "é"}), Event("", "[DONE]"), Event("", "x\ny")]
    for name, pieces, _ in event_stream_variants(STREAM.encode()):
        assert parse(b"".join(pieces)) == expected, name
