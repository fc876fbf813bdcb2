"""Responses streams as OpenAI's documentation shows them, for the tests that cut, break and read them."""

from typing import Any

import orjson

from tests.unit.hermesllm.translate.recorded_streams import sse

USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 0},
    "output_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 42,
}


def response(status: str = "in_progress", output: list[Any] | None = None, **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_67c9fdcecf488190bdd9a0409de3a1ec",
        "object": "response",
        "created_at": 1741290958,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5-2025-08-07",
        "output": output or [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
        **members,
    }


def stream(*events: dict[str, Any], named: bool = True) -> bytes:
    return sse(*({**event, "sequence_number": number} for number, event in enumerate(events)), named=named)


BEGIN: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": response()},
    {"type": "response.in_progress", "response": response()},
)


def end(output: list[Any], status: str = "completed", **members: Any) -> dict[str, Any]:
    return {"type": f"response.{status}", "response": response(status, output, usage=USAGE, **members)}


def text_item(*parts: str, annotations: list[Any] | None = None, logprobs: list[Any] | None = None) -> dict[str, Any]:
    part = {"type": "output_text", "text": "".join(parts), "annotations": annotations or [], "logprobs": logprobs or []}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def text_events(index: int, *parts: str, annotations: list[Any] | None = None) -> list[dict[str, Any]]:
    item = text_item(*parts, annotations=annotations)
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    (part,) = item["content"]
    empty = {**part, "text": "", "annotations": []}
    return [
        {
            "type": "response.output_item.added",
            "output_index": index,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **place, "part": empty},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in parts),
        *(
            {"type": "response.output_text.annotation.added", **place, "annotation_index": at, "annotation": found}
            for at, found in enumerate(annotations or [])
        ),
        {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


REASONING: dict[str, Any] = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "The user greets."}],
    "encrypted_content": "gAAAAABo",
}


def reasoning_events(index: int, *parts: str) -> list[dict[str, Any]]:
    place = {"item_id": "rs_1", "output_index": index, "summary_index": 0}
    text = "".join(parts)
    summary = {"type": "summary_text", "text": text}
    return [
        {
            "type": "response.output_item.added",
            "output_index": index,
            "item": {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        },
        {"type": "response.reasoning_summary_part.added", **place, "part": {**summary, "text": ""}},
        *({"type": "response.reasoning_summary_text.delta", **place, "delta": part} for part in parts),
        {"type": "response.reasoning_summary_text.done", **place, "text": text},
        {"type": "response.reasoning_summary_part.done", **place, "part": summary},
        {
            "type": "response.output_item.done",
            "output_index": index,
            "item": {**REASONING, "summary": [summary]},
        },
    ]


def call_item(call_id: str, name: str, arguments: str, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"fc_{call_id}",
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def call_events(index: int, call_id: str, name: str, *parts: str) -> list[dict[str, Any]]:
    place = {"item_id": f"fc_{call_id}", "output_index": index}
    item = call_item(call_id, name, "".join(parts))
    begun = call_item(call_id, name, "", "in_progress")
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *({"type": "response.function_call_arguments.delta", **place, "delta": part} for part in parts),
        {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"], "name": name},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


PATCH: dict[str, Any] = {
    "id": "ctc_1",
    "type": "custom_tool_call",
    "status": "completed",
    "call_id": "call_9",
    "name": "apply_patch",
    "input": '*** Begin "Patch"',
}
PATCH_EVENTS: list[dict[str, Any]] = [
    {"type": "response.output_item.added", "output_index": 0, "item": {**PATCH, "status": "in_progress", "input": ""}},
    {"type": "response.custom_tool_call_input.delta", "item_id": "ctc_1", "output_index": 0, "delta": "*** Begin "},
    {"type": "response.custom_tool_call_input.delta", "item_id": "ctc_1", "output_index": 0, "delta": '"Patch"'},
    {
        "type": "response.custom_tool_call_input.done",
        "item_id": "ctc_1",
        "output_index": 0,
        "input": '*** Begin "Patch"',
    },
    {"type": "response.output_item.done", "output_index": 0, "item": PATCH},
]
CITATION: dict[str, Any] = {
    "type": "url_citation",
    "start_index": 0,
    "end_index": 5,
    "url": "https://example.com/a",
    "title": "A",
}
SEARCH: dict[str, Any] = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "x"},
}
REFUSAL_ITEM: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "refusal", "refusal": "I cannot help."}],
}
REFUSAL_EVENTS: list[dict[str, Any]] = [
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**REFUSAL_ITEM, "status": "in_progress", "content": []},
    },
    {
        "type": "response.content_part.added",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "part": {"type": "refusal", "refusal": ""},
    },
    {
        "type": "response.refusal.delta",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "I cannot ",
    },
    {"type": "response.refusal.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "help."},
    {
        "type": "response.refusal.done",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "refusal": "I cannot help.",
    },
    {"type": "response.output_item.done", "output_index": 0, "item": REFUSAL_ITEM},
]
WEATHER = call_events(1, "call_1", "get_weather", '{"city"', ': "Köln"}')
TIME = call_events(2, "call_2", "get_time", '{"zone": ', '"CET"}')
LET_ME_SEE = text_events(0, "Let me see.")
CALLS_OUTPUT = [event["item"] for event in (LET_ME_SEE[-1], WEATHER[-1], TIME[-1])]
HELLO_OUTPUT = [text_item("Hello")]

RESPONSES_STREAMS: dict[str, bytes] = {
    "text": stream(
        *BEGIN,
        *text_events(0, "Grüße ", "aus 東京 🗼\n\n", "data: x"),
        end([text_item("Grüße aus 東京 🗼\n\ndata: x")]),
    ),
    "text without event names": stream(
        *BEGIN,
        *text_events(0, "Hello"),
        end(HELLO_OUTPUT, "incomplete", incomplete_details={"reason": "max_output_tokens"}),
        named=False,
    ),
    "reasoning, then text": stream(
        *BEGIN,
        *reasoning_events(0, "The user ", "greets."),
        *text_events(1, "Hello"),
        end([REASONING, *HELLO_OUTPUT]),
    ),
    "text, then parallel calls": stream(*BEGIN, *LET_ME_SEE, *WEATHER, *TIME, end(CALLS_OUTPUT)),
    "interleaved calls": stream(
        *BEGIN,
        *LET_ME_SEE,
        WEATHER[0],
        TIME[0],
        TIME[1],
        WEATHER[1],
        TIME[2],
        *TIME[3:],
        *WEATHER[2:],
        end(CALLS_OUTPUT),
    ),
    "custom call": stream(*BEGIN, *PATCH_EVENTS, end([PATCH])),
    "refusal": stream(*BEGIN, *REFUSAL_EVENTS, end([REFUSAL_ITEM])),
    "web search and citations": stream(
        *BEGIN,
        {"type": "response.output_item.added", "output_index": 0, "item": {**SEARCH, "status": "in_progress"}},
        {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"},
        {"type": "response.output_item.done", "output_index": 0, "item": SEARCH},
        *text_events(1, "Hello", annotations=[CITATION]),
        end([SEARCH, text_item("Hello", annotations=[CITATION])]),
    ),
    "without deltas": stream(*BEGIN, end([REASONING, *HELLO_OUTPUT, call_item("call_1", "f", '{"a":1}')])),
    "empty output at the end": stream(*BEGIN, *text_events(0, "Hello"), end([])),
    "failed": stream(
        *BEGIN,
        *text_events(0, "Hel")[:3],
        {
            "type": "response.failed",
            "response": response("failed", error={"code": "rate_limit_exceeded", "message": "Slow down"}),
        },
    ),
    "error event": stream(*BEGIN, {"type": "error", "code": "server_error", "message": "Broken", "param": None}),
    "error at once": sse(
        {"type": "error", "error": {"type": "invalid_request_error", "message": "Broken"}}, named=True
    ),
    "cut": stream(*BEGIN, *text_events(0, "Hel")[:3]),
    "cut after the item": stream(*BEGIN, *text_events(0, "Hello")),
    "cut in an event": stream(*BEGIN) + b'event: response.output_item.added\ndata: {"type":"respo',
    "not JSON": stream(*BEGIN) + b"data: <html>\n\n",
    "nothing": b"",
}
BROKEN = (
    "failed",
    "error event",
    "error at once",
    "cut",
    "cut after the item",
    "cut in an event",
    "not JSON",
    "nothing",
)


def events_of(out: bytes) -> list[dict[str, Any]]:
    """The events of a Responses stream, each checked for its name and number."""
    blocks = out.decode().split("\n\n")
    assert blocks.pop() == ""
    events = []
    for number, block in enumerate(blocks):
        name, data = block.split("\n")
        event = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        events.append(event)
    return events
