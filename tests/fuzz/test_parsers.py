"""Small parsers of what users and peers write: a value, or the one error that they declare."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extproc.hpack_path import MalformedBlock, find_path
from extproc.local_replies import LocalReply
from hermesllm.sse import EventTooLarge, SSEDecoder
from planoctl.config.addresses import (
    duration_nanoseconds,
    parse_address,
    parse_base_url,
    parse_collector_url,
    protobuf_duration,
)
from planoctl.config.compare_settings import shown
from planoctl.config.environment import UnsetVariable, expand, references
from planoctl.mock_provider.behaviour import BehaviourError, parse
from tests.fuzz.effort import examples

_texts = st.text(max_size=60) | st.text(alphabet="0123456789.smh:/@[]%?#-$ {}aé\u0661\x00", max_size=40)


@given(_texts)
@examples(300)
@example("1" * 5000 + "s")
@example("١٢s")
@example("0.1234567891s")
def test_a_duration_is_read_or_refused_and_comes_back_the_same(text: str) -> None:
    try:
        nanoseconds = duration_nanoseconds(text)
    except ValueError:
        with pytest.raises(ValueError):
            protobuf_duration(text)
        return
    assert duration_nanoseconds(protobuf_duration(text)) == nanoseconds
    assert protobuf_duration(text).isascii()


@pytest.mark.parametrize(
    "read",
    [parse_base_url, parse_collector_url, lambda text: parse_address(text, 80)],
    ids=["base", "collector", "host"],
)
@given(text=_texts | _texts.map(lambda rest: f"http://{rest}") | _texts.map(lambda rest: f"https://h:{rest}"))
@examples(300)
def test_an_address_is_read_or_refused(read: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(ValueError):
        read(text)


@given(_texts)
@examples(300)
def test_references_are_found_wherever_they_are_replaced(text: str) -> None:
    asked: list[str] = []

    def lookup(name: str) -> str:
        asked.append(name)
        return "value"

    with contextlib.suppress(UnsetVariable):
        expand(text, lookup)
        assert tuple(asked) == references(text)


@given(st.binary(max_size=200))
@examples(500)
def test_a_header_block_has_a_path_or_none_or_is_malformed(block: bytes) -> None:
    with contextlib.suppress(MalformedBlock):
        found = find_path(block)
        assert found is None or found.isascii() or "\ufffd" in found


@given(_texts | st.text(alphabet="|{},-aU ", max_size=40))
@examples(300)
def test_every_mark_of_a_local_reply_is_read(mark: str) -> None:
    reply = LocalReply.parse(mark)
    assert len(reply.details) + len(reply.flags) + len(reply.transport) <= len(mark)


@given(st.text(alphabet="status=429;retry-after 3.@%é-", max_size=40) | _texts)
@examples(300)
def test_a_behaviour_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BehaviourError):
        parse(text)


@given(st.text(alphabet="://@?=&ab.c \n", max_size=60))
@examples(300)
def test_the_password_of_a_url_is_never_shown(text: str) -> None:
    assert "secret" not in str(shown(f"{text}https://user:secret@host/{text}"))


@given(
    st.lists(
        st.sampled_from([b"data: ", b"event: e", b"\n", b"\n\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"x" * 30, b"{"]),
        max_size=60,
    ),
    st.integers(1, 80),
)
@examples(500)
def test_an_event_stream_decoder_holds_no_more_than_its_limit(chunks: list[bytes], limit: int) -> None:
    decoder = SSEDecoder(limit)
    for chunk in chunks:
        try:
            events = decoder.decode(chunk)
        except EventTooLarge as fault:
            events = fault.events
        assert all(len(event.data) <= max(limit, len(chunk)) for event in events)
        assert decoder._held_size <= limit
    decoder.flush()


def _lines(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The algorithm of the standard, line by line, for streams without bare JSON."""
    stream = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events, name, data = [], b"", []
    for line in [*stream.split(b"\n"), b""]:
        if not line:
            if name or any(data):
                events.append((name, b"\n".join(data)))
            name, data = b"", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events


@given(
    st.lists(
        st.sampled_from([b"data: x", b"data:", b"data", b"event: e", b"event", b"id: 1", b": c", b"\n", b"\r", b"\r\n"])
        | st.binary(max_size=4).filter(lambda raw: raw.lstrip()[:1] not in (b"{", b"[")),
        max_size=30,
    )
)
@examples(500)
def test_events_are_those_of_the_standard(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    if b"{" in stream or b"[" in stream:
        return
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.decode(piece)] + decoder.flush()
    assert [tuple(event) for event in events] == _lines(stream)
