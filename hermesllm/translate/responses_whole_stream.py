"""A whole Responses object as the stream that says the same; `whole_stream` picks it for Responses clients."""

from collections.abc import Iterator
from typing import Any

import orjson

from hermesllm.reading import objects_in, text_or_empty

_TERMINAL = {"completed": "response.completed", "incomplete": "response.incomplete"}
_Event = dict[str, Any]


def responses_events(response: dict[str, Any]) -> Iterator[bytes]:
    """The events of a response, in the order of OpenAI's reference, numbered."""
    for number, event in enumerate(_events(response)):
        event["sequence_number"] = number
        yield b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))


def _events(response: dict[str, Any]) -> Iterator[_Event]:
    nothing_yet: dict[str, Any] = {"error": None, "incomplete_details": None, "output": [], "usage": None}
    begun = {**response, **nothing_yet, "status": "in_progress"}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(objects_in(response.get("output"))):
        yield from _item(index, item)
    status = text_or_empty(response.get("status")) or "completed"
    yield {"type": _TERMINAL.get(status, "response.failed"), "response": response}


def _item(index: int, item: dict[str, Any]) -> Iterator[_Event]:
    place = {"item_id": text_or_empty(item.get("id")), "output_index": index}
    kind = item.get("type")
    added = dict(item)
    if "status" in item:
        added["status"] = "in_progress"
    deltas: list[_Event] = []
    if kind == "message":
        added["content"] = []
        for position, part in enumerate(objects_in(item.get("content"))):
            deltas += _part({**place, "content_index": position}, part)
    elif kind == "reasoning":
        added.pop("encrypted_content", None)
        added["summary"] = []
        for position, part in enumerate(objects_in(item.get("summary"))):
            deltas += _summary({**place, "summary_index": position}, part)
    elif kind == "function_call":
        added["arguments"] = ""
        arguments = text_or_empty(item.get("arguments"))
        end = {"arguments": arguments, "name": text_or_empty(item.get("name"))}
        deltas = _said("response.function_call_arguments", place, arguments, end)
    elif kind == "custom_tool_call":
        added["input"] = ""
        text = text_or_empty(item.get("input"))
        deltas = _said("response.custom_tool_call_input", place, text, {"input": text})
    yield {"type": "response.output_item.added", "output_index": index, "item": added}
    yield from deltas
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _part(place: dict[str, Any], part: dict[str, Any]) -> Iterator[_Event]:
    kind = part.get("type")
    begun: dict[str, Any] = part
    deltas: list[_Event] = []
    if kind == "output_text":
        begun = {**part, "text": "", "annotations": [], "logprobs": []}
        text, logprobs = text_or_empty(part.get("text")), part.get("logprobs") or []
        deltas = _said("response.output_text", place, text, {"text": text, "logprobs": logprobs}, logprobs=logprobs)
        notes = [
            {
                "type": "response.output_text.annotation.added",
                **place,
                "annotation_index": position,
                "annotation": annotation,
            }
            for position, annotation in enumerate(objects_in(part.get("annotations")))
        ]
        deltas[-1:-1] = notes
    elif kind == "refusal":
        begun = {**part, "refusal": ""}
        text = text_or_empty(part.get("refusal"))
        deltas = _said("response.refusal", place, text, {"refusal": text})
    yield {"type": "response.content_part.added", **place, "part": begun}
    yield from deltas
    yield {"type": "response.content_part.done", **place, "part": part}


def _summary(place: dict[str, Any], part: dict[str, Any]) -> Iterator[_Event]:
    text = text_or_empty(part.get("text"))
    yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
    yield from _said("response.reasoning_summary_text", place, text, {"text": text})
    yield {"type": "response.reasoning_summary_part.done", **place, "part": part}


def _said(kind: str, place: dict[str, Any], text: str, end: dict[str, Any], **members: Any) -> list[_Event]:
    delta = [{"type": f"{kind}.delta", **place, "delta": text, **members}] if text else []
    return [*delta, {"type": f"{kind}.done", **place, **end}]
