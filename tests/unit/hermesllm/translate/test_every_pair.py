"""Every pair of formats, with random requests, answers and streams: valid ones pass, broken ones end in our errors."""

import contextlib
import itertools
import re
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermesllm.aws_event_stream import EventStreamDecoder, InvalidFrame, encode_frame
from hermesllm.errors import GatewayError, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.reading import request_bytes
from hermesllm.translate import Context, StreamTranslator, Translator, translator
from tests.unit.hermesllm.translate.conversations import WRITERS, Conversation, Json, Turn, conversations
from tests.unit.hermesllm.translate.converse_answers import BROKEN_STREAMS, CONVERSE_STREAMS
from tests.unit.hermesllm.translate.recorded_gemini_streams import GEMINI_STREAMS
from tests.unit.hermesllm.translate.recorded_responses_streams import RESPONSES_STREAMS
from tests.unit.hermesllm.translate.recorded_streams import ANTHROPIC_STREAMS, CHAT_STREAMS
from tests.unit.hermesllm.translate.test_untrusted_json import JSON, broken

CLIENTS = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES, Format.COMPLETIONS)
PROVIDER_MODELS = {
    Format.CHAT: [("openai", "gpt-4o"), ("openai", "o3"), ("openrouter", "anthropic/claude-opus-4.1"), ("groq", "m")],
    Format.ANTHROPIC: [("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-6"), ("anthropic", "m")],
    Format.RESPONSES: [("openai", "gpt-5"), ("chatgpt", "gpt-5-codex")],
    Format.CONVERSE: [("amazon_bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"), ("amazon_bedrock", "m")],
    Format.GEMINI: [("gemini", "gemini-3-pro-preview"), ("vertex", "gemini-2.5-flash")],
}
PAIRS = list(itertools.product(CLIENTS, PROVIDER_MODELS))
EXTRAS: dict[Format, st.SearchStrategy[Json]] = {
    Format.CHAT: st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(["gpt-4o", "m"]),
            "stream": st.booleans(),
            "stream_options": st.just({"include_usage": True}),
            "top_p": st.sampled_from([0.1, 1]),
            "n": st.just(1),
            "seed": st.integers(0, 9),
            "user": st.text(min_size=1, max_size=5),
            "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh"]),
            "presence_penalty": st.sampled_from([-2, 0.5]),
            "frequency_penalty": st.sampled_from([-2, 0.5]),
            "logprobs": st.booleans(),
            "logit_bias": st.just({"1": 5}),
            "parallel_tool_calls": st.booleans(),
            "response_format": st.sampled_from([
                {"type": "text"},
                {"type": "json_object"},
                {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}},
            ]),
            "store": st.booleans(),
            "metadata": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
            "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]),
            "verbosity": st.sampled_from(["low", "high"]),
            "prediction": st.just({"type": "content", "content": "x"}),
            "web_search_options": st.just({"search_context_size": "low"}),
        },
    ),
    Format.ANTHROPIC: st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(["claude-sonnet-4-5", "m"]),
            "stream": st.booleans(),
            "top_p": st.sampled_from([0.1, 1]),
            "top_k": st.integers(1, 50),
            "metadata": st.just({"user_id": "u"}),
            "service_tier": st.sampled_from(["auto", "standard_only"]),
            "thinking": st.sampled_from([
                {"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}, {"type": "disabled"},
            ]),
            "output_config": st.sampled_from([
                {"effort": "low"}, {"effort": "max"}, {"format": {"type": "json_schema", "schema": {"type": "object"}}},
            ]),
            "context_management": st.just({"edits": [{"type": "clear_tool_uses_20250919"}]}),
            "container": st.just("c"),
        },
    ),
    Format.RESPONSES: st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(["gpt-5", "m"]),
            "stream": st.booleans(),
            "store": st.booleans(),
            "include": st.just(["reasoning.encrypted_content"]),
            "reasoning": st.sampled_from([{"effort": "high", "summary": "auto"}, {"effort": "none"}, {}]),
            "text": st.sampled_from([
                {"verbosity": "low"}, {"format": {"type": "text"}}, {"format": {"type": "json_object"}},
                {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            ]),
            "truncation": st.sampled_from(["auto", "disabled"]),
            "parallel_tool_calls": st.booleans(),
            "metadata": st.just({"a": "b"}),
            "prompt_cache_key": st.text(max_size=5),
            "top_p": st.sampled_from([0.1, 1]),
            "top_logprobs": st.integers(0, 5),
            "user": st.text(max_size=5),
        },
    ),
}  # fmt: skip
COMPLETIONS = st.fixed_dictionaries(
    {"prompt": st.text(min_size=1, max_size=9) | st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=1)},
    optional={
        "model": st.just("m"),
        "max_tokens": st.integers(1, 99),
        "temperature": st.sampled_from([0, 1.5]),
        "stop": st.text(min_size=1, max_size=3) | st.lists(st.text(min_size=1, max_size=3), max_size=3),
        "stream": st.booleans(),
        "echo": st.just(False),
        "n": st.just(1),
    },
)
STREAMS = {
    Format.CHAT: CHAT_STREAMS,
    Format.ANTHROPIC: ANTHROPIC_STREAMS,
    Format.RESPONSES: RESPONSES_STREAMS,
    Format.CONVERSE: {**CONVERSE_STREAMS, **BROKEN_STREAMS},
    Format.GEMINI: GEMINI_STREAMS,
}
many = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
pairs = st.sampled_from(PAIRS)


def cell(client: Format, upstream: Format, provider: str = "", model: str = "m") -> Translator:
    if not provider:
        provider, model = PROVIDER_MODELS[upstream][0]
    return translator(client, upstream, Context(PROVIDERS[provider], model, request_id="req-1"))


@st.composite
def requests(draw: st.DrawFn, client: Format) -> Json:
    """A valid request of a client."""
    if client is Format.COMPLETIONS:
        return draw(COMPLETIONS)
    talk: Conversation = draw(conversations())
    return WRITERS[client](talk) | draw(EXTRAS[client])


def outcome(made: Translator, body: Json) -> bytes | GatewayError:
    """The provider's request as it goes on the wire, or the error the client is told."""
    try:
        return request_bytes(made.request(body))
    except GatewayError as refusal:
        return refusal


@many
@given(pairs, st.data())
def test_a_valid_request_is_translated_or_refused_with_the_member_that_is_in_the_way(
    pair: tuple[Format, Format], data: st.DataObject
) -> None:
    client, upstream = pair
    target = data.draw(st.sampled_from(PROVIDER_MODELS[upstream]))
    found = outcome(cell(client, upstream, *target), data.draw(requests(client)))
    if isinstance(found, GatewayError):
        assert (found.status, bool(found.param)) == (400, True)
    else:
        assert isinstance(orjson.loads(found), dict)


@many
@given(pairs, st.data())
def test_a_broken_request_is_translated_or_refused(pair: tuple[Format, Format], data: st.DataObject) -> None:
    client, upstream = pair
    target = data.draw(st.sampled_from(PROVIDER_MODELS[upstream]))
    body = data.draw(broken(data.draw(requests(client))) | st.dictionaries(st.text(max_size=5), JSON))
    if not isinstance(body, dict):
        return  # the gateway refuses it before it picks a translator
    found = outcome(cell(client, upstream, *target), body)
    assert isinstance(found, bytes) or found.status == 400


@many
@given(pairs, JSON, st.booleans())
def test_any_json_is_an_answer_or_an_invalid_one(pair: tuple[Format, Format], body: Any, stream: bool) -> None:
    made = cell(*pair)
    with contextlib.suppress(InvalidUpstreamResponse):
        if stream:
            assert isinstance(made.response_as_stream(body), bytes)
        else:
            assert isinstance(orjson.dumps(made.response(body)), bytes)


HELLO = Conversation(turns=(Turn("user", ("Hi",)),))


def new_stream(client: Format, upstream: Format) -> StreamTranslator:
    made = cell(client, upstream)
    body: Json = {"prompt": "Hi"} if client is Format.COMPLETIONS else WRITERS[client](HELLO)
    made.request(body | {"stream": True})
    return made.stream()


def played(client: Format, upstream: Format, chunks: list[bytes]) -> bytes:
    stream = new_stream(client, upstream)
    return b"".join([*(stream.decode(chunk) for chunk in chunks), stream.flush()])


def without_chance(stream: bytes) -> bytes:
    """The stream without what is random or reads the clock."""
    stream = re.sub(rb'"(created|created_at|completed_at)":[\d.]+', b"", stream)
    return re.sub(rb"([a-z]+[_-])[0-9a-f]{24,50}", rb"\1", stream)


@many
@given(pairs, st.data(), st.lists(st.integers(0, 6000), max_size=12))
def test_a_stream_is_the_same_however_it_is_cut(
    pair: tuple[Format, Format], data: st.DataObject, cuts: list[int]
) -> None:
    recorded = STREAMS[pair[1]]
    whole = recorded[data.draw(st.sampled_from(sorted(recorded)))]
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    chunks = [whole[start:stop] for start, stop in itertools.pairwise(places)]
    assert without_chance(played(*pair, chunks)) == without_chance(played(*pair, [whole]))


@st.composite
def broken_streams(draw: st.DrawFn, spoken: Format) -> bytes:
    """A recorded stream, some of whose events are broken, gone, doubled, or no JSON."""
    whole = STREAMS[spoken][draw(st.sampled_from(sorted(STREAMS[spoken])))]
    events = _frames(whole) if spoken is Format.CONVERSE else [(b"", block) for block in whole.split(b"\n\n")]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(events) - 1, 0)))
        if not events:
            break
        head, payload = events[at]
        if draw(st.booleans()):
            events[at : at + 1] = [events[at]] * draw(st.sampled_from([0, 2]))
            continue
        events[at] = (head, _with_broken_json(draw, payload))
    if spoken is Format.CONVERSE:
        return b"".join(encode_frame(orjson.loads(head), payload) for head, payload in events)
    return b"\n\n".join(payload for _, payload in events)


def _with_broken_json(draw: st.DrawFn, block: bytes) -> bytes:
    start = block.find(b"{")
    try:
        document = orjson.loads(block[start:])
    except orjson.JSONDecodeError:
        return draw(st.binary(max_size=30))
    return block[: max(start, 0)] + orjson.dumps(draw(broken(document)))


def _frames(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The headers, as JSON, and payloads of a binary stream, up to where it is damaged."""
    try:
        found = EventStreamDecoder().decode(stream)
    except InvalidFrame as fault:
        found = fault.frames
    return [(orjson.dumps(dict(frame.headers)), frame.payload) for frame in found]


@many
@given(pairs, st.data())
def test_a_stream_of_broken_events_ends_well_or_with_one_error(
    pair: tuple[Format, Format], data: st.DataObject
) -> None:
    client, upstream = pair
    stream = new_stream(client, upstream)
    out = stream.decode(data.draw(broken_streams(upstream))) + stream.flush()
    if stream.failed and client is not upstream:
        assert out.count(b'"error":{') >= 1
    assert stream.decode(b"data: {}\n\n") == b"" or client is upstream
    assert stream.flush() == b""


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@given(chunks=st.lists(st.binary(max_size=60)))
def test_a_stream_of_any_bytes_never_raises(client: Format, upstream: Format, chunks: list[bytes]) -> None:
    played(client, upstream, chunks)
