"""Gemini's streams for both clients: cut anywhere, broken anywhere, read by the official SDKs."""

import contextlib
import itertools
import re
from typing import Any

import orjson
import pytest
from anthropic import APIStatusError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import APIError

from hermesllm.errors import InvalidRequest, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from tests.unit.hermesllm.translate.gemini_sdks import USER, translated
from tests.unit.hermesllm.translate.recorded_gemini_streams import (
    CITED,
    GEMINI_STREAMS,
    GROUNDING,
    answer,
    call,
    text,
    thought,
)
from tests.unit.hermesllm.translate.recorded_streams import sse
from tests.unit.hermesllm.translate.test_streams_in_sdks import read_by_anthropic, read_by_openai
from tests.unit.hermesllm.translate.test_untrusted_json import (
    ANTHROPIC_REQUEST,
    CHAT_REQUEST,
    JSON,
    JUNK,
    broken,
    places,
    replaced,
)

CLIENTS = [Format.CHAT, Format.ANTHROPIC]
COMPLETE = [name for name in GEMINI_STREAMS if not name.startswith(("error", "gave", "cut", "not"))]
BROKEN = [name for name in GEMINI_STREAMS if name not in COMPLETE]


def new(client: Format, model: str = "gemini-3-pro-preview") -> Translator:
    return translator(client, Format.GEMINI, Context(PROVIDERS["vertex"], model, request_id="req-1"))


def decoded(client: Format, chunks: list[bytes]) -> bytes:
    stream = new(client).stream()
    out = b"".join([*(stream.decode(chunk) for chunk in chunks), stream.flush(), stream.flush(), stream.decode(b"x")])
    out = re.sub(rb'"created":\d+', b'"created":0', out)
    return re.sub(rb"(msg_|chatcmpl-|toolu_|call_)[0-9a-f]{24,32}", rb"\1", out)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", GEMINI_STREAMS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_bytes_one_by_one_give_the_same_stream(client: Format, name: str, line_end: bytes) -> None:
    whole = GEMINI_STREAMS[name].replace(b"\n", line_end)
    assert _without_ids(decoded(client, [whole[at : at + 1] for at in range(len(whole))])) == _without_ids(
        decoded(client, [GEMINI_STREAMS[name]])
    )


def _without_ids(stream: bytes) -> bytes:
    return re.sub(rb"srvtoolu_[0-9a-f]{24}", b"srvtoolu_", stream)


@settings(max_examples=200, deadline=None)
@given(
    client=st.sampled_from(CLIENTS),
    name=st.sampled_from(sorted(GEMINI_STREAMS)),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
    crlf=st.booleans(),
)
def test_random_cuts_give_the_same_stream(client: Format, name: str, cuts: list[int], crlf: bool) -> None:
    whole = GEMINI_STREAMS[name].replace(b"\n", b"\r\n" if crlf else b"\n")
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    chunks = [whole[start:stop] for start, stop in itertools.pairwise(places)]
    assert _without_ids(decoded(client, chunks)) == _without_ids(decoded(client, [GEMINI_STREAMS[name]]))


HELLO = {"type": "text", "text": "Hello"}
THOUGHT = {"type": "thinking", "thinking": "The user greets.", "signature": "gemini.thought.v1:"}
WEATHER = {"type": "tool_use", "id": "fc-1", "name": "get_weather", "input": {"city": "Köln"}}
SIGNED = {"type": "redacted_thinking", "data": "gemini.next.v1:c2ln"}


@pytest.mark.parametrize(
    ("name", "content", "stop_reason"),
    [
        ("text", [{"type": "text", "text": "Grüße aus 東京 🗼\n\ndata: x"}], "end_turn"),
        ("text in one event", [HELLO], "max_tokens"),
        ("finish without content", [HELLO], "end_turn"),
        (
            "thoughts, then text",
            [THOUGHT, HELLO, {"type": "redacted_thinking", "data": "gemini.alone.v1:dGV4dA=="}],
            "end_turn",
        ),
        (
            "signed thought, then signed text",
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "gemini.thought.v1:dGhvdWdodA=="},
                HELLO,
                {"type": "redacted_thinking", "data": "gemini.before.v1:dGV4dA=="},
            ],
            "end_turn",
        ),
        (
            "text, then parallel calls",
            [
                {"type": "text", "text": "Let me see."},
                SIGNED,
                WEATHER,
                {"type": "tool_use", "id": "fc-2", "name": "get_time", "input": {"zone": "CET"}},
            ],
            "tool_use",
        ),
        (
            "calls in two events",
            [
                {**THOUGHT, "thinking": "Hm."},
                SIGNED,
                WEATHER,
                {"type": "tool_use", "id": "fc-2", "name": "get_time", "input": {}},
            ],
            "tool_use",
        ),
        (
            "an image",
            [
                {"type": "text", "text": "Here:![image](data:image/png;base64,AAAA)"},
                {"type": "redacted_thinking", "data": "gemini.before.v1:aW1n"},
            ],
            "end_turn",
        ),
        ("filtered", [{"type": "text", "text": "I"}], "refusal"),
        ("prompt blocked", [{"type": "text", "text": ""}], "refusal"),
        ("two candidates", [{"type": "text", "text": "One."}], "end_turn"),
    ],
)
def test_the_anthropic_sdk_reads_translated_streams(name: str, content: list[Any], stop_reason: str) -> None:
    message = read_by_anthropic(translated(Format.ANTHROPIC, GEMINI_STREAMS[name]))
    assert message["content"] == content
    assert message["stop_reason"] == stop_reason
    usage = message["usage"]
    expected = (30, 0, 0) if name == "prompt blocked" else (20, 10, 12)
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == expected


def test_the_anthropic_sdk_reads_citations() -> None:
    (block,) = read_by_anthropic(translated(Format.ANTHROPIC, GEMINI_STREAMS["grounded"]))["content"]
    assert block["text"] == CITED
    assert [each["url"] for each in block["citations"]] == ["https://example.com/a", "https://example.com/b"]
    assert block["citations"][0]["cited_text"] == "Spain won Euro 2024"


def chat_call(index: int, name: str, arguments: str, **extra: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": f"fc-{index + 1}", "type": "function", "function": function, **extra}


CALLS = [
    chat_call(0, "get_weather", '{"city":"Köln"}', extra_content={"google": {"thought_signature": "c2ln"}}),
    chat_call(1, "get_time", '{"zone":"CET"}'),
]


@pytest.mark.parametrize(
    ("name", "members", "finish_reason"),
    [
        ("text", {"content": "Grüße aus 東京 🗼\n\ndata: x"}, "stop"),
        ("text in one event", {"content": "Hello"}, "length"),
        (
            "thoughts, then text",
            {
                "content": "Hello",
                "reasoning_content": "The user greets.",
                "thinking_blocks": [{"index": 0, **THOUGHT}],
                "extra_content": {"google": {"thought_signature": "dGV4dA=="}},
            },
            "stop",
        ),
        ("text, then parallel calls", {"content": "Let me see.", "tool_calls": CALLS}, "tool_calls"),
        (
            "an image",
            {
                "content": "Here:",
                "images": [
                    {
                        "index": 0,
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AAAA"},
                        "extra_content": {"google": {"thought_signature": "aW1n"}},
                    }
                ],
            },
            "stop",
        ),
        ("filtered", {"content": "I", "refusal": "Not this."}, "content_filter"),
        (
            "prompt blocked",
            {"content": "", "refusal": "Gemini blocked the prompt: PROHIBITED_CONTENT"},
            "content_filter",
        ),
    ],
)
def test_the_openai_sdk_reads_translated_streams(name: str, members: dict[str, Any], finish_reason: str) -> None:
    completion = read_by_openai(translated(Format.CHAT, GEMINI_STREAMS[name]))
    (choice,) = completion["choices"]
    message = {key: value for key, value in choice["message"].items() if value is not None}
    for tool_call in message.get("tool_calls", []):
        tool_call["function"].pop("parsed_arguments", None)
    assert message == {"role": "assistant", **members}
    assert choice["finish_reason"] == finish_reason
    assert completion["usage"]["prompt_tokens"] == 30


def test_the_openai_sdk_reads_several_candidates() -> None:
    completion = read_by_openai(translated(Format.CHAT, GEMINI_STREAMS["two candidates"]))
    said = [(each["index"], each["message"]["content"], each["finish_reason"]) for each in completion["choices"]]
    assert said == [(0, "One.", "stop"), (1, "Two!", "stop")]


def test_the_openai_sdk_reads_annotations() -> None:
    completion = read_by_openai(translated(Format.CHAT, GEMINI_STREAMS["grounded"]))
    message = completion["choices"][0]["message"]
    assert [each["url_citation"]["end_index"] for each in message["annotations"]] == [19, 19]
    assert message["grounding_metadata"] == GROUNDING


@pytest.mark.parametrize("name", BROKEN)
def test_the_sdks_raise_for_streams_that_broke(name: str) -> None:
    with pytest.raises(APIStatusError) as anthropic:
        read_by_anthropic(translated(Format.ANTHROPIC, GEMINI_STREAMS[name]))
    with pytest.raises(APIError) as openai:
        read_by_openai(translated(Format.CHAT, GEMINI_STREAMS[name]))
    words = {
        "error in the middle": "overloaded",
        "error in a list": "Quota exceeded",
        "error without data": "Internal error",
        "gave up": "Malformed call",
        "cut": "ended the stream",
        "not JSON": "not JSON",
    }[name]
    assert words in str(anthropic.value)
    assert words in str(openai.value)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", COMPLETE)
def test_nothing_follows_the_end_and_usage_is_known(client: Format, name: str) -> None:
    stream = new(client).stream()
    out = stream.decode(GEMINI_STREAMS[name]) + stream.flush()
    assert out.endswith(b"data: [DONE]\n\n" if client is Format.CHAT else b'{"type":"message_stop"}\n\n')
    assert stream.usage is not None
    assert not stream.failed


@pytest.mark.parametrize("client", CLIENTS)
def test_a_json_answer_can_be_sent_as_a_stream(client: Format) -> None:
    body = answer(thought("Hm."), text("Hello"), call("f", {"a": 1}, "c2ln"), finish="STOP")
    cell = new(client)
    cell.request({"messages": [USER], "max_tokens": 5, "stream_options": {"include_usage": True}})
    stream = cell.response_as_stream(body)
    if client is Format.CHAT:
        assert read_by_openai(stream)["choices"][0]["finish_reason"] == "tool_calls"
    else:
        assert read_by_anthropic(stream)["stop_reason"] == "tool_use"


ANSWER = answer(
    thought("Hm.", "dGg="),
    text("Hello", "dHh0"),
    call("f", {"a": 1}, "c2ln", "id-1"),
    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    {"executableCode": {"language": "PYTHON", "code": "x"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "y"}},
    finish="STOP",
    candidate={
        "finishMessage": "m",
        "groundingMetadata": GROUNDING,
        "citationMetadata": {"citations": [{"startIndex": 0, "endIndex": 2, "uri": "u"}]},
        "logprobsResult": {
            "chosenCandidates": [{"token": "H", "logProbability": -1.0}],
            "topCandidates": [{"candidates": [{"token": "H", "logProbability": -1.0}]}],
        },
        "safetyRatings": [{"category": "c", "probability": "LOW"}],
    },
    promptFeedback={"blockReason": "SAFETY"},
)
GEMINI_CHAT_REQUEST: dict[str, Any] = {
    **CHAT_REQUEST,
    "messages": [
        *CHAT_REQUEST["messages"],
        {
            "role": "assistant",
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
            "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "gemini.thought.v1:c2ln"}],
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        },
        {
            "role": "user",
            "content": [
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
                {"type": "video_url", "video_url": {"url": "https://e.org/v.mp4"}},
            ],
        },
    ],
    "modalities": ["text", "image"],
    "logprobs": True,
    "top_logprobs": 2,
    "extra_body": {"google": {"thinking_config": {"thinking_budget": 1}, "cached_content": "c"}},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "seed": 1,
}
CARRIERS = [
    {"type": "redacted_thinking", "data": f"gemini.{kind}.v1:c2ln"} for kind in ("next", "before", "alone", "other")
]
GEMINI_ANTHROPIC_REQUEST: dict[str, Any] = {
    **ANTHROPIC_REQUEST,
    "messages": [
        *ANTHROPIC_REQUEST["messages"],
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "gemini.thought.v1:"},
                *CARRIERS,
                {"type": "text", "text": "![image](data:image/png;base64,AA==)"},
                {"type": "server_tool_use", "id": "s", "name": "code_execution", "input": {"code": "x"}},
                {"type": "code_execution_tool_result", "tool_use_id": "s", "content": {"stdout": "y"}},
            ],
        },
    ],
}
REQUESTS = {Format.CHAT: GEMINI_CHAT_REQUEST, Format.ANTHROPIC: GEMINI_ANTHROPIC_REQUEST}
MODELS = st.sampled_from(["gemini-3-pro-preview", "gemini-2.5-flash", "gemini-2.0-flash", "gemma-3", ""])
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("client", CLIENTS)
def test_junk_in_any_place_of_a_request_is_translated_or_refused(client: Format) -> None:
    refusals = []
    for path in places(REQUESTS[client])[1:]:
        for junk in JUNK:
            try:
                new(client).request(replaced(REQUESTS[client], path, junk))
            except InvalidRequest as error:
                refusals.append(error)
    assert refusals
    assert all(error.param and error.status == 400 for error in refusals)


@pytest.mark.parametrize("client", CLIENTS)
def test_junk_in_any_place_of_an_answer_is_translated_or_called_invalid(client: Format) -> None:
    for path in places(ANSWER):
        for junk in JUNK:
            body = replaced(ANSWER, path, junk)
            for render in ("response", "response_as_stream"):
                with contextlib.suppress(InvalidUpstreamResponse):
                    getattr(new(client), render)(body)
            stream = new(client).stream()
            try:
                event = orjson.dumps(body)
            except TypeError:  # deeper than orjson writes
                continue
            stream.decode(b"data: " + event + b"\n\n")
            stream.flush()


@many
@given(st.sampled_from(CLIENTS), MODELS, st.data())
def test_any_request_is_translated_or_refused(client: Format, model: str, data: st.DataObject) -> None:
    body = data.draw(broken(REQUESTS[client]) | st.dictionaries(st.text(max_size=5), JSON))
    if not isinstance(body, dict):
        return  # the gateway refuses it before it picks a translator
    with contextlib.suppress(InvalidRequest):
        assert new(client, model).request(body)["contents"]


@many
@given(st.sampled_from(CLIENTS), st.data())
def test_any_answer_is_translated_or_called_invalid(client: Format, data: st.DataObject) -> None:
    body = data.draw(broken(ANSWER) | JSON)
    for render in ("response", "response_as_stream"):
        with contextlib.suppress(InvalidUpstreamResponse):
            getattr(new(client), render)(body)


@many
@given(
    st.sampled_from(CLIENTS),
    st.lists(broken(ANSWER).map(lambda body: b"data: " + orjson.dumps(body) + b"\n\n") | st.binary(max_size=40)),
)
def test_streams_of_broken_events_and_any_bytes_never_raise(client: Format, chunks: list[bytes]) -> None:
    stream = new(client).stream()
    for chunk in chunks:
        stream.decode(chunk)
    stream.flush()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("depth", [200, 300, 1000, 3000])
def test_deeply_nested_events_never_raise(client: Format, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    parts = b'{"functionCall": {"name": "f", "args": {"a": %s}}}' % deep
    metadata = b'"groundingMetadata": {"groundingChunks": %s}' % deep
    for candidate in (b'{"content": {"parts": [%s]}}' % parts, b"{%s}" % metadata, deep):
        stream = new(client).stream()
        stream.decode(b'data: {"candidates": [%s]}\n\n' % candidate)
        stream.decode(sse(answer(text("x"), finish="STOP")))
        stream.flush()
