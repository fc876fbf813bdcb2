"""The official SDKs read our streams, and make the same message of them as of the JSON answer."""

from typing import Any

import httpx2
import pytest
from anthropic import Anthropic, APIStatusError
from openai import APIError, OpenAI

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.unit.hermesllm.translate.recorded_streams import ANTHROPIC_STREAMS, CHAT_STREAMS

USER = {"role": "user", "content": "Hi"}


def answering(stream: bytes) -> httpx2.Client:
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=stream))
    return httpx2.Client(transport=transport)


def read_by_anthropic(stream: bytes) -> dict[str, Any]:
    client = Anthropic(api_key="k", http_client=answering(stream), max_retries=0)
    with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as events:
        message = events.get_final_message().to_dict()
    assert isinstance(message, dict)
    return message


def read_by_openai(stream: bytes) -> dict[str, Any]:
    client = OpenAI(api_key="k", http_client=answering(stream), max_retries=0)
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "Hi"}]) as events:
        events.until_done()
        completion = events.current_completion_snapshot.to_dict()
    assert isinstance(completion, dict)
    return completion


def translated(client: Format, upstream: Format, stream: bytes) -> bytes:
    cell = translator(client, upstream, Context(PROVIDERS["openai"], "m"))
    cell.request({"messages": [USER], "max_tokens": 9, "stream": True, "stream_options": {"include_usage": True}})
    made = cell.stream()
    return made.decode(stream) + made.flush()


THOUGHT = {"type": "thinking", "thinking": "The user greets.", "signature": ""}
HELLO = {"type": "text", "text": "Hello"}


@pytest.mark.parametrize(
    ("name", "content", "stop_reason"),
    [
        ("text, usage in the last chunk", [{"type": "text", "text": "Grüße aus 東京 🗼\n\ndata: x"}], "end_turn"),
        ("text, usage in the finish chunk", [HELLO], "max_tokens"),
        ("text, usage in the choice, as Moonshot sends it", [HELLO], "end_turn"),
        ("text without usage", [HELLO], "end_turn"),
        ("text without done", [HELLO], "end_turn"),
        ("reasoning, then text", [THOUGHT, HELLO], "end_turn"),
        (
            "signed reasoning, as OpenRouter sends it",
            [{"type": "thinking", "thinking": "Hm", "signature": "c2ln"}, HELLO],
            "end_turn",
        ),
        (
            "text, then parallel calls",
            [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Köln"}},
                {"type": "tool_use", "id": "call_2", "name": "get_time", "input": {"zone": "CET"}},
            ],
            "tool_use",
        ),
        (
            "two whole calls in one chunk",
            [
                {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "call_2", "name": "g", "input": {}},
            ],
            "tool_use",
        ),
        ("refusal", [{"type": "text", "text": "I cannot help."}], "refusal"),
        ("done only", [{"type": "text", "text": ""}], "end_turn"),
        ("comments, ids, retries", [HELLO], "end_turn"),
        ("data over several lines", [HELLO], "end_turn"),
    ],
)
def test_the_anthropic_sdk_reads_translated_chat_streams(name: str, content: list[Any], stop_reason: str) -> None:
    message = read_by_anthropic(translated(Format.ANTHROPIC, Format.CHAT, CHAT_STREAMS[name]))
    assert message["content"] == content
    assert message["stop_reason"] == stop_reason
    expected = (20, 10, 12) if "usage in" in name or name.startswith(("reasoning", "text, then")) else (0, 0, 0)
    usage = message["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == expected


def call(index: int, call_id: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}


@pytest.mark.parametrize(
    ("name", "members", "finish_reason"),
    [
        ("text", {"content": "Grüße aus 東京 🗼\n\ndata: x"}, "stop"),
        ("text without event names", {"content": "Hello!"}, "length"),
        (
            "thinking, redacted thinking, text",
            {
                "content": "Hello",
                "reasoning_content": "The user greets.",
                "thinking_blocks": [
                    {
                        "index": 0,
                        "type": "thinking",
                        "thinking": "The user greets.",
                        "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h",
                    },
                    {"index": 1, "type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"},
                ],
            },
            "stop",
        ),
        (
            "text, then parallel calls",
            {
                "content": "Let me see.",
                "tool_calls": [
                    call(0, "toolu_1", "get_weather", '{"city": "Köln"}'),
                    call(1, "toolu_2", "get_time", "{}"),
                ],
            },
            "tool_calls",
        ),
        (
            "server tool and citations",
            {
                "content": "Born in 1912. Indeed.",
                "annotations": [
                    {
                        "index": 0,
                        "type": "url_citation",
                        "url_citation": {
                            "url": "https://example.com/a",
                            "title": "A",
                            "start_index": 0,
                            "end_index": 13,
                        },
                    }
                ],
            },
            "stop",
        ),
        ("stop sequence", {"content": "Hello"}, "stop"),
        ("refusal", {"content": "", "refusal": "Not this."}, "content_filter"),
        ("events of the future", {"content": "Hello"}, "stop"),
        ("without message_stop", {"content": "Hello"}, "stop"),
    ],
)
def test_the_openai_sdk_reads_translated_messages_streams(
    name: str, members: dict[str, Any], finish_reason: str
) -> None:
    completion = read_by_openai(translated(Format.CHAT, Format.ANTHROPIC, ANTHROPIC_STREAMS[name]))
    (choice,) = completion["choices"]
    message = {key: value for key, value in choice["message"].items() if value is not None}
    for tool_call in message.get("tool_calls", []):
        tool_call["function"].pop("parsed_arguments", None)
    assert message == {"role": "assistant", **members}
    assert choice["finish_reason"] == finish_reason
    assert completion["usage"]["prompt_tokens"] == 125
    assert completion["usage"]["completion_tokens"] == 15


@pytest.mark.parametrize("name", ["error in the middle", "cut", "cut in an event", "not JSON"])
def test_the_anthropic_sdk_raises_for_streams_that_broke(name: str) -> None:
    with pytest.raises(APIStatusError, match="provider openai"):
        read_by_anthropic(translated(Format.ANTHROPIC, Format.CHAT, CHAT_STREAMS[name]))


@pytest.mark.parametrize("name", ["error in the middle", "error at once", "cut", "cut in an event", "nothing"])
def test_the_openai_sdk_raises_for_streams_that_broke(name: str) -> None:
    with pytest.raises(APIError, match="provider openai"):
        read_by_openai(translated(Format.CHAT, Format.ANTHROPIC, ANTHROPIC_STREAMS[name]))


ANTHROPIC_ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ"},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 25},
}
CHAT_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "Hm.",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                    {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 25, "total_tokens": 35},
}
ANSWERS = {Format.CHAT: CHAT_ANSWER, Format.ANTHROPIC: ANTHROPIC_ANSWER}


@pytest.mark.parametrize("upstream", ANSWERS)
def test_a_json_answer_sent_as_a_stream_says_the_same_to_a_messages_client(upstream: Format) -> None:
    cell = translator(Format.ANTHROPIC, upstream, Context(PROVIDERS["openai"], "m"))
    cell.request({"messages": [USER], "max_tokens": 9, "stream": True})
    read = read_by_anthropic(cell.response_as_stream(ANSWERS[upstream]))
    assert read.pop("stop_details", None) is None
    assert read == cell.response(ANSWERS[upstream])


@pytest.mark.parametrize("upstream", ANSWERS)
def test_a_json_answer_sent_as_a_stream_says_the_same_to_a_chat_client(upstream: Format) -> None:
    cell = translator(Format.CHAT, upstream, Context(PROVIDERS["openai"], "m"))
    cell.request({"messages": [USER], "stream": True, "stream_options": {"include_usage": True}})
    answer = cell.response(ANSWERS[upstream])
    read = read_by_openai(cell.response_as_stream(ANSWERS[upstream]))
    message, expected = (each["choices"][0]["message"] for each in (read, answer))
    for name, value in expected.items():
        if name in ("tool_calls", "thinking_blocks"):
            stripped = [{key: entry[key] for key in entry if key != "index"} for entry in message[name]]
            for entry in stripped:
                entry.get("function", {}).pop("parsed_arguments", None)
            assert stripped == value
        else:
            assert message[name] == value
    assert read["choices"][0]["finish_reason"] == "tool_calls"
    assert {key: read["usage"][key] for key in ("prompt_tokens", "completion_tokens")} == {
        key: answer["usage"][key] for key in ("prompt_tokens", "completion_tokens")
    }
