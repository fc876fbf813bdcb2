"""Streams as the providers' documentation shows them, for the tests that cut, break and read them."""

from typing import Any

import orjson


def sse(*events: dict[str, Any] | str, named: bool = False) -> bytes:
    """Events as one stream: a dict as JSON (`named` adds its type as event name), a string as it is."""
    blocks = []
    for event in events:
        if isinstance(event, str):
            blocks.append(event.encode())
        else:
            head = b"event: " + event["type"].encode() + b"\n" if named else b""
            blocks.append(head + b"data: " + orjson.dumps(event))
    return b"".join(block + b"\n\n" for block in blocks)


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **members: Any) -> dict[str, Any]:
    """A Chat chunk; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return {
        "id": "chatcmpl-123",
        "object": "chat.completion.chunk",
        "created": 1694268190,
        "model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": choices,
        **members,
    }


def call(index: int | None, arguments: str = "", **start: str) -> dict[str, Any]:
    """A tool call entry of a Chat delta; `id` and `name` come with the first of a call."""
    entry: dict[str, Any] = {} if index is None else {"index": index}
    if "id" in start:
        entry |= {"id": start["id"], "type": "function"}
    function = {"arguments": arguments} | ({"name": start["name"]} if "name" in start else {})
    return entry | {"function": function}


def calls(*entries: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": list(entries)})


CHAT_USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
ROLE = chunk({"role": "assistant", "content": "", "refusal": None})
PARALLEL_CALLS = (
    calls(call(0, id="call_1", name="get_weather")),
    calls(call(0, '{"city"')),
    calls(call(0, ': "Köln"}')),
    calls(call(1, id="call_2", name="get_time")),
    calls(call(1, '{"zone": ')),
    calls(call(1, '"CET"}')),
)

CHAT_STREAMS = {
    "text, usage in the last chunk": sse(
        ROLE,
        chunk({"content": "Grüße "}),
        chunk({"content": "aus 東京 🗼\n\n"}),
        chunk({"content": "data: x"}),
        chunk({}, "stop"),
        chunk(usage=CHAT_USAGE),
        "data: [DONE]",
    ),
    "text, usage in the finish chunk": sse(
        ROLE, chunk({"content": "Hello"}), chunk({}, "length", usage=CHAT_USAGE), "data: [DONE]"
    ),
    "text, usage in the choice, as Moonshot sends it": sse(
        ROLE,
        chunk({"content": "Hello"}),
        chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "usage": CHAT_USAGE}]),
        "data: [DONE]",
    ),
    "text without usage": sse(ROLE, chunk({"content": "Hello"}), chunk({}, "stop"), "data: [DONE]"),
    "text without done": sse(ROLE, chunk({"content": "Hello"}), chunk({}, "stop")),
    "reasoning, then text": sse(
        ROLE,
        chunk({"reasoning_content": "The user "}),
        chunk({"reasoning_content": "greets."}),
        chunk({"content": "Hello"}),
        chunk({}, "stop"),
        chunk(usage=CHAT_USAGE),
        "data: [DONE]",
    ),
    "signed reasoning, as OpenRouter sends it": sse(
        ROLE,
        chunk({"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0}]}),
        chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "c2ln", "index": 0}]}),
        chunk({"content": "Hello"}),
        chunk({}, "stop"),
        "data: [DONE]",
    ),
    "text, then parallel calls": sse(
        ROLE, chunk({"content": "Let me see."}), *PARALLEL_CALLS, chunk({}, "tool_calls"), chunk(usage=CHAT_USAGE)
    ),
    "two whole calls in one chunk": sse(
        ROLE,
        calls(call(0, '{"a": 1}', id="call_1", name="f"), call(1, "{}", id="call_2", name="g")),
        chunk({}, "stop"),
        "data: [DONE]",
    ),
    "refusal": sse(
        ROLE, chunk({"refusal": "I cannot "}), chunk({"refusal": "help."}), chunk({}, "stop"), "data: [DONE]"
    ),
    "done only": sse("data: [DONE]"),
    "comments, ids, retries": sse(
        ": OPENROUTER PROCESSING",
        "retry: 3000",
        ROLE,
        ": keep-alive\nid: 7\ndata:" + orjson.dumps(chunk({"content": "Hello"})).decode(),
        chunk({}, "stop"),
        "data: [DONE]",
        "data: [DONE]",
    ),
    "data over several lines": sse(
        'data: {"choices": [{"index": 0,\ndata: "delta": {"content": "Hello"}, "finish_reason": "stop"}]}',
        "data: [DONE]",
    ),
    "error in the middle": sse(
        ROLE,
        chunk({"content": "Hel"}),
        {"error": {"message": "Provider disconnected", "code": 502, "type": "server_error"}},
        chunk({"content": "lo"}),
        "data: [DONE]",
    ),
    "error as a named event": sse(ROLE, 'event: error\ndata: {"message": "Overloaded", "code": 503}', "data: [DONE]"),
    "cut": sse(ROLE, chunk({"content": "Hel"})),
    "cut in an event": sse(ROLE, chunk({"content": "Hel"})) + b'data: {"id": "chatcmpl-123", "choi',
    "not JSON": sse(ROLE, "data: <html>Bad Gateway</html>", "data: [DONE]"),
}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one content block of a Messages stream."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text_block(index: int, *texts: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": text} for text in texts))


def tool_block(index: int, call_id: str, name: str, *parts: str) -> list[dict[str, Any]]:
    deltas = ({"type": "input_json_delta", "partial_json": part} for part in parts)
    return block(index, {"type": "tool_use", "id": call_id, "name": name, "input": {}}, *deltas)


START = {
    "type": "message_start",
    "message": {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-sonnet-4-5-20250929",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 100,
            "output_tokens": 1,
        },
    },
}
PING = {"type": "ping"}
STOP = {"type": "message_stop"}
THINKING = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "The user "},
    {"type": "thinking_delta", "thinking": "greets."},
    {"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"},
)
REDACTED = block(1, {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"})


def end(reason: str, **members: Any) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None, **members}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 15}}


ANTHROPIC_STREAMS = {
    "text": sse(START, PING, *text_block(0, "Grüße ", "aus 東京 🗼\n\n", "data: x"), end("end_turn"), STOP, named=True),
    "text without event names": sse(START, PING, *text_block(0, "Hello", "!"), end("max_tokens"), STOP),
    "thinking, redacted thinking, text": sse(
        START, *THINKING, *REDACTED, *text_block(2, "Hello"), end("end_turn"), STOP, named=True
    ),
    "text, then parallel calls": sse(
        START,
        *text_block(0, "Let me see."),
        *tool_block(1, "toolu_1", "get_weather", "", '{"city"', ': "Köln"}'),
        PING,
        *tool_block(2, "toolu_2", "get_time"),
        end("tool_use"),
        STOP,
        named=True,
    ),
    "server tool and citations": sse(
        START,
        *block(
            0,
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query": "x"}'},
        ),
        *block(1, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}),
        *block(
            2,
            {"type": "text", "text": "", "citations": []},
            {"type": "text_delta", "text": "Born in 1912."},
            {
                "type": "citations_delta",
                "citation": {
                    "type": "web_search_result_location",
                    "url": "https://example.com/a",
                    "title": "A",
                    "cited_text": "1912",
                    "encrypted_index": "Eo8B",
                },
            },
        ),
        *text_block(3, " Indeed."),
        end("end_turn"),
        STOP,
        named=True,
    ),
    "stop sequence": sse(
        START, *text_block(0, "Hello"), end("stop_sequence", stop_sequence="END"), STOP, STOP, named=True
    ),
    "refusal": sse(
        START,
        end("refusal", stop_details={"type": "refusal", "category": "bio", "explanation": "Not this."}),
        STOP,
        named=True,
    ),
    "events of the future": sse(
        START,
        {"type": "future_event", "x": 1},
        *block(0, {"type": "future_block"}, {"type": "future_delta", "y": 2}),
        *text_block(1, "Hello"),
        end("end_turn"),
        STOP,
        named=True,
    ),
    "without message_stop": sse(START, *text_block(0, "Hello"), end("end_turn"), named=True),
    "error in the middle": sse(
        START,
        *text_block(0, "Hel")[:-1],
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"},
        *text_block(1, "lo"),
        named=True,
    ),
    "error at once": sse({"type": "error", "error": {"type": "api_error", "message": "Broken"}}, named=True),
    "cut": sse(START, *text_block(0, "Hel")[:-1], named=True),
    "cut in an event": sse(START, named=True) + b'event: content_block_start\ndata: {"type":"content_bl',
    "nothing": b"",
}
