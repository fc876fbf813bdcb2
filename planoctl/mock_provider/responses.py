"""Writes answers in the OpenAI Responses format: one JSON body, or a stream of events.

https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming
"""

import itertools
import json
from collections.abc import Iterator

from planoctl.mock_provider import openai, responses_requests
from planoctl.mock_provider.answers import Answer, Stop, Turn, fragments, pieces
from planoctl.mock_provider.behaviour import split_model
from planoctl.mock_provider.validation import Json, signature

_Event = tuple[str, Json]

read = responses_requests.read


def body(turn: Turn, answer: Answer) -> Json:
    """The `response` object."""
    return _response(turn, answer, list(_items(turn, answer)))


def events(turn: Turn, answer: Answer) -> Iterator[bytes]:
    """The stream's events; their sequence numbers count from 0."""
    numbers = itertools.count()
    for kind, members in _events(turn, answer):
        yield _event(kind, members | {"sequence_number": next(numbers)})


def error_event(message: str) -> bytes:
    """The event that ends a stream which fails midway."""
    error = openai.error(500, message, code="server_error")["error"]
    members = {name: error[name] for name in ("code", "message", "param")}
    return _event("error", members | {"error": error, "sequence_number": 0})


def _events(turn: Turn, answer: Answer) -> Iterator[_Event]:
    begun = _response(turn, None, [])
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    items = list(_items(turn, answer))
    for index, item in enumerate(items):
        place = {"output_index": index}
        yield "response.output_item.added", place | {"item": _empty(item)}
        yield from _INSIDE[item["type"]](item, place | {"item_id": item["id"]})
        yield "response.output_item.done", place | {"item": item}
    end = "response.incomplete" if answer.stop is Stop.LENGTH else "response.completed"
    yield end, {"response": _response(turn, answer, items)}


def _empty(item: Json) -> Json:
    """An item as it is announced, before anything of it has been said."""
    match item["type"]:
        case "message":
            return item | {"status": "in_progress", "content": []}
        case "function_call":
            return item | {"status": "in_progress", "arguments": ""}
        case _:
            return item | {"summary": []}


def _message_events(item: Json, place: Json) -> Iterator[_Event]:
    place = place | {"content_index": 0}
    part = item["content"][0]
    yield "response.content_part.added", place | {"part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield "response.output_text.delta", place | {"delta": piece, "logprobs": []}
    yield "response.output_text.done", place | {"text": part["text"], "logprobs": []}
    yield "response.content_part.done", place | {"part": part}


def _reasoning_events(item: Json, place: Json) -> Iterator[_Event]:
    place = place | {"summary_index": 0}
    part = item["summary"][0]
    yield "response.reasoning_summary_part.added", place | {"part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield "response.reasoning_summary_text.delta", place | {"delta": piece}
    yield "response.reasoning_summary_text.done", place | {"text": part["text"]}
    yield "response.reasoning_summary_part.done", place | {"part": part}


def _call_events(item: Json, place: Json) -> Iterator[_Event]:
    for fragment in fragments(item["arguments"]):
        yield "response.function_call_arguments.delta", place | {"delta": fragment}
    yield "response.function_call_arguments.done", place | {"name": item["name"], "arguments": item["arguments"]}


_INSIDE = {"message": _message_events, "reasoning": _reasoning_events, "function_call": _call_events}


def _items(turn: Turn, answer: Answer) -> Iterator[Json]:
    status = "incomplete" if answer.stop is Stop.LENGTH else "completed"
    if answer.thinking:
        reasoning: Json = {"summary": [{"type": "summary_text", "text": answer.thinking}]}
        if turn.sealed_thinking:
            reasoning["encrypted_content"] = signature(answer.thinking)
        yield {"id": f"rs_{turn.digest}", "type": "reasoning"} | reasoning
    if answer.text or not answer.tool_calls:
        text = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}
        yield {"id": f"msg_{turn.digest}", "type": "message", "status": status, "role": "assistant", "content": [text]}
    for call in answer.tool_calls:
        names = {"call_id": f"call_{call.id}", "name": call.name, "arguments": call.json}
        yield {"id": f"fc_{call.id}", "type": "function_call", "status": status} | names


def _response(turn: Turn, answer: Answer | None, output: list[Json]) -> Json:
    """The response object; without an answer, as it is when a stream begins."""
    status: str | None = "in_progress"
    if answer is not None:
        status = None if answer.stop is None else "incomplete" if answer.stop is Stop.LENGTH else "completed"
    return {
        "id": f"resp_{turn.digest}",
        "object": "response",
        "created_at": openai.CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": turn.max_tokens,
        "model": split_model(turn.model)[0],
        "output": output,
        "parallel_tool_calls": turn.parallel_tools,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": turn.tool_mode.value,
        "tools": [
            {"type": "function", "name": tool.name, "parameters": tool.parameters, "strict": False}
            for tool in turn.tools
        ],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if answer is None else _usage(answer),
        "user": None,
        "metadata": {},
    }


def _usage(answer: Answer) -> Json:
    usage = answer.usage
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


def _event(kind: str, members: Json) -> bytes:
    data = json.dumps({"type": kind} | members, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
