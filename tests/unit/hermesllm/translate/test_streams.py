"""What translated streams say, and in which order; the official SDKs read them in test_streams_in_sdks."""

from typing import Any

import orjson
import pytest

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.sse import SSEDecoder
from hermesllm.translate import Context, StreamTranslator, translator
from hermesllm.usage import Usage
from tests.unit.hermesllm.translate.recorded_streams import (
    ANTHROPIC_STREAMS,
    CHAT_STREAMS,
    CHAT_USAGE,
    ROLE,
    START,
    STOP,
    call,
    calls,
    chunk,
    end,
    sse,
    text_block,
    tool_block,
)

BROKEN = ("error", "cut", "not JSON", "nothing")


def new(client: Format, upstream: Format, **body: Any) -> StreamTranslator:
    cell = translator(client, upstream, Context(PROVIDERS["openrouter"], "claude-opus-4-1", request_id="req-1"))
    cell.request({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "stream": True, **body})
    return cell.stream()


def events(stream: bytes) -> list[dict[str, Any]]:
    """The JSON events of a client stream; `[DONE]` as an empty object."""
    decoder = SSEDecoder()
    found = [*decoder.decode(stream), *decoder.flush()]
    parsed = [{} if event.data == b"[DONE]" else orjson.loads(event.data) for event in found]
    for event, document in zip(found, parsed, strict=True):
        assert event.name.decode() == document.get("type", "")
    return parsed


def for_messages(stream: bytes, **body: Any) -> list[dict[str, Any]]:
    made = new(Format.ANTHROPIC, Format.CHAT, **body)
    return events(made.decode(stream) + made.flush())


def for_chat(stream: bytes, **body: Any) -> list[dict[str, Any]]:
    made = new(Format.CHAT, Format.ANTHROPIC, **body)
    decoded = made.decode(stream) + made.flush()
    return [{k: v for k, v in event.items() if k != "type"} for event in chat_events(decoded)]


def chat_events(stream: bytes) -> list[dict[str, Any]]:
    decoder = SSEDecoder()
    found = [*decoder.decode(stream), *decoder.flush()]
    return [{} if event.data == b"[DONE]" else orjson.loads(event.data) for event in found]


def said(found: list[dict[str, Any]]) -> list[str]:
    """A Messages stream in short: `start 0 text`, `0 Hi`, `stop 0`, and the types of the other events."""
    short = []
    for event in found:
        kind, index = event["type"], event.get("index")
        if kind == "content_block_start":
            short.append(f"start {index} {event['content_block']['type']}")
        elif kind == "content_block_delta":
            delta = event["delta"]
            short.append(f"{index} {next(value for name, value in delta.items() if name != 'type')}")
        elif kind == "content_block_stop":
            short.append(f"stop {index}")
        else:
            short.append(kind)
    return short


@pytest.mark.parametrize("name", CHAT_STREAMS)
def test_messages_streams_keep_the_order_the_api_promises(name: str) -> None:
    found = for_messages(CHAT_STREAMS[name])
    if name.startswith(BROKEN):
        assert found[-1]["type"] == "error"
        found.pop()
    else:
        assert [event["type"] for event in found[-2:]] == ["message_delta", "message_stop"]
        found = found[:-2]
    opened = None
    next_index = 0
    for position, event in enumerate(found):
        kind = event["type"]
        assert (kind == "message_start") == (position == 0)
        if kind == "content_block_start":
            assert opened is None
            assert event["index"] == next_index
            opened, next_index = next_index, next_index + 1
        elif kind in ("content_block_delta", "content_block_stop"):
            assert event["index"] == opened
            opened = None if kind == "content_block_stop" else opened
    assert opened is None
    assert next_index > 0 or name.startswith(BROKEN)


@pytest.mark.parametrize("name", ANTHROPIC_STREAMS)
def test_chat_streams_keep_the_order_the_api_promises(name: str) -> None:
    found = for_chat(ANTHROPIC_STREAMS[name], stream_options={"include_usage": True})
    if name.startswith(BROKEN):
        assert found.pop()["error"]["message"]
        assert {} not in found
    else:
        assert found.pop() == {}
        usage = found.pop()
        assert usage["choices"] == []
        assert usage["usage"]["prompt_tokens"] == 125
        assert found[-1]["choices"][0]["finish_reason"]
        found.pop()
    if found:
        assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(event["choices"][0]["finish_reason"] is None for event in found)
    assert len({(event["id"], event["created"], event["model"]) for event in found}) <= 1


def test_the_usage_chunk_comes_only_when_asked_for() -> None:
    assert not any(event.get("usage") for event in for_chat(ANTHROPIC_STREAMS["text"]))


def test_a_text_stream_for_a_messages_client() -> None:
    assert said(
        for_messages(
            sse(ROLE, chunk({"content": "Hello"}), chunk({"content": " world"}), chunk({}, "stop"), "data: [DONE]")
        )
    ) == [
        "message_start",
        "start 0 text",
        "0 Hello",
        "0  world",
        "stop 0",
        "message_delta",
        "message_stop",
    ]


def test_nothing_is_closed_before_the_stream_ends() -> None:
    made = new(Format.ANTHROPIC, Format.CHAT)
    parts = (chunk({"content": text}) for text in ("The weather", " in San Francisco", " is"))
    assert said(events(made.decode(sse(ROLE, *parts)))) == [
        "message_start",
        "start 0 text",
        "0 The weather",
        "0  in San Francisco",
        "0  is",
    ]


def test_finish_and_done_may_come_in_different_chunks_and_more_than_once() -> None:
    made = new(Format.ANTHROPIC, Format.CHAT)
    first = made.decode(sse(chunk({"content": "Hi"}, "stop")))
    second = made.decode(sse("data: [DONE]"))
    assert said(events(first + second)) == [
        "message_start", "start 0 text", "0 Hi", "stop 0", "message_delta", "message_stop",
    ]  # fmt: skip
    assert made.decode(sse("data: [DONE]", chunk({"content": "late"}))) + made.flush() == b""


def test_usage_after_the_finish_goes_into_the_one_message_delta() -> None:
    found = for_messages(
        sse(ROLE, chunk({"content": "Hi"}), chunk({}, "stop"), chunk(usage=CHAT_USAGE), "data: [DONE]")
    )
    deltas = [event for event in found if event["type"] == "message_delta"]
    assert [delta["usage"]["output_tokens"] for delta in deltas] == [12]
    assert deltas[0]["usage"]["input_tokens"] == 20
    assert deltas[0]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


def test_the_model_of_the_stream_is_named_and_else_the_one_asked_for() -> None:
    assert for_messages(CHAT_STREAMS["text without usage"])[0]["message"]["model"] == "gpt-4o-2024-08-06"
    assert for_messages(CHAT_STREAMS["done only"])[0]["message"]["model"] == "claude-opus-4-1"
    assert for_chat(ANTHROPIC_STREAMS["text"])[0]["model"] == "claude-sonnet-4-5-20250929"


def test_the_tool_stream_of_the_specification() -> None:
    parts = ['{"', "location", '":"', "San", " Francisco", ",", " CA", '"}']
    stream = sse(
        calls(call(0, id="call_2Uzw0AEZQeOex2CP2TKjcLKc", name="get_weather")),
        *(calls(call(0, part)) for part in parts),
        chunk({}, "tool_calls"),
        "data: [DONE]",
    )
    found = for_messages(stream)
    assert found[1]["content_block"] == {
        "type": "tool_use",
        "id": "call_2Uzw0AEZQeOex2CP2TKjcLKc",
        "name": "get_weather",
        "input": {},
    }
    assert said(found)[2:-2] == [*(f"0 {part}" for part in parts), "stop 0"]
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


A, B = {"id": "call_a", "name": "f"}, {"id": "call_b", "name": "g"}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(
            [[call(0, '{"x":1}', **A), call(1, '{"y":2}', **B)]],
            ["start 0 tool_use", '0 {"x":1}', "stop 0", "start 1 tool_use", '1 {"y":2}', "stop 1"],
            id="two whole calls in one chunk",
        ),
        pytest.param(
            [[call(0, **A)], [call(0, '{"x":')], [call(1, '{"y":2}', **B)], [call(0, "1}")]],
            ["start 0 tool_use", '0 {"x":', "0 1}", "stop 0", "start 1 tool_use", '1 {"y":2}', "stop 1"],
            id="interleaved calls are told one after the other",
        ),
        pytest.param(
            [[call(0, **A)], [call(1, **B)], [call(1, "{}")]],
            ["start 0 tool_use", "stop 0", "start 1 tool_use", "1 {}", "stop 1"],
            id="a call without arguments",
        ),
        pytest.param(
            [[call(0, '{"x":1}', **A)], [call(0, '{"y":2}', **B)]],
            ["start 0 tool_use", '0 {"x":1}', "stop 0", "start 1 tool_use", '1 {"y":2}', "stop 1"],
            id="one index for two calls",
        ),
        pytest.param(
            [[call(None, '{"x":1}', **A)], [call(None, '{"y":2}', **B)]],
            ["start 0 tool_use", '0 {"x":1}', "stop 0", "start 1 tool_use", '1 {"y":2}', "stop 1"],
            id="no index at all",
        ),
        pytest.param(
            [[call(0, '{"x"', **A)], [call(0, ":1}", id="call_a")]],
            ["start 0 tool_use", '0 {"x"', "0 :1}", "stop 0"],
            id="the id in every chunk",
        ),
        pytest.param(
            [[call(0, id="call_a")], [call(0, '{"x":1}', name="f")]],
            ["start 0 tool_use", '0 {"x":1}', "stop 0"],
            id="the name after the id",
        ),
        pytest.param(
            [[call(0, '{"x":1}', **A)], [call(1, "{}", **B)], [call(0, '{"x":1}', **A)]],
            ["start 0 tool_use", '0 {"x":1}', "stop 0", "start 1 tool_use", "1 {}", "stop 1"],
            id="a call repeated after its end",
        ),
    ],
)
def test_tool_calls_are_told_one_after_the_other(entries: list[list[Any]], expected: list[str]) -> None:
    found = for_messages(sse(ROLE, *(calls(*each) for each in entries), chunk({}, "stop"), "data: [DONE]"))
    assert said(found) == ["message_start", *expected, "message_delta", "message_stop"]
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


def test_text_in_the_middle_of_a_call_waits_for_its_end() -> None:
    stream = sse(
        calls(call(0, '{"x":', **A)),
        chunk({"content": "late"}),
        calls(call(0, "1}")),
        chunk({}, "stop"),
        "data: [DONE]",
    )
    assert said(for_messages(stream))[1:-2] == [
        "start 0 tool_use", '0 {"x":', "0 1}", "stop 0", "start 1 text", "1 late", "stop 1",
    ]  # fmt: skip


def test_text_after_a_complete_call_is_told_at_once() -> None:
    made = new(Format.ANTHROPIC, Format.CHAT)
    stream = sse(calls(call(0, '{"x":1}', **A)), chunk({"content": "then"}))
    assert said(events(made.decode(stream)))[-3:] == ["stop 0", "start 1 text", "1 then"]


def test_a_matched_stop_sequence_is_named() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}
    found = for_messages(sse(chunk(choices=[choice]), "data: [DONE]"), stop_sequences=["END"])
    assert found[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


def test_citations_of_a_chat_stream_reach_a_messages_client() -> None:
    annotation = {"type": "url_citation", "url_citation": {"url": "u", "title": "T"}}
    found = for_messages(sse(chunk({"content": "x"}), chunk({"annotations": [annotation]}), chunk({}, "stop")))
    assert found[3]["delta"]["citation"]["url"] == "u"


@pytest.mark.parametrize("name", ["error in the middle", "cut", "cut in an event"])
def test_an_error_ends_a_messages_stream_and_closes_what_was_open(name: str) -> None:
    found = for_messages(CHAT_STREAMS[name])
    assert said(found) == ["message_start", "start 0 text", "0 Hel", "stop 0", "error"]
    assert found[-1]["error"]["provider"] == "openrouter"
    assert found[-1]["request_id"] == "req-1"


def test_an_error_of_a_messages_stream_keeps_its_words() -> None:
    found = for_chat(ANTHROPIC_STREAMS["error in the middle"])
    assert [event["choices"][0]["delta"].get("content") for event in found[:-1]] == ["", "Hel"]
    assert found[-1]["error"]["message"].startswith("Overloaded [provider openrouter")
    assert found[-1]["error"]["type"] == "server_error"


def test_a_stream_reports_usage_and_failure_to_the_gateway() -> None:
    made = new(Format.ANTHROPIC, Format.CHAT)
    made.decode(CHAT_STREAMS["text, usage in the last chunk"])
    assert made.usage == Usage(prompt=30, completion=12, cache_read=10, reasoning=4)
    assert not made.failed
    made = new(Format.CHAT, Format.ANTHROPIC)
    made.decode(ANTHROPIC_STREAMS["cut"])
    assert made.usage == Usage(prompt=125, completion=1, cache_read=100, cache_write=5)
    made.flush()
    assert made.failed


def test_an_event_too_large_is_an_error_after_what_came_before() -> None:
    made = new(Format.ANTHROPIC, Format.CHAT)
    out = made.decode(sse(chunk({"content": "Hi"})) + b"data: " + b"x" * 2**20)
    assert said(events(out)) == ["message_start", "start 0 text", "0 Hi", "stop 0", "error"]
    assert made.decode(b"x") == made.flush() == b""


def deltas(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["choices"][0]["delta"] for event in found if event.get("choices")]


def test_tool_calls_are_counted_for_themselves_and_empty_arguments_are_an_object() -> None:
    found = deltas(for_chat(ANTHROPIC_STREAMS["text, then parallel calls"]))
    assert [delta["tool_calls"][0] for delta in found if "tool_calls" in delta] == [
        {"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"city"'}},
        {"index": 0, "function": {"arguments": ': "Köln"}'}},
        {"index": 1, "id": "toolu_2", "type": "function", "function": {"name": "get_time", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


def test_thinking_streams_as_text_and_then_once_whole_with_its_signature() -> None:
    found = deltas(for_chat(ANTHROPIC_STREAMS["thinking, redacted thinking, text"]))
    assert found[1:5] == [
        {"reasoning_content": "The user "},
        {"reasoning_content": "greets."},
        {
            "thinking_blocks": [
                {
                    "index": 0,
                    "type": "thinking",
                    "thinking": "The user greets.",
                    "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h",
                }
            ]
        },
        {"thinking_blocks": [{"index": 1, "type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}]},
    ]


def test_a_refusal_and_a_stop_sequence_keep_their_details() -> None:
    assert {"refusal": "Not this."} in deltas(for_chat(ANTHROPIC_STREAMS["refusal"]))
    assert for_chat(ANTHROPIC_STREAMS["stop sequence"])[-2]["choices"][0]["stop_reason"] == "END"


def test_structured_output_of_older_models_streams_as_text() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "point", "schema": {"type": "object"}}}
    stream = sse(START, *tool_block(0, "toolu_1", "point", '{"x"', ": 1}"), end("tool_use"), STOP, named=True)
    found = for_chat(stream, response_format=schema)
    assert [delta["content"] for delta in deltas(found) if delta.get("content")] == ['{"x"', ": 1}"]
    assert found[-2]["choices"][0]["finish_reason"] == "stop"


def test_clients_of_the_old_kind_get_a_function_call() -> None:
    stream = sse(START, *tool_block(0, "toolu_1", "f", '{"x": 1}'), end("tool_use"), STOP, named=True)
    found = for_chat(stream, functions=[{"name": "f"}])
    assert deltas(found)[1:3] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"x": 1}'}},
    ]
    assert found[-2]["choices"][0]["finish_reason"] == "function_call"


def test_cumulative_usage_replaces_what_came_before() -> None:
    late = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 25, "output_tokens": 9},
    }
    stream = sse(START, *text_block(0, "Hi"), end("end_turn"), late, STOP, named=True)
    usage = for_chat(stream, stream_options={"include_usage": True})[-2]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (130, 9)
