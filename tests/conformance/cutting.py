"""Ways to cut one stream into pieces. Whatever the cut, the client must get the same events."""

import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

# How much of a stream is cut small; the rest of a longer one follows in one piece.
_BY_ONE = 600  # bytes
_BY_SEVEN = 4200  # bytes
_EVENT_END = re.compile(rb"(?<=\n\n)")
_INSIDE_UTF8 = re.compile(rb"(?<=[\xc0-\xff])(?=[\x80-\xbf])")
_INSIDE_CRLF = re.compile(rb"(?<=\r)(?=\n)")


class Variant(NamedTuple):
    """One way to send an answer; `encoding` is its content-encoding, if it has one."""

    name: str
    pieces: list[bytes]
    encoding: str = ""


def whole(body: bytes) -> Variant:
    return Variant("whole", [body] if body else [])


def split_events(stream: bytes) -> list[bytes]:
    """Server-sent events one by one. `stream` has LF line ends."""
    return _split(_EVENT_END, stream)


def split_frames(stream: bytes) -> list[bytes]:
    """The frames of Amazon's event stream: each begins with its length, big-endian, 4 bytes."""
    frames = []
    while len(stream) >= 4:
        length = max(4, struct.unpack(">I", stream[:4])[0])
        frames.append(stream[:length])
        stream = stream[length:]
    return [*frames, stream] if stream else frames


def event_stream_variants(stream: bytes) -> Iterator[Variant]:
    """The cuts of server-sent events. `stream` has LF line ends."""
    yield whole(stream)
    events = split_events(stream)
    if len(events) > 1:
        yield Variant("per event", events)
    if len(events) > 3:
        yield Variant("three events per chunk", [b"".join(events[at : at + 3]) for at in range(0, len(events), 3)])
        # Every piece ends one event and begins the next.
        yield Variant("across events", _split_at(stream, [at + 9 for at in _ends(events)[:-1]]))
    yield from _small_pieces(stream)
    if _INSIDE_UTF8.search(stream):
        yield Variant("inside UTF-8", _split(_INSIDE_UTF8, stream))
    crlf = stream.replace(b"\n", b"\r\n")
    yield Variant("CRLF", [piece.replace(b"\n", b"\r\n") for piece in events])
    yield Variant("inside CRLF", _split(_INSIDE_CRLF, crlf))
    bare = stream.rstrip(b"\n")
    if bare and bare != stream:
        yield Variant("no final newline", [bare])


def binary_stream_variants(stream: bytes) -> Iterator[Variant]:
    """The cuts of Amazon's event stream."""
    yield whole(stream)
    frames = split_frames(stream)
    if len(frames) > 1:
        yield Variant("per frame", frames)
        yield Variant("across frames", _split_at(stream, [at + 2 for at in _ends(frames)[:-1]]))
    if len(frames) > 3:
        yield Variant("three frames per chunk", [b"".join(frames[at : at + 3]) for at in range(0, len(frames), 3)])
    yield from _small_pieces(stream)


def _small_pieces(stream: bytes) -> Iterator[Variant]:
    for name, size, limit in (("per byte", 1, _BY_ONE), ("7 bytes", 7, _BY_SEVEN)):
        yield Variant(name, _split_at(stream, list(range(size, limit + 1, size))))


def _split(pattern: re.Pattern[bytes], stream: bytes) -> list[bytes]:
    return [piece for piece in pattern.split(stream) if piece]


def _ends(pieces: list[bytes]) -> list[int]:
    ends, at = [], 0
    for piece in pieces:
        at += len(piece)
        ends.append(at)
    return ends


def _split_at(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *(place for place in places if 0 < place < len(stream)), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds) if start < end]
