"""Whatever JSON clients and providers send, translation answers with its own errors and nothing else."""

import contextlib
import copy
import itertools
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermesllm.error_bodies import read_upstream_error, render_error
from hermesllm.errors import InvalidRequest, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from tests.unit.hermesllm.translate.recorded_streams import ANTHROPIC_STREAMS, CHAT_STREAMS

BOTH = (Format.CHAT, Format.ANTHROPIC)  # the other formats have tests of their own beside this one
FORMATS = st.sampled_from(BOTH)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["user", "tool", "text", "function", "auto", "data:,", "https://a/b.pdf", '{"error": {}}'])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
DEEP = b"[" * 500 + b"]" * 500  # deeper than orjson writes, not deeper than it reads
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    [],
    [None],
    [1],
    ["x"],
    [{}],
    {},
    {"type": []},
    {"type": "text"},
    DEEP,
)

CHAT_REQUEST: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "user",
            "name": "n",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,AA=="}},
            ],
        },
        {
            "role": "assistant",
            "content": "x",
            "refusal": "no",
            "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}],
            "reasoning_details": [{"type": "reasoning.text", "text": "t", "signature": "s"}],
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            "function_call": {"name": "g", "arguments": "{}"},
        },
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "r"}], "is_error": True},
        {"role": "function", "name": "g", "content": "r"},
    ],
    "n": 1,
    "max_tokens": 10,
    "temperature": 1.5,
    "top_p": 0.5,
    "top_k": 5,
    "stop": ["a", " "],
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}],
    "functions": [{"name": "g"}],
    "function_call": {"name": "g"},
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
    },
    "parallel_tool_calls": False,
    "user": "u",
    "metadata": {"user_id": "u", "x": 1, "plano_preference_config": "y"},
    "reasoning_effort": "high",
    "reasoning": {"effort": "low", "max_tokens": 5, "enabled": True},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "service_tier": "auto",
    "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "c"}}},
    "output_config": {"effort": "low"},
    "logit_bias": {"1": 1},
}
ANTHROPIC_REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 10,
    "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                {"type": "document", "title": "t", "source": {"type": "text", "data": "d"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "c"}]}},
                {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "x"}]},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "server_tool_use", "id": "v", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "v", "content": [{"title": "t", "url": "u"}]},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "r"},
                        {"type": "image", "source": {"type": "url", "url": "u"}},
                    ],
                }
            ],
        },
    ],
    "stop_sequences": ["a", "b"],
    "temperature": 0.5,
    "top_k": 5,
    "stream": True,
    "tools": [
        {"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "web_search_20250305", "name": "web_search", "user_location": {"type": "approximate", "city": "c"}},
    ],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "metadata": {"user_id": "u", "archgw_preference_config": "y"},
    "service_tier": "auto",
}
CHAT_RESPONSE: dict[str, Any] = {
    "id": "i",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "stop_reason": "END",
            "message": {
                "content": "text",
                "refusal": "no",
                "reasoning_content": "r",
                "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}],
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 2},
                    }
                ],
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
                "function_call": {"name": "f", "arguments": "{}"},
            },
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
}
ANTHROPIC_RESPONSE: dict[str, Any] = {
    "id": "i",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "x", "citations": [{"type": "web_search_result_location", "url": "u", "title": "t"}]},
        {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": "END",
    "stop_details": {"explanation": "e"},
    "usage": {"input_tokens": 1, "output_tokens": 2, "service_tier": "standard"},
}
REQUESTS = {Format.CHAT: CHAT_REQUEST, Format.ANTHROPIC: ANTHROPIC_REQUEST}
RESPONSES = {Format.CHAT: CHAT_RESPONSE, Format.ANTHROPIC: ANTHROPIC_RESPONSE}
PAIRS = list(itertools.product(BOTH, BOTH))
STREAMS = {Format.CHAT: CHAT_STREAMS, Format.ANTHROPIC: ANTHROPIC_STREAMS}

many = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of every value in a document."""
    found = [path]
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        found += places(value, (*path, key))
    return found


@st.composite
def broken(draw: st.DrawFn, document: Any) -> Any:
    """A valid document with up to three of its values replaced by something else, or removed."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        value = draw(JSON)
        if not path:
            return value
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            del holder[path[-1]]
        else:
            holder[path[-1]] = value
    return document


def cell(client: Format, upstream: Format, model: str = "claude-opus-4-1", provider: str = "openrouter") -> Translator:
    return translator(client, upstream, Context(PROVIDERS[provider], model))


MODELS = st.sampled_from(["claude-opus-4-1", "claude-sonnet-4-6", "claude-fable-5", "gpt-5-search", "kimi-k3", "m"])
PROVIDER_IDS = st.sampled_from(sorted(PROVIDERS))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    value = orjson.loads(value) if isinstance(value, bytes) else copy.deepcopy(value)
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return changed


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_junk_in_any_place_of_a_request_is_translated_or_refused(client: Format, upstream: Format) -> None:
    refusals = []
    for path in places(REQUESTS[client])[1:]:
        for junk in JUNK:
            try:
                cell(client, upstream).request(replaced(REQUESTS[client], path, junk))
            except InvalidRequest as error:
                refusals.append(error)
    assert refusals or client is upstream
    assert all(error.param and error.status == 400 for error in refusals)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_junk_in_any_place_of_an_answer_is_translated_or_called_invalid(client: Format, upstream: Format) -> None:
    for path in places(RESPONSES[upstream]):
        for junk in JUNK:
            for render in ("response", "response_as_stream"):
                body = replaced(RESPONSES[upstream], path, junk)
                with contextlib.suppress(InvalidUpstreamResponse):
                    getattr(cell(client, upstream), render)(body)


@many
@given(FORMATS, FORMATS, MODELS, PROVIDER_IDS, st.data())
def test_any_request_is_translated_or_refused(
    client: Format, upstream: Format, model: str, provider: str, data: st.DataObject
) -> None:
    body = data.draw(broken(REQUESTS[client]) | st.dictionaries(st.text(max_size=5), JSON))
    if not isinstance(body, dict):
        return  # the gateway refuses it before it picks a translator
    with contextlib.suppress(InvalidRequest):
        assert cell(client, upstream, model, provider).request(body)["messages"]


@many
@given(FORMATS, FORMATS, st.data())
def test_any_answer_is_translated_or_called_invalid(client: Format, upstream: Format, data: st.DataObject) -> None:
    body = data.draw(broken(RESPONSES[upstream]) | JSON)
    for render in ("response", "response_as_stream"):
        with contextlib.suppress(InvalidUpstreamResponse):
            getattr(cell(client, upstream), render)(body)


def check_stream(client: Format, upstream: Format, chunks: list[bytes]) -> None:
    stream = cell(client, upstream).stream()
    for chunk in chunks:
        stream.decode(chunk)
    stream.flush()


@many
@given(FORMATS, FORMATS, st.data())
def test_streams_of_broken_events_never_raise(client: Format, upstream: Format, data: st.DataObject) -> None:
    lines = STREAMS[upstream][data.draw(st.sampled_from(sorted(STREAMS[upstream])))].split(b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        head, _, payload = lines[at].partition(b" ")
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError:
            lines[at] = data.draw(st.binary(max_size=30))
        else:
            lines[at] = head + b" " + orjson.dumps(data.draw(broken(document)))
    check_stream(client, upstream, [b"\n".join(lines)])


@many
@given(FORMATS, FORMATS, st.lists(st.binary(max_size=40) | st.sampled_from([b"data: ", b"\n\n", b"event: x\n", b"{}"])))
def test_streams_of_any_bytes_never_raise(client: Format, upstream: Format, chunks: list[bytes]) -> None:
    check_stream(client, upstream, chunks)


@pytest.mark.parametrize("name", ["content_block_start", "content_block_delta", "message_start", "message_delta"])
@pytest.mark.parametrize("depth", [200, 300, 1000, 3000])
def test_deeply_nested_events_never_raise(name: str, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for member in (b"delta", b"content_block", b"message", b"x"):
        for inner in (deep, b'{"type": "citations_delta", "citation": {"a": %s}}' % deep, b'{"input": %s}' % deep):
            event = b'data: {"type": "%s", "%s": %s}\n\n' % (name.encode(), member, inner)
            stop = b'data: {"type": "content_block_stop"}\n\n'
            check_stream(Format.CHAT, Format.ANTHROPIC, [event, stop])
            choice = b'data: {"choices": [{"delta": %s}]}\n\n' % inner
            arguments = b'data: {"choices": [{"delta": {"function_call": {"name": "f", "arguments": %s}}}]}\n\n' % inner
            check_stream(Format.ANTHROPIC, Format.CHAT, [choice, arguments])


@many
@given(FORMATS, FORMATS, st.integers(400, 599), st.sampled_from(["application/json", "text/html", ""]), st.data())
def test_any_error_body_is_read_and_rendered(
    client: Format, upstream: Format, status: int, content_type: str, data: st.DataObject
) -> None:
    body = data.draw(st.binary(max_size=60) | JSON.map(orjson.dumps) | error_documents().map(orjson.dumps))
    report = read_upstream_error(upstream, status, content_type, body)
    assert report.message
    assert isinstance(orjson.loads(render_error(client, report)), dict)


def error_documents() -> st.SearchStrategy[Any]:
    names = st.sampled_from(["error", "message", "type", "code", "param", "detail", "msg", "loc", "metadata", "raw"])
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=8,
    )
