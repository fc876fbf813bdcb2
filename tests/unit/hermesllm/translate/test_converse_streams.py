"""ConverseStream for both clients: the events each API promises, whatever the cuts, and the official SDKs' reading."""

import itertools
import re
from typing import Any

import orjson
import pytest
from anthropic import APIStatusError
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import APIError

from hermesllm.aws_event_stream import encode_event, encode_frame
from hermesllm.formats import STREAM_CONTENT_TYPES, Format
from hermesllm.providers import PROVIDERS
from hermesllm.sse import SSEDecoder
from hermesllm.translate import Context, StreamTranslator, translator
from hermesllm.usage import Usage
from tests.unit.hermesllm.translate.converse_answers import (
    BROKEN_STREAMS,
    CAPTURED,
    CONVERSE_STREAMS,
    START,
    call,
    delta,
    end,
    event,
    exception,
    stream,
    text,
)
from tests.unit.hermesllm.translate.converse_requests import NOVA, USER
from tests.unit.hermesllm.translate.test_streams_in_sdks import read_by_anthropic, read_by_openai

CLIENTS = (Format.CHAT, Format.ANTHROPIC)
STREAMS = {**CONVERSE_STREAMS, **BROKEN_STREAMS}
HELLO = {"type": "text", "text": "Hello"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def new_stream(client: Format, **members: Any) -> StreamTranslator:
    context = Context(PROVIDERS["amazon_bedrock"], NOVA, request_id="req-1")
    cell = translator(client, Format.CONVERSE, context)
    cell.request(
        {"messages": [USER], "max_tokens": 9, "stream": True, "stream_options": {"include_usage": True}, **members}
    )
    return cell.stream()


def translated(client: Format, *chunks: bytes, **members: Any) -> bytes:
    made = new_stream(client, **members)
    ends = (made.flush, made.flush, lambda: made.decode(b"x"))
    out = b"".join([*(made.decode(chunk) for chunk in chunks), *(last() for last in ends)])
    # What is random or reads the clock.
    out = re.sub(rb'"created":\d+', b'"created":0', out)
    return re.sub(rb"(msg_|chatcmpl-|toolu_|call_)[0-9a-f]{24,32}", rb"\1", out)


def events(client: Format, data: bytes, **members: Any) -> list[dict[str, Any]]:
    decoder = SSEDecoder()
    sent = [*decoder.decode(translated(client, data, **members)), *decoder.flush()]
    return [orjson.loads(each.data) for each in sent if each.data != b"[DONE]"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", [name for name in STREAMS if not name.startswith("captured")])
def test_every_cut_in_two_and_bytes_one_by_one_give_the_same_stream(client: Format, name: str) -> None:
    whole = STREAMS[name]
    expected = translated(client, whole)
    assert translated(client, *(whole[at : at + 1] for at in range(len(whole)))) == expected
    for at in range(0, len(whole), 3):
        assert translated(client, whole[:at], whole[at:]) == expected, at


@pytest.mark.parametrize("client", CLIENTS)
def test_a_captured_stream_byte_by_byte_gives_the_same_stream(client: Format) -> None:
    whole = STREAMS["captured text"]
    assert translated(client, *(whole[at : at + 1] for at in range(len(whole)))) == translated(client, whole)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CLIENTS), st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 9000), max_size=12))
def test_random_cuts_give_the_same_stream(client: Format, name: str, cuts: list[int]) -> None:
    whole = STREAMS[name]
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    chunks = [whole[start:stop] for start, stop in itertools.pairwise(places)]
    assert translated(client, *chunks) == translated(client, whole)


@pytest.mark.parametrize("name", CONVERSE_STREAMS)
def test_blocks_come_one_after_another_for_a_messages_client(name: str) -> None:
    sent = events(Format.ANTHROPIC, CONVERSE_STREAMS[name])
    kinds = [each["type"] for each in sent]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_start") == kinds.count("message_delta") == 1
    state, index = "closed", -1
    for each in sent[1:-2]:
        if each["type"] == "content_block_start":
            assert (state, each["index"]) == ("closed", index + 1)
            state, index = "open", index + 1
        else:
            assert (state, each["index"]) == ("open", index)
            state = "closed" if each["type"] == "content_block_stop" else "open"
    assert (state, index >= 0) == ("closed", True)


@pytest.mark.parametrize("name", CONVERSE_STREAMS)
def test_chunks_share_their_head_and_finish_once_for_a_chat_client(name: str) -> None:
    out = translated(Format.CHAT, CONVERSE_STREAMS[name])
    assert out.endswith(b"data: [DONE]\n\n")
    sent = events(Format.CHAT, CONVERSE_STREAMS[name])
    assert sent[0]["choices"][0]["delta"]["role"] == "assistant"
    assert {chunk["model"] for chunk in sent} == {NOVA}
    finishes = [choice["finish_reason"] for chunk in sent for choice in chunk["choices"] if choice["finish_reason"]]
    assert len(finishes) == 1
    assert sent[-1]["choices"] == []
    assert "usage" in sent[-1]


THOUGHT = {"type": "thinking", "thinking": "The user greets.", "signature": "c2ln"}
RED = {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="}


@pytest.mark.parametrize(
    ("name", "content", "stop_reason"),
    [
        ("text", [{"type": "text", "text": "Grüße aus 東京 🗼\n\ndata: x"}], "end_turn"),
        ("text up to the limit", [HELLO], "max_tokens"),
        ("thinking, redacted thinking, text", [THOUGHT, RED, HELLO], "end_turn"),
        ("thinking without words", [{"type": "thinking", "thinking": "", "signature": "c2ln"}, HELLO], "end_turn"),
        ("redacted thinking in pieces", [RED, HELLO], "end_turn"),
        (
            "text, then parallel calls",
            [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "tooluse_1", "name": "get_weather", "input": {"city": "Köln"}},
                {"type": "tool_use", "id": "tooluse_2", "name": "get_time", "input": {}},
            ],
            "tool_use",
        ),
        ("blocks that nobody ends", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "end_turn"),
        ("a block that ends twice", [HELLO], "end_turn"),
        ("metadata before the stop", [HELLO], "end_turn"),
        ("no metadata", [HELLO], "end_turn"),
        ("no start", [HELLO], "end_turn"),
        ("guardrail", [{"type": "text", "text": "Sorry, I cannot."}], "refusal"),
        ("nothing said", [{"type": "text", "text": ""}], "end_turn"),
        ("events of the future", [HELLO], "end_turn"),
        ("stop sequence", [HELLO], "stop_sequence"),
    ],
)
def test_the_anthropic_sdk_reads_the_stream(name: str, content: list[Any], stop_reason: str) -> None:
    message = read_by_anthropic(translated(Format.ANTHROPIC, CONVERSE_STREAMS[name]))
    assert message["content"] == content
    assert message["stop_reason"] == stop_reason
    assert message["model"] == NOVA
    assert message["stop_sequence"] == ("END" if name == "stop sequence" else None)
    usage = message["usage"]
    counts = (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"])
    assert (*counts, usage["output_tokens"]) == ((0, 0, 0, 0) if name == "no metadata" else (30, 20, 5, 12))


def test_the_anthropic_sdk_reads_citations() -> None:
    (block,) = read_by_anthropic(translated(Format.ANTHROPIC, CONVERSE_STREAMS["text with citations"]))["content"]
    assert block["text"] == "Grass is green"
    assert [found["type"] for found in block["citations"]] == ["char_location", "web_search_result_location"]


@pytest.mark.parametrize(
    ("name", "members", "finish_reason"),
    [
        ("text", {"content": "Grüße aus 東京 🗼\n\ndata: x"}, "stop"),
        ("text up to the limit", {"content": "Hello"}, "length"),
        (
            "thinking, redacted thinking, text",
            {"content": "Hello", "reasoning_content": "The user greets."},
            "stop",
        ),
        ("guardrail", {"content": "Sorry, I cannot."}, "content_filter"),
        ("blocks that nobody ends", {"content": "ab"}, "stop"),
        ("nothing said", {"content": ""}, "stop"),
    ],
)
def test_the_openai_sdk_reads_the_stream(name: str, members: dict[str, Any], finish_reason: str) -> None:
    completion = read_by_openai(translated(Format.CHAT, CONVERSE_STREAMS[name]))
    choice = completion["choices"][0]
    assert members.items() <= choice["message"].items()
    assert choice["finish_reason"] == finish_reason
    assert completion["usage"]["prompt_tokens"] == 55
    assert completion["usage"]["prompt_tokens_details"]["cached_tokens"] == 20


def test_the_openai_sdk_reads_calls_thinking_and_annotations() -> None:
    message = read_by_openai(translated(Format.CHAT, CONVERSE_STREAMS["text, then parallel calls"]))["choices"][0][
        "message"
    ]
    calls = [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in message["tool_calls"]]
    assert calls == [("tooluse_1", "get_weather", '{"city": "Köln"}'), ("tooluse_2", "get_time", "{}")]
    name = "thinking, redacted thinking, text"
    message = read_by_openai(translated(Format.CHAT, CONVERSE_STREAMS[name]))["choices"][0]["message"]
    assert [{**block, "index": None} for block in message["thinking_blocks"]] == [
        {**THOUGHT, "index": None},
        {**RED, "index": None},
    ]
    message = read_by_openai(translated(Format.CHAT, CONVERSE_STREAMS["text with citations"]))["choices"][0]["message"]
    assert message["annotations"][0]["url_citation"]["url"] == "https://a/b"
    assert message["citations"][0]["end_index"] == len("Grass is green")


def test_the_captured_streams_are_what_the_model_said() -> None:
    message = read_by_anthropic(translated(Format.ANTHROPIC, STREAMS["captured text"]))
    (block,) = message["content"]
    assert len(block["text"]) == 1734
    assert block["text"].startswith("# Binary Search in a Sorted Array")
    assert (message["stop_reason"], message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (
        "max_tokens",
        19,
        500,
    )
    tools = (CAPTURED / "response_with_tools.hex").read_bytes()
    message = read_by_anthropic(translated(Format.ANTHROPIC, tools))
    first, second, third = message["content"]
    assert (len(first["text"]), first["text"][:10], len(third["text"])) == (495, "<thinking>", 1346)
    assert (second["id"], second["name"]) == ("tooluse_U1VDb22VSDOVjwFzz5AqyQ", "run_python_code")
    assert message["stop_reason"] == "tool_use"
    completion = read_by_openai(translated(Format.CHAT, tools))
    choice = completion["choices"][0]
    assert choice["message"]["content"] == first["text"] + third["text"]
    assert orjson.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == second["input"]
    assert len(choice["message"]["tool_calls"][0]["function"]["arguments"]) == 562
    assert (choice["finish_reason"], completion["usage"]["total_tokens"]) == ("tool_calls", 1281)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_structured_answer_of_the_forced_tool_is_streamed_as_text(client: Format) -> None:
    wanted: dict[str, Any] = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    if client is Format.CHAT:
        wanted = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}}
    data = stream(call(0, "t", "answer", '{"n"', ": 3}"), stop="tool_use")
    out = translated(client, data, **wanted)
    if client is Format.CHAT:
        choice = read_by_openai(out)["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ('{"n": 3}', "stop")
        assert "tool_calls" not in choice["message"] or not choice["message"]["tool_calls"]
    else:
        message = read_by_anthropic(out)
        assert (message["content"], message["stop_reason"]) == ([{"type": "text", "text": '{"n": 3}'}], "end_turn")


def test_usage_is_only_sent_to_chat_clients_that_ask_for_it() -> None:
    assert b'"usage"' not in translated(Format.CHAT, CONVERSE_STREAMS["text"], stream_options=None)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_translator_knows_the_usage(client: Format) -> None:
    made = new_stream(client)
    made.decode(CONVERSE_STREAMS["text"])
    assert made.usage == Usage(prompt=55, completion=12, cache_read=20, cache_write=5)
    assert not made.failed


@pytest.mark.parametrize(
    ("name", "anthropic_type", "openai_type"),
    [
        ("throttlingException", "rate_limit_error", "rate_limit_exceeded"),
        ("serviceUnavailableException", "overloaded_error", "server_error"),
        ("validationException", "invalid_request_error", "invalid_request_error"),
        ("internalServerException", "api_error", "server_error"),
        ("modelStreamErrorException", "api_error", "server_error"),
        ("modelTimeoutException", "timeout_error", "server_error"),
        ("somethingNewException", "api_error", "server_error"),
    ],
)
@pytest.mark.parametrize("before", [b"", START, START + delta(0, text="Hel")], ids=["at once", "started", "amid"])
def test_an_exception_is_the_clients_error_event(
    name: str, anthropic_type: str, openai_type: str, before: bytes
) -> None:
    data = before + exception(name, "The words of Bedrock", originalStatusCode=500) + text(0, "never")
    error = events(Format.ANTHROPIC, data)[-1]
    assert (error["type"], error["error"]["type"], error["error"]["code"]) == ("error", anthropic_type, name)
    assert "The words of Bedrock" in error["error"]["message"]
    assert error["request_id"] == "req-1"
    error = events(Format.CHAT, data)[-1]["error"]
    assert (error["type"], error["code"]) == (openai_type, name)
    assert "The words of Bedrock" in error["message"]
    assert b"[DONE]" not in translated(Format.CHAT, data)
    with pytest.raises(APIStatusError, match="The words of Bedrock"):
        read_by_anthropic(translated(Format.ANTHROPIC, data))
    with pytest.raises(APIError, match="The words of Bedrock"):
        read_by_openai(translated(Format.CHAT, data))


@pytest.mark.parametrize(
    ("frame", "code", "words"),
    [
        (
            encode_frame({":message-type": "error", ":error-code": "InternalError", ":error-message": "Broken pipe"}),
            "InternalError",
            "Broken pipe",
        ),
        (encode_frame({":message-type": "exception", ":event-type": "throttlingException"}, b"slow down"),
         "throttlingException", "slow down"),
        (encode_frame({":message-type": "exception", ":exception-type": "throttlingException"}, b"{}"),
         "throttlingException", "throttlingException"),
        (encode_frame({":message-type": "exception"}), None, "an error that has no text"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("client", CLIENTS)
def test_errors_in_every_frame_that_aws_has_for_them(
    client: Format, frame: bytes, code: str | None, words: str
) -> None:
    error = events(client, START + frame)[-1]["error"]
    assert error.get("code") == code
    assert words in error["message"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BROKEN_STREAMS["cut after a block"], "ended the stream before the answer was complete"),
        (BROKEN_STREAMS["cut inside a frame"], "ended the stream before the answer was complete"),
        (b"", "ended the stream before the answer was complete"),
        (b"test data", "ended the stream before the answer was complete"),
        (BROKEN_STREAMS["damaged"], "checksum of a frame is wrong"),
        (b"data: {}\n\ndata: {}\n\n", "checksum of a frame's prelude is wrong"),
        (BROKEN_STREAMS["not JSON"], "not JSON"),
        (START + encode_event("contentBlockDelta", b"[]"), "not a JSON object"),
    ],
)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_broken_stream_ends_with_an_error(client: Format, data: bytes, words: str) -> None:
    made = new_stream(client)
    out = made.decode(data) + made.flush()
    assert made.failed
    assert words in out.decode()
    assert out.count(b"error") >= 1
    assert b"[DONE]" not in out
    assert b"message_stop" not in out


def test_text_in_front_of_the_damage_still_arrives() -> None:
    assert b"Hello" in translated(Format.ANTHROPIC, START + delta(0, text="Hello") + b"\x00" * 40)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["contentBlockIndex", "delta", "start", "text", "toolUse", "input", "reasoningContent", "signature",
             "usage", "redactedContent", "citation", "location", "documentChar", "stopReason", "name", "toolUseId", "p"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip
KINDS = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x"]
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CLIENTS), st.lists(st.tuples(KINDS, JUNK), max_size=8))
def test_any_events_give_a_stream_that_ends_well_or_in_an_error(client: Format, junk: list[tuple[str, Any]]) -> None:
    made = new_stream(client)
    out = b"".join(made.decode(encode_event(kind, orjson.dumps(payload))) for kind, payload in junk) + made.flush()
    ended = out.endswith(b"data: [DONE]\n\n" if client is Format.CHAT else b'{"type":"message_stop"}\n\n')
    assert ended or made.failed
    for each in SSEDecoder().decode(out):
        if each.data != b"[DONE]":
            orjson.loads(each.data)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CLIENTS), st.binary(max_size=200))
def test_any_bytes_end_in_an_error_event(client: Format, data: bytes) -> None:
    made = new_stream(client)
    assert b"error" in made.decode(START + data) + made.flush()
    assert made.failed


def test_deep_nesting_is_the_providers_fault() -> None:
    deep = b"[" * 300 + b"]" * 300
    payload = b'{"contentBlockIndex":0,"delta":{"toolUse":{"input":{"a":' + deep + b"}}}}"
    begun = event("contentBlockStart", contentBlockIndex=0, start={"toolUse": {"toolUseId": "t", "name": "f"}})
    out = translated(Format.ANTHROPIC, START + begun + encode_event("contentBlockDelta", payload) + end())
    assert b"nested too deeply" in out


def test_the_content_type_of_the_stream_is_told() -> None:
    assert STREAM_CONTENT_TYPES[Format.CONVERSE] == ("application/vnd.amazon.eventstream",)
    assert STREAM_CONTENT_TYPES[Format.CHAT] == ("text/event-stream",)
