"""Streams of every cell with a Responses side: their order, their cuts, and what the official SDKs make of them."""

import itertools
import re
from typing import Any

import httpx2
import pytest
from anthropic import APIStatusError
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import APIError, OpenAI

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, StreamTranslator, Translator, translator
from hermesllm.translate.chat_to_anthropic import ChatToAnthropic
from hermesllm.translate.hub import Hub
from hermesllm.translate.responses_to_chat import ResponsesToChat
from hermesllm.translate.responses_to_chat_input import Target
from tests.unit.hermesllm.translate.recorded_responses_streams import (
    BROKEN,
    RESPONSES_STREAMS,
    events_of,
)
from tests.unit.hermesllm.translate.recorded_streams import ANTHROPIC_STREAMS, CHAT_STREAMS
from tests.unit.hermesllm.translate.test_streams_in_sdks import answering, read_by_anthropic, read_by_openai

TOOLS = [{"type": "function", "name": "get_weather", "parameters": {}}, {"type": "custom", "name": "g"}]
REQUESTS: dict[Format, dict[str, Any]] = {
    Format.RESPONSES: {"input": "Hi", "stream": True, "tools": TOOLS, "metadata": {"a": "b"}},
    Format.CHAT: {
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    Format.ANTHROPIC: {"messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 99},
}
STREAMS = {
    **{f"responses-chat: {name}": ("chat", stream) for name, stream in CHAT_STREAMS.items()},
    **{f"responses-anthropic: {name}": ("anthropic", stream) for name, stream in ANTHROPIC_STREAMS.items()},
    **{f"responses-hub: {name}": ("hub", stream) for name, stream in ANTHROPIC_STREAMS.items()},
    **{f"chat-responses: {name}": ("to chat", stream) for name, stream in RESPONSES_STREAMS.items()},
    **{f"anthropic-responses: {name}": ("to anthropic", stream) for name, stream in RESPONSES_STREAMS.items()},
}


def hub(context: Context) -> Hub:
    return Hub(ResponsesToChat(context, onward=Target(thinking_blocks=True)), ChatToAnthropic(context))


def cell(kind: str) -> tuple[Format, Translator]:
    def context(provider: str) -> Context:
        return Context(PROVIDERS[provider], "some-model", request_id="req-1")

    if kind == "hub":
        return Format.RESPONSES, hub(context("anthropic"))
    if kind in ("chat", "anthropic"):
        return Format.RESPONSES, translator(
            Format.RESPONSES, Format(kind), context("groq" if kind == "chat" else "anthropic")
        )
    client = Format(kind.removeprefix("to "))
    return client, translator(client, Format.RESPONSES, context("openai"))


def new_stream(kind: str) -> StreamTranslator:
    client, made = cell(kind)
    made.request(dict(REQUESTS[client]))
    return made.stream()


def translated(name: str, chunks: list[bytes]) -> bytes:
    stream = new_stream(STREAMS[name][0])
    out = b"".join([*(stream.decode(chunk) for chunk in chunks), stream.flush(), stream.flush(), stream.decode(b"x")])
    out = re.sub(rb'"created(_at)?":\d+', b'"created":0', out)
    return re.sub(rb"((?:resp|msg|rs|fc|call)_|chatcmpl-|toolu_)[0-9a-f]{24,32}", rb"\1", out)


@pytest.mark.parametrize("name", STREAMS)
def test_bytes_one_by_one_give_the_same_stream(name: str) -> None:
    whole = STREAMS[name][1]
    cut = whole.replace(b"\n", b"\r\n")
    assert translated(name, [cut[at : at + 1] for at in range(len(cut))]) == translated(name, [whole])


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(sorted(STREAMS)), cuts=st.lists(st.integers(0, 6000), max_size=12), crlf=st.booleans())
def test_random_cuts_give_the_same_stream(name: str, cuts: list[int], crlf: bool) -> None:
    whole = STREAMS[name][1].replace(b"\n", b"\r\n" if crlf else b"\n")
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    chunks = [whole[start:stop] for start, stop in itertools.pairwise(places)]
    assert translated(name, chunks) == translated(name, [whole])


def is_broken(name: str) -> bool:
    return any(word in name for word in ("error", "cut", "not JSON", "nothing", "failed"))


RESPONSES_OUT = sorted(name for name in STREAMS if name.startswith("responses-"))


@pytest.mark.parametrize("name", RESPONSES_OUT)
def test_responses_streams_keep_the_order_of_the_reference(name: str) -> None:
    events = events_of(translated(name, [STREAMS[name][1]]))
    kinds = [event["type"] for event in events]
    terminal = ("response.completed", "response.incomplete", "response.failed", "error")
    assert [kind for kind in kinds if kind in terminal] == [kinds[-1]]
    assert (kinds[-1] in ("response.failed", "error")) == is_broken(name)
    if kinds[0] == "error":
        assert len(kinds) == 1
        return
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert "response.created" not in kinds[2:]
    check_items(events, whole=not is_broken(name))
    response = events[-1]["response"]
    assert response["tools"] == TOOLS
    assert response["metadata"] == {"a": "b"}
    if not is_broken(name):
        done = {event["output_index"]: event["item"] for event in events if event["type"].endswith("output_item.done")}
        assert response["output"] == [done[index] for index in sorted(done)]
        assert response["usage"]["input_tokens_details"].keys() == {"cached_tokens", "cache_write_tokens"}
        assert response["usage"]["output_tokens_details"].keys() == {"reasoning_tokens"}


def check_items(events: list[dict[str, Any]], *, whole: bool) -> None:
    """Every item is added once, in order of its index, and done once; every part in between belongs to an open one."""
    added: dict[int, dict[str, Any]] = {}
    done: set[int] = set()
    said: dict[tuple[int, str, int], str] = {}
    for event in events[2:-1]:
        index = event["output_index"]
        kind = event["type"]
        if kind == "response.output_item.added":
            assert index == len(added)
            added[index] = event["item"]
            assert event["item"].get("status") != "completed"
            continue
        assert index in added
        assert index not in done
        if kind == "response.output_item.done":
            done.add(index)
            assert event["item"]["id"] == added[index]["id"]
            continue
        assert event["item_id"] == added[index]["id"]
        group, _, last = kind.rpartition(".")
        key = (index, group, event.get("content_index", event.get("summary_index", 0)))
        if last == "delta":
            said[key] = said.get(key, "") + event["delta"]
        elif last == "done" and "part" not in event:
            text = next(event[name] for name in ("text", "refusal", "arguments", "input") if name in event)
            assert said.get(key, "") == text
    if whole:
        assert done == set(added)


def read_responses(stream: bytes) -> dict[str, Any]:
    client = OpenAI(api_key="k", http_client=answering(stream), max_retries=0)
    with client.responses.stream(model="m", input="Hi") as events:
        response = events.get_final_response().to_dict()
    assert isinstance(response, dict)
    return response


@pytest.mark.parametrize("name", [name for name in RESPONSES_OUT if not is_broken(name)])
def test_the_openai_sdk_reads_translated_responses_streams(name: str) -> None:
    out = translated(name, [STREAMS[name][1]])
    last = events_of(out)[-1]
    if last["type"] == "response.incomplete":
        # The SDK's accumulator wants a completed response; its plain stream reads every event.
        client = OpenAI(api_key="k", http_client=answering(out), max_retries=0)
        kinds = [event.type for event in client.responses.create(model="m", input="Hi", stream=True)]
        assert kinds[-1] == "response.incomplete"
        return
    response = read_responses(out)
    texts = [item for item in response["output"] if item["type"] == "message"]
    assert len(response["output"]) == len(last["response"]["output"])
    assert [item["id"] for item in response["output"]] == [item["id"] for item in last["response"]["output"]]
    assert len(texts) <= 2


@pytest.mark.parametrize("name", ["responses-anthropic: error at once", "responses-chat: cut"])
def test_the_openai_sdk_learns_of_streams_that_broke(name: str) -> None:
    out = translated(name, [STREAMS[name][1]])
    client = OpenAI(api_key="k", http_client=answering(out), max_retries=0)
    if events_of(out)[0]["type"] == "error":
        with pytest.raises(APIError, match="provider anthropic"):
            list(client.responses.create(model="m", input="Hi", stream=True))
    else:
        last = list(client.responses.create(model="m", input="Hi", stream=True))[-1]
        assert last.type == "response.failed"
        assert last.response.error is not None
        assert "provider groq" in last.response.error.message


SEALED = "openai.reasoning.v1:rs_1:gAAAAABo"
THOUGHT = {"type": "thinking", "thinking": "The user greets.", "signature": SEALED}


@pytest.mark.parametrize(
    ("name", "members", "finish"),
    [
        ("text", {"content": "Grüße aus 東京 🗼\n\ndata: x"}, "stop"),
        ("text without event names", {"content": "Hello"}, "length"),
        (
            "reasoning, then text",
            {
                "content": "Hello",
                "reasoning_content": "The user greets.",
                "thinking_blocks": [{"index": 0, **THOUGHT}],
            },
            "stop",
        ),
        ("refusal", {"content": "", "refusal": "I cannot help."}, "stop"),
        ("empty output at the end", {"content": "Hello"}, "stop"),
    ],
)
def test_the_openai_sdk_reads_translated_chat_streams(name: str, members: dict[str, Any], finish: str) -> None:
    completion = read_by_openai(translated(f"chat-responses: {name}", [RESPONSES_STREAMS[name]]))
    (choice,) = completion["choices"]
    assert {key: value for key, value in choice["message"].items() if value is not None} == {
        "role": "assistant",
        **members,
    }
    assert choice["finish_reason"] == finish
    assert completion["usage"]["prompt_tokens"] == 30
    assert completion["usage"]["prompt_tokens_details"]["cached_tokens"] == 10
    assert completion["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4


CALLS = [("call_1", "get_weather", {"city": "Köln"}), ("call_2", "get_time", {"zone": "CET"})]


@pytest.mark.parametrize("name", ["text, then parallel calls", "interleaved calls"])
def test_parallel_calls_reach_both_kinds_of_client_whole(name: str) -> None:
    message = read_by_anthropic(translated(f"anthropic-responses: {name}", [RESPONSES_STREAMS[name]]))
    assert message["content"] == [
        {"type": "text", "text": "Let me see."},
        *({"type": "tool_use", "id": call_id, "name": tool, "input": value} for call_id, tool, value in CALLS),
    ]
    assert message["stop_reason"] == "tool_use"
    completion = read_by_openai(translated(f"chat-responses: {name}", [RESPONSES_STREAMS[name]]))
    found = completion["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["name"]) for call in found] == [(call_id, tool) for call_id, tool, _ in CALLS]
    assert [call["function"]["arguments"] for call in found] == ['{"city": "Köln"}', '{"zone": "CET"}']


@pytest.mark.parametrize(
    ("name", "content", "stop_reason"),
    [
        ("text", [{"type": "text", "text": "Grüße aus 東京 🗼\n\ndata: x"}], "end_turn"),
        ("text without event names", [{"type": "text", "text": "Hello"}], "max_tokens"),
        ("reasoning, then text", [THOUGHT, {"type": "text", "text": "Hello"}], "end_turn"),
        (
            "custom call",
            [{"type": "tool_use", "id": "call_9", "name": "apply_patch", "input": {"input": '*** Begin "Patch"'}}],
            "tool_use",
        ),
        ("refusal", [{"type": "text", "text": "I cannot help."}], "refusal"),
        (
            "without deltas",
            [
                THOUGHT,
                {"type": "text", "text": "Hello"},
                {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
            ],
            "tool_use",
        ),
    ],
)
def test_the_anthropic_sdk_reads_translated_messages_streams(name: str, content: list[Any], stop_reason: str) -> None:
    message = read_by_anthropic(translated(f"anthropic-responses: {name}", [RESPONSES_STREAMS[name]]))
    assert message["content"] == content
    assert message["stop_reason"] == stop_reason
    usage = message["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (20, 10, 12)


def test_citations_reach_a_messages_client() -> None:
    name = "web search and citations"
    message = read_by_anthropic(translated(f"anthropic-responses: {name}", [RESPONSES_STREAMS[name]]))
    (block,) = message["content"]
    assert [citation["url"] for citation in block["citations"]] == ["https://example.com/a"]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_responses_streams_are_errors_to_both_kinds_of_client(name: str) -> None:
    with pytest.raises(APIError, match="provider openai"):
        read_by_openai(translated(f"chat-responses: {name}", [RESPONSES_STREAMS[name]]))
    with pytest.raises(APIStatusError, match="provider openai"):
        read_by_anthropic(translated(f"anthropic-responses: {name}", [RESPONSES_STREAMS[name]]))


def test_custom_tools_come_back_as_custom_calls() -> None:
    name = "two whole calls in one chunk"
    response = read_responses(translated(f"responses-chat: {name}", [CHAT_STREAMS[name]]))
    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["function_call", "custom_tool_call"]
    assert response["output"][1]["input"] == "{}"


def test_the_hub_carries_signed_thinking_and_cache_usage() -> None:
    name = "thinking, redacted thinking, text"
    direct = read_responses(translated(f"responses-anthropic: {name}", [ANTHROPIC_STREAMS[name]]))
    through = read_responses(translated(f"responses-hub: {name}", [ANTHROPIC_STREAMS[name]]))
    for response in (direct, through):
        signed, redacted, text = response["output"]
        assert signed["summary"] == [{"type": "summary_text", "text": "The user greets."}]
        assert signed["encrypted_content"] == "thinking.v1:EqQBCgIYAhIM1gbcDa9GJwZA2b3h"
        assert redacted["encrypted_content"] == "redacted.v1:EmwKAhgBEgy3va3pzix"
        assert text["content"][0]["text"] == "Hello"
        assert response["usage"]["input_tokens_details"] == {"cached_tokens": 100, "cache_write_tokens": 5}


def test_the_sdk_can_parse_structured_output_of_a_translated_json_answer() -> None:
    from pydantic import BaseModel

    class Place(BaseModel):
        city: str

    _, made = cell("chat")
    made.request({"input": "Hi"})
    answer = {
        "id": "chatcmpl-1",
        "created": 1,
        "model": "m",
        "choices": [{"message": {"role": "assistant", "content": '{"city": "Köln"}'}, "finish_reason": "stop"}],
    }
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=made.response(answer)))
    client = OpenAI(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0)
    parsed = client.responses.parse(model="m", input="Hi", text_format=Place)
    assert parsed.output_parsed == Place(city="Köln")
