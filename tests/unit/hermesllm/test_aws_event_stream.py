"""The AWS event stream framing: read as it was written, however it is cut, and refused where it is damaged."""

import itertools
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermesllm.aws_event_stream import (
    EventStreamDecoder,
    Frame,
    InvalidFrame,
    encode_event,
    encode_exception,
    encode_frame,
)

CAPTURED = Path(__file__).parents[2] / "data" / "bedrock_streams"
TEXT = (CAPTURED / "response.hex").read_bytes()
TOOLS = (CAPTURED / "response_with_tools.hex").read_bytes()
HEADERS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=50)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
    | st.uuids()
    | st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 — made aware in the same breath
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    ),
    max_size=6,
)


def decoded(data: bytes) -> list[Frame]:
    decoder = EventStreamDecoder()
    frames = decoder.decode(data)
    decoder.flush()
    return frames


def rewritten(frame: bytes, **changes: int) -> bytes:
    """A frame with other lengths in its prelude and checksums that fit."""
    length = changes.get("length", int.from_bytes(frame[:4], "big")).to_bytes(4, "big")
    headers = changes.get("headers", int.from_bytes(frame[4:8], "big")).to_bytes(4, "big")
    head = length + headers
    whole = head + crc32(head).to_bytes(4, "big") + frame[12:-4]
    return whole + crc32(whole).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("stream", "events", "sizes"),
    [
        (
            TEXT,
            {"messageStart": 1, "contentBlockDelta": 84, "contentBlockStop": 1, "messageStop": 1, "metadata": 1},
            (128, 269),
        ),
        (
            TOOLS,
            {
                "messageStart": 1,
                "contentBlockStart": 1,
                "contentBlockDelta": 536,
                "contentBlockStop": 3,
                "messageStop": 1,
                "metadata": 1,
            },
            (142, 802),
        ),
    ],
    ids=["text", "tools"],
)
def test_captured_streams_are_read_and_written_back(
    stream: bytes, events: dict[str, int], sizes: tuple[int, int]
) -> None:
    frames = decoded(stream)
    assert Counter(frame.text(":event-type") for frame in frames) == events
    written = [encode_frame(frame.headers, frame.payload) for frame in frames]
    assert b"".join(written) == stream
    assert (min(map(len, written)), max(map(len, written))) == sizes


@pytest.mark.parametrize("sizes", [(50, 100, 75, 200, 150, 300, 500, 1000), (500, 1000, 750, 1200, 800, 1500), (1,)])
def test_a_stream_in_pieces_gives_the_same_frames(sizes: tuple[int, ...]) -> None:
    decoder = EventStreamDecoder()
    frames: list[Frame] = []
    at = 0
    for size in itertools.cycle(sizes):
        frames += decoder.decode(TEXT[at : at + size])
        at += size
        if at >= len(TEXT):
            break
    decoder.flush()
    assert frames == decoded(TEXT)


@settings(deadline=None)
@given(st.lists(st.tuples(HEADERS, st.binary(max_size=80)), max_size=4), st.lists(st.integers(0, 900), max_size=8))
def test_what_is_written_is_read_in_any_pieces(written: list[tuple[dict[str, Any], bytes]], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(headers, payload) for headers, payload in written)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    decoder = EventStreamDecoder()
    frames = [frame for start, stop in itertools.pairwise(places) for frame in decoder.decode(stream[start:stop])]
    decoder.flush()
    assert [(dict(frame.headers), frame.payload) for frame in frames] == written


@settings(deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda tail: TEXT[:500] + tail))
def test_any_bytes_give_frames_or_the_one_error(data: bytes) -> None:
    decoder = EventStreamDecoder()
    try:
        frames = decoder.decode(data)
        decoder.flush()
    except InvalidFrame as fault:
        frames = fault.frames
    assert len(frames) <= 4


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 700), st.integers(1, 255))
def test_one_damaged_byte_is_never_read_over(at: int, flip: int) -> None:
    damaged = bytearray(TEXT[:900])
    damaged[at] ^= flip
    with pytest.raises(InvalidFrame):
        decoded(bytes(damaged))


def test_frames_in_front_of_the_damage_are_handed_over() -> None:
    good = encode_event("messageStart", b"{}")
    with pytest.raises(InvalidFrame, match="checksum of a frame is wrong") as caught:
        EventStreamDecoder().decode(good + good[:-1] + b"\x00")
    assert [frame.text(":event-type") for frame in caught.value.frames] == ["messageStart"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x00" * 12, "checksum of a frame's prelude"),
        (b"data: {}\n\n" * 2, "checksum of a frame's prelude"),
        (rewritten(encode_event("x", b"{}"), length=15), "contradict each other"),
        (rewritten(encode_event("x", b"{}"), headers=500), "contradict each other"),
        (rewritten(encode_event("x", b"{}"), length=16 * 2**20 + 1), "larger than 16777216 bytes"),
        (rewritten(encode_event("x", b"{}"), headers=5), "headers cannot be read"),
        (rewritten(encode_frame({"a": b"\xff"}).replace(b"\x06\x00\x01", b"\x07\x00\x01")), "headers cannot be read"),
        (rewritten(encode_frame({"a": True}).replace(b"\x01a\x00", b"\x01a\x0c")), "headers cannot be read"),
    ],
)
def test_damage_is_named(data: bytes, problem: str) -> None:
    with pytest.raises(InvalidFrame, match=problem):
        EventStreamDecoder().decode(data)


def test_a_limit_bounds_what_is_held() -> None:
    frame = encode_event("x", b"0" * 5000)
    with pytest.raises(InvalidFrame, match="larger than 1000 bytes"):
        EventStreamDecoder(limit=1000).decode(frame[:12])


@pytest.mark.parametrize("data", [b"test data", TEXT[:-1], TEXT[:130]])
def test_bytes_that_stop_inside_a_frame_are_a_cut_stream(data: bytes) -> None:
    decoder = EventStreamDecoder()
    decoder.decode(data)
    with pytest.raises(InvalidFrame, match="ends inside a frame"):
        decoder.flush()


@pytest.mark.parametrize(
    ("name", "value"), [("", "x"), ("n" * 256, "x"), ("n", "v" * 2**15), ("n", 2**63), ("n", b"v" * 2**15)]
)
def test_what_does_not_fit_its_length_is_not_written(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"header|bits"):
        encode_frame({name: value})


def test_botocore_reads_what_is_written_and_the_other_way_round() -> None:
    eventstream = pytest.importorskip("botocore.eventstream")
    identity = UUID("00112233-4455-6677-8899-aabbccddeeff")
    headers: dict[str, Any] = {
        ":event-type": "x",
        "yes": True,
        "no": False,
        "count": -5,
        "raw": b"\x00\xff",
        "id": identity,
    }
    stream = encode_frame(headers, b"payload") + encode_exception("throttlingException", b'{"message":"slow"}')
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(stream)
    first, second = list(buffer)
    assert first.headers == {**headers, "id": identity.bytes}
    assert first.payload == b"payload"
    assert second.to_response_dict()["status_code"] == 400
    for captured in (TEXT, TOOLS):
        buffer = eventstream.EventStreamBuffer()
        buffer.add_data(captured)
        theirs = [(message.headers, message.payload) for message in buffer]
        assert theirs == [(dict(frame.headers), frame.payload) for frame in decoded(captured)]


def test_botocores_parser_makes_converse_events_of_our_frames() -> None:
    pytest.importorskip("botocore")
    from botocore.eventstream import EventStream
    from botocore.parsers import EventStreamJSONParser
    from botocore.session import get_session

    model = get_session().get_service_model("bedrock-runtime").operation_model("ConverseStream")
    shape = model.output_shape.members["stream"]
    events = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}}),
        ("messageStop", {"stopReason": "end_turn"}),
    ]

    class Raw:
        def stream(self) -> list[bytes]:
            return [encode_event(name, orjson.dumps(payload)) for name, payload in events]

    parsed = list(EventStream(Raw(), shape, EventStreamJSONParser(), "ConverseStream"))
    assert parsed == [{name: payload} for name, payload in events]
