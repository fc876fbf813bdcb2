"""The answers that translation is measured on: one text as each provider gives it, whole and as a stream."""

from collections.abc import Callable
from typing import Any

import orjson

from hermesllm.aws_event_stream import encode_event
from hermesllm.formats import Format
from tests.bench.questions import SYSTEM, TOOLS, tool

EVENTS = 200
"""Text deltas of a stream."""

_ANSWER = (
    "The ER 9417 gives you a calm morning: it arrives at 11:15, and the cathedral stands right beside the station, so"
    " you would be at your meeting in time even with a delay of half an hour. For Tuesday the forecast says 6 °C and"
    " light rain until the early afternoon, so yes, take a coat, and shoes that do not mind wet cobbles.\n\nWith two"
    " hours I would walk through the cathedral first, which takes half an hour without the tower, and then down to the"
    " river and over the Hohenzollern bridge. From the other side you see the old town in one piece. On the way back"
    " the Museum Ludwig is next to the station; its collection of modern painting is worth an hour on its own, and it"
    " is dry. If you would rather eat, the breweries around the Alter Markt open at eleven."
)
LAST_WORDS = b"open at eleven."
_WORDS = [f" {word}" for word in _ANSWER.split()]


def answer(upstream: Format) -> bytes:
    """A JSON answer of 1 to 2 KB: text and usage."""
    return orjson.dumps(_ANSWERS[upstream]())


def stream(upstream: Format) -> list[bytes]:
    """The events of a stream with 200 deltas of text, each as the provider sends it."""
    return _STREAMS[upstream]()


_CHAT_USAGE = {
    "prompt_tokens": 612,
    "completion_tokens": EVENTS,
    "total_tokens": 612 + EVENTS,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
_ANTHROPIC_USAGE = {"input_tokens": 612, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
_RESPONSES_USAGE = {
    "input_tokens": 612,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": EVENTS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 612 + EVENTS,
}
_CONVERSE_USAGE = {"inputTokens": 612, "outputTokens": EVENTS, "totalTokens": 612 + EVENTS}
_CHAT_HEAD = {
    "id": "chatcmpl-BZ2mFhZ4kWQYVmJ1x0dDqgq3nYVbX",
    "created": 1747000000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_a288987b44",
}
_MESSAGE = {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}


def _chat_answer() -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": _ANSWER, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_CHAT_HEAD, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


def _anthropic_answer() -> dict[str, Any]:
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    usage = {**_ANTHROPIC_USAGE, "output_tokens": EVENTS}
    return {**_MESSAGE, "content": [{"type": "text", "text": _ANSWER}], **stop, "usage": usage}


def _responses_answer(status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": _ANSWER}
    item = {"id": _ITEM_ID, "type": "message", "status": "completed", "content": [part], "role": "assistant"}
    done = status == "completed"
    return {
        "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
        "object": "response",
        "created_at": 1747000000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": SYSTEM,
        "max_output_tokens": 1024,
        "model": "gpt-4.1-2025-04-14",
        "output": [item] if done else [],
        "parallel_tool_calls": True,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 0.7,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [tool(Format.RESPONSES, *declared) for declared in TOOLS],
        "top_p": 0.95,
        "truncation": "disabled",
        "usage": _RESPONSES_USAGE if done else None,
        "metadata": {},
    }


_ITEM_ID = "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d3795b"


def _converse_answer() -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"text": _ANSWER}]}
    return {
        "metrics": {"latencyMs": 4210},
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": _CONVERSE_USAGE,
    }


def _gemini_answer(text: str = _ANSWER, *, last: bool = True) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    counts = {"promptTokenCount": 612, "candidatesTokenCount": EVENTS, "totalTokenCount": 612 + EVENTS}
    usage = {**counts, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 612}]}
    head = {"modelVersion": "gemini-2.5-flash", "responseId": "kF4aaKvNJ7yLnsEPl6W8sQ4"}
    return {"candidates": [candidate], "usageMetadata": usage, **head}


def _deltas() -> list[str]:
    return [_WORDS[number % len(_WORDS)] for number in range(EVENTS)]


def _sse(event: dict[str, Any], *, named: bool = False) -> bytes:
    name = b"event: %s\n" % event["type"].encode() if named else b""
    return b"%sdata: %s\n\n" % (name, orjson.dumps(event))


def _chat_stream() -> list[bytes]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sse({**_CHAT_HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None})

    usage = {**_CHAT_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _CHAT_USAGE}
    begin = chunk({"role": "assistant", "content": "", "refusal": None})
    return [
        begin,
        *(chunk({"content": text}) for text in _deltas()),
        chunk({}, "stop"),
        _sse(usage),
        b"data: [DONE]\n\n",
    ]


def _anthropic_stream() -> list[bytes]:
    unfinished: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
    message = {**_MESSAGE, **unfinished, "usage": {**_ANTHROPIC_USAGE, "output_tokens": 1}}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
            for text in _deltas()
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": EVENTS}},
        {"type": "message_stop"},
    ]
    return [_sse(event, named=True) for event in events]


def _responses_stream() -> list[bytes]:
    running, text = _responses_answer("in_progress"), "".join(_deltas())
    part: dict[str, Any] = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    place = {"item_id": _ITEM_ID, "output_index": 0, "content_index": 0}
    item = {"id": _ITEM_ID, "type": "message", "status": "in_progress", "content": [], "role": "assistant"}
    whole = {**part, "text": text}
    done = {**item, "status": "completed", "content": [whole]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": running},
        {"type": "response.in_progress", "response": running},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in _deltas()),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": {**_responses_answer(), "output": [done]}},
    ]
    return [_sse({**event, "sequence_number": number}, named=True) for number, event in enumerate(events)]


def _converse_stream() -> list[bytes]:
    padding = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    deltas = [{"contentBlockIndex": 0, "delta": {"text": text}} for text in _deltas()]
    events: list[tuple[str, dict[str, Any]]] = [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", delta) for delta in deltas),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"metrics": {"latencyMs": 4210}, "usage": _CONVERSE_USAGE}),
    ]
    return [
        encode_event(name, orjson.dumps({**event, "p": padding[: number * 7 % len(padding)]}))
        for number, (name, event) in enumerate(events)
    ]


def _gemini_stream() -> list[bytes]:
    deltas = _deltas()
    return [_sse(_gemini_answer(text, last=number == EVENTS - 1)) for number, text in enumerate(deltas)]


_ANSWERS: dict[Format, Callable[[], dict[str, Any]]] = {
    Format.CHAT: _chat_answer,
    Format.ANTHROPIC: _anthropic_answer,
    Format.RESPONSES: _responses_answer,
    Format.CONVERSE: _converse_answer,
    Format.GEMINI: _gemini_answer,
}
_STREAMS: dict[Format, Callable[[], list[bytes]]] = {
    Format.CHAT: _chat_stream,
    Format.ANTHROPIC: _anthropic_stream,
    Format.RESPONSES: _responses_stream,
    Format.CONVERSE: _converse_stream,
    Format.GEMINI: _gemini_stream,
}
