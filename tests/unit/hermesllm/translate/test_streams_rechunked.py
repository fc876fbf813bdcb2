"""However the network cuts a provider's bytes, and whatever its line ends, the client gets the same stream."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, StreamTranslator, translator
from tests.unit.hermesllm.translate.recorded_streams import ANTHROPIC_STREAMS, CHAT_STREAMS

STREAMS = {
    **{f"chat: {name}": (Format.ANTHROPIC, Format.CHAT, stream) for name, stream in CHAT_STREAMS.items()},
    **{f"anthropic: {name}": (Format.CHAT, Format.ANTHROPIC, stream) for name, stream in ANTHROPIC_STREAMS.items()},
}
LINE_ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}


def new_stream(client: Format, upstream: Format) -> StreamTranslator:
    provider = PROVIDERS["openai" if upstream is Format.CHAT else "anthropic"]
    cell = translator(client, upstream, Context(provider, "some-model", request_id="req-1"))
    cell.request(
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    return cell.stream()


def translated(name: str, chunks: list[bytes]) -> bytes:
    client, upstream, _ = STREAMS[name]
    stream = new_stream(client, upstream)
    out = b"".join([*(stream.decode(chunk) for chunk in chunks), stream.flush(), stream.flush(), stream.decode(b"x")])
    # What is random or reads the clock.
    out = re.sub(rb'"created":\d+', b'"created":0', out)
    return re.sub(rb"(msg_|chatcmpl-|toolu_)[0-9a-f]{24,32}", rb"\1", out)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS.keys())
def test_bytes_one_by_one_give_the_same_stream(name: str, line_end: bytes) -> None:
    whole = STREAMS[name][2]
    cut = whole.replace(b"\n", line_end)
    assert translated(name, [cut[at : at + 1] for at in range(len(cut))]) == translated(name, [whole])


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_every_cut_in_two_gives_the_same_stream(name: str, line_end: bytes) -> None:
    whole = STREAMS[name][2].replace(b"\n", line_end)
    expected = translated(name, [whole])
    for at in range(len(whole)):
        assert translated(name, [whole[:at], whole[at:]]) == expected, at


@pytest.mark.parametrize("name", STREAMS)
def test_a_byte_order_mark_and_a_missing_last_line_end_change_nothing(name: str) -> None:
    whole = STREAMS[name][2]
    expected = translated(name, [whole])
    assert translated(name, [b"\xef\xbb\xbf" + whole]) == expected
    if "cut" not in name:
        assert translated(name, [whole.rstrip(b"\n")]) == expected


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(STREAMS)), cuts=st.lists(st.integers(0, 4000), max_size=12), crlf=st.booleans())
def test_random_cuts_give_the_same_stream(name: str, cuts: list[int], crlf: bool) -> None:
    whole = STREAMS[name][2].replace(b"\n", b"\r\n" if crlf else b"\n")
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    chunks = [whole[start:stop] for start, stop in itertools.pairwise(places)]
    assert translated(name, chunks) == translated(name, [whole])
