import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesllm.sse import Event, EventTooLarge, SSEDecoder


def decoded(*chunks: bytes, limit: int = 1000) -> list[Event]:
    decoder = SSEDecoder(limit)
    return [*(event for chunk in chunks for event in decoder.decode(chunk)), *decoder.flush()]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b'data: {"id":"test"}\n\n', [Event(b"", b'{"id":"test"}')]),
        (b"data: [DONE]\n\n", [Event(b"", b"[DONE]")]),
        (b"data:no space\n\n", [Event(b"", b"no space")]),
        (b"data:  two spaces\n\n", [Event(b"", b" two spaces")]),
        (b"data: \n\n", []),
        (b"data\n\n", []),
        (b": this is a comment\n\n", []),
        (b": comment\ndata: x\n\n", [Event(b"", b"x")]),
        (b"event: ping\ndata: x\n\n", [Event(b"ping", b"x")]),
        (b"event:ping\nid: 7\nretry: 10\ndata: x\n\n", [Event(b"ping", b"x")]),
        (b"data: x\nevent: late\n\n", [Event(b"late", b"x")]),
        (b"event: message_stop\n\n", [Event(b"message_stop", b"")]),
        (b"data: one\ndata: two\ndata:\n\n", [Event(b"", b"one\ntwo\n")]),
        (b"datax: x\nfoo\n\n", []),
        (b"\n\n\ndata: x\n\n\n\ndata: y\n\n\n", [Event(b"", b"x"), Event(b"", b"y")]),
        (b"\xef\xbb\xbfdata: x\n\n", [Event(b"", b"x")]),
        (b"data: no end", [Event(b"", b"no end")]),
        (b"data: one end\n", [Event(b"", b"one end")]),
        (b"event: a\ndata: x\n\nevent: b", [Event(b"a", b"x"), Event(b"b", b"")]),
        (b"data: mixed\r\n\ndata: ends\n\r\n\r\n", [Event(b"", b"mixed"), Event(b"", b"ends")]),
        ("data: 東京 🗼\n\n".encode(), [Event(b"", "東京 🗼".encode())]),
        (b"", []),
    ],
)
def test_events_are_read_as_the_standard_says_however_they_are_cut(stream: bytes, expected: list[Event]) -> None:
    assert decoded(stream) == expected
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == expected
    for end in (b"\r\n", b"\r"):
        other = stream.replace(b"\r\n", b"\n").replace(b"\n", end)
        assert decoded(other) == expected
        assert decoded(*(other[at : at + 1] for at in range(len(other)))) == expected


def test_an_event_is_handed_out_as_soon_as_its_blank_line_is_there() -> None:
    decoder = SSEDecoder()
    assert decoder.decode(b"data: x\n") == []
    assert decoder.decode(b"\n") == [Event(b"", b"x")]
    assert decoder.decode(b"data: y\r\n\r") == [Event(b"", b"y")]
    assert decoder.decode(b"\n") == []


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_an_event_over_the_limit_is_an_error_and_the_events_before_it_are_not_lost(size: int) -> None:
    stream = b"data: before\n\ndata: " + b"x" * 2000 + b"\n\ndata: after\n\n"
    decoder = SSEDecoder(limit=1000)
    seen: list[Event] = []

    def decode_all() -> None:
        for at in range(0, len(stream), size):
            seen.extend(decoder.decode(stream[at : at + size]))

    with pytest.raises(EventTooLarge, match="1000 bytes") as caught:
        decode_all()
    assert [*seen, *caught.value.events] == [Event(b"", b"before")]


def test_many_small_events_in_one_chunk_are_not_too_large() -> None:
    assert len(decoded(b"data: x\n\n" * 1000, limit=100)) == 1000


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b"event: e", b"\xef"])))
def test_any_cut_of_any_bytes_gives_the_same_events(chunks: list[bytes]) -> None:
    assert decoded(*chunks) == decoded(b"".join(chunks))


@pytest.mark.parametrize("block", [b'{\n "error": 1\n}', b'[{"error": 1}]'])
def test_bare_json_between_events_is_an_event_too(block: bytes) -> None:
    decoder = SSEDecoder()
    events = decoder.decode(b"data: a\n\n" + block) + decoder.flush()
    assert events == [Event(b"", b"a"), Event(b"", block)]
