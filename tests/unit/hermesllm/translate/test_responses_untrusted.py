"""Whatever arrives at the cells with a Responses side, they answer with the typed errors and nothing else."""

import contextlib
import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesllm.errors import InvalidRequest, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from hermesllm.translate.chat_to_anthropic import ChatToAnthropic
from hermesllm.translate.hub import Hub
from hermesllm.translate.responses_aggregate import response_in_stream
from hermesllm.translate.responses_to_chat import ResponsesToChat
from hermesllm.translate.responses_to_chat_input import Target
from tests.unit.hermesllm.translate.recorded_responses_streams import (
    CITATION,
    PATCH,
    REASONING,
    RESPONSES_STREAMS,
    SEARCH,
    USAGE,
    call_item,
)
from tests.unit.hermesllm.translate.recorded_streams import ANTHROPIC_STREAMS, CHAT_STREAMS
from tests.unit.hermesllm.translate.test_untrusted_json import (
    ANTHROPIC_REQUEST,
    ANTHROPIC_RESPONSE,
    CHAT_REQUEST,
    CHAT_RESPONSE,
    JSON,
    JUNK,
    broken,
    many,
    places,
    replaced,
)

RESPONSES_REQUEST: dict[str, Any] = {
    "model": "m",
    "instructions": "S",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "x"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
            ],
        },
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}],
         "encrypted_content": "thinking.v1:s"},
        {"type": "message", "role": "assistant", "id": "m",
         "content": [{"type": "output_text", "text": "t"}, {"type": "refusal", "refusal": "r"}]},
        {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "i"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "o"},
         {"type": "input_image", "image_url": "https://x/y.png"}]},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "o"},
        {"type": "web_search_call", "id": "ws", "status": "completed"},
    ],
    "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
        {"type": "custom", "name": "g", "format": {"type": "text"}},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "h"}]},
        {"type": "web_search", "user_location": {"type": "approximate", "city": "c"}},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 9,
    "temperature": 0.5,
    "top_logprobs": 2,
    "metadata": {"a": "b"},
    "store": False,
    "stream": True,
}  # fmt: skip
RESPONSES_RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "created_at": 1,
    "model": "m",
    "status": "incomplete",
    "incomplete_details": {"reason": "content_filter"},
    "error": None,
    "output": [
        REASONING,
        SEARCH,
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "t",
                    "annotations": [CITATION],
                    "logprobs": [{"token": "t", "logprob": -0.1, "bytes": [1], "top_logprobs": []}],
                },
                {"type": "refusal", "refusal": "r"},
            ],
        },
        call_item("c", "f", '{"a":1}'),
        PATCH,
    ],
    "usage": USAGE,
}
REQUESTS = {
    Format.CHAT: CHAT_REQUEST,
    Format.ANTHROPIC: ANTHROPIC_REQUEST,
    Format.RESPONSES: RESPONSES_REQUEST,
}
ANSWERS = {
    Format.CHAT: CHAT_RESPONSE,
    Format.ANTHROPIC: ANTHROPIC_RESPONSE,
    Format.RESPONSES: RESPONSES_RESPONSE,
}
STREAMS = {Format.CHAT: CHAT_STREAMS, Format.ANTHROPIC: ANTHROPIC_STREAMS, Format.RESPONSES: RESPONSES_STREAMS}
PAIRS = [
    (Format.RESPONSES, Format.CHAT),
    (Format.RESPONSES, Format.ANTHROPIC),
    (Format.CHAT, Format.RESPONSES),
    (Format.ANTHROPIC, Format.RESPONSES),
    (Format.RESPONSES, Format.RESPONSES),
    (Format.RESPONSES, "hub"),
]
MODELS = st.sampled_from(["claude-opus-4-1", "claude-sonnet-4-6", "gpt-5", "gpt-5-search", "o3", "m"])
PROVIDER_IDS = st.sampled_from(sorted(PROVIDERS))


def cell(client: Format, upstream: Any, model: str = "claude-opus-4-1", provider: str = "openrouter") -> Translator:
    context = Context(PROVIDERS[provider], model)
    if upstream == "hub":
        return Hub(ResponsesToChat(context, onward=Target(thinking_blocks=True)), ChatToAnthropic(context))
    return translator(client, upstream, context)


def spoken(upstream: Any) -> Format:
    return Format.ANTHROPIC if upstream == "hub" else upstream


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_junk_in_any_place_of_a_request_is_translated_or_refused(client: Format, upstream: Any) -> None:
    for path in places(REQUESTS[client])[1:]:
        for junk in JUNK:
            with contextlib.suppress(InvalidRequest):
                cell(client, upstream).request(replaced(REQUESTS[client], path, junk))


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_junk_in_any_place_of_an_answer_is_translated_or_called_invalid(client: Format, upstream: Any) -> None:
    answer = ANSWERS[spoken(upstream)]
    for path in places(answer):
        for junk in JUNK:
            for render in ("response", "response_as_stream"):
                with contextlib.suppress(InvalidUpstreamResponse):
                    getattr(cell(client, upstream), render)(replaced(answer, path, junk))


@many
@given(st.sampled_from(PAIRS), MODELS, PROVIDER_IDS, st.data())
def test_any_request_is_translated_or_refused(
    pair: tuple[Format, Any], model: str, provider: str, data: st.DataObject
) -> None:
    body = data.draw(broken(REQUESTS[pair[0]]) | st.dictionaries(st.text(max_size=5), JSON))
    if isinstance(body, dict):
        with contextlib.suppress(InvalidRequest):
            assert cell(*pair, model, provider).request(body)["model"] == model


@many
@given(st.sampled_from(PAIRS), st.data())
def test_any_answer_is_translated_or_called_invalid(pair: tuple[Format, Any], data: st.DataObject) -> None:
    body = data.draw(broken(ANSWERS[spoken(pair[1])]) | JSON)
    for render in ("response", "response_as_stream"):
        with contextlib.suppress(InvalidUpstreamResponse):
            getattr(cell(*pair), render)(copy.deepcopy(body))


def check_stream(pair: tuple[Format, Any], chunks: list[bytes]) -> None:
    stream = cell(*pair).stream()
    for chunk in chunks:
        stream.decode(chunk)
    stream.flush()


@many
@given(st.sampled_from(PAIRS), st.data())
def test_streams_of_broken_events_never_raise(pair: tuple[Format, Any], data: st.DataObject) -> None:
    recorded = STREAMS[spoken(pair[1])]
    lines = recorded[data.draw(st.sampled_from(sorted(recorded)))].split(b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        head, _, payload = lines[at].partition(b" ")
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError:
            lines[at] = data.draw(st.binary(max_size=30))
        else:
            lines[at] = head + b" " + orjson.dumps(data.draw(broken(document)))
    broken_stream = b"\n".join(lines)
    check_stream(pair, [broken_stream])
    with contextlib.suppress(InvalidUpstreamResponse):
        assert isinstance(response_in_stream(broken_stream), dict)


@many
@given(
    st.sampled_from(PAIRS),
    st.lists(st.binary(max_size=40) | st.sampled_from([b"data: ", b"\n\n", b"event: error\n", b"{}"])),
)
def test_streams_of_any_bytes_never_raise(pair: tuple[Format, Any], chunks: list[bytes]) -> None:
    check_stream(pair, chunks)
    with contextlib.suppress(InvalidUpstreamResponse):
        response_in_stream(b"".join(chunks))


@pytest.mark.parametrize("depth", [200, 240, 246, 250, 252, 254, 300, 1000, 3000])
def test_deeply_nested_events_never_raise(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    call = b'{"type": "function_call", "name": "f", "arguments": "", "x": %s}' % deep
    for item in (call, b'{"type": "reasoning", "summary": %s}' % deep, b'{"type": "message", "content": %s}' % deep):
        for kind in (b"response.output_item.added", b"response.output_item.done"):
            event = b'data: {"type": "%s", "output_index": 0, "item": %s}\n\n' % (kind, item)
            end = b'data: {"type": "response.completed", "response": {"output": [%s]}}\n\n' % item
            for client in (Format.CHAT, Format.ANTHROPIC):
                check_stream((client, Format.RESPONSES), [event, end])
    block = b'{"type": "tool_use", "id": "a", "name": "f", "input": {"a": %s}}' % deep
    start = b'data: {"type": "content_block_start", "content_block": %s}\n\n' % block
    check_stream((Format.RESPONSES, Format.ANTHROPIC), [start, b'data: {"type": "content_block_stop"}\n\n'])
    arguments = b'{"function": {"name": "f", "arguments": {"a": %s}}, "extra_content": {"google": %s}}' % (deep, deep)
    chunk = b'data: {"choices": [{"delta": {"tool_calls": [%s]}, "finish_reason": "stop"}]}\n\n' % arguments
    check_stream((Format.RESPONSES, Format.CHAT), [chunk, b"data: [DONE]\n\n"])


@pytest.mark.parametrize("depth", [200, 240, 244, 246, 248, 250, 252])
def test_a_deeply_nested_schema_does_not_break_the_stream_that_repeats_it(depth: int) -> None:
    schema: Any = {}
    for _ in range(depth):
        schema = {"a": schema}
    made = cell(Format.RESPONSES, Format.CHAT)
    made.request({"input": "Hi", "tools": [{"type": "function", "name": "f", "parameters": schema}]})
    stream = made.stream()
    out = stream.decode(CHAT_STREAMS["text without usage"]) + stream.flush()
    assert b"response.completed" in out
