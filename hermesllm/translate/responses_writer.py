"""Writes Responses streams: created, in_progress, items with all their events, one terminal event, numbered throughout.

Calls may be open at the same time, each under its own output index; text and reasoning are closed by what follows.
Hot path: the common deltas are byte templates around the JSON of their text.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from hermesllm.error_bodies import failed_response_error, responses_error_event
from hermesllm.errors import ErrorReport, InvalidUpstreamResponse
from hermesllm.translate.custom_tools import custom_input
from hermesllm.translate.event_stream import encode
from hermesllm.translate.responses_object import (
    Asked,
    Ids,
    call_item,
    echo_of,
    finished,
    message_item,
    response_object,
    summary_item,
    text_part,
)
from hermesllm.translate.service_tiers import tier_for_openai
from hermesllm.usage import Usage

dumps = orjson.dumps

_TEXT = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":%s,"output_index":%d,'
    b'"content_index":%d,"delta":'
)
_TEXT_END = b',"logprobs":[],"sequence_number":%d}\n\n'
_SUMMARY = (
    b'event: response.reasoning_summary_text.delta\ndata: {"type":"response.reasoning_summary_text.delta",'
    b'"item_id":%s,"output_index":%d,"summary_index":0,"delta":'
)
_REFUSAL = (
    b'event: response.refusal.delta\ndata: {"type":"response.refusal.delta","item_id":%s,"output_index":%d,'
    b'"content_index":%d,"delta":'
)
_ARGUMENTS = (
    b'event: response.function_call_arguments.delta\ndata: {"type":"response.function_call_arguments.delta",'
    b'"item_id":%s,"output_index":%d,"delta":'
)
_END = b',"sequence_number":%d}\n\n'


@dataclass(slots=True, eq=False)
class Call:
    """A call that is being written; `arguments` are all its parts."""

    index: int
    item: dict[str, Any]
    delta: bytes
    custom: bool
    arguments: list[str] = field(default_factory=list)
    done: bool = False


class ResponsesWriter:
    """One Responses stream. `response` is the response object: at the end, the whole answer."""

    def __init__(self, model: str, asked: Asked) -> None:
        self.model = model
        self.started = False
        self.open = ""  # the kind of text being written: "text", "refusal", "reasoning"
        self.response: dict[str, Any] = {}
        self._asked = asked
        self._ids = Ids()
        self._number = 0
        self._items: list[dict[str, Any]] = []
        self._calls: list[Call] = []
        self._delta = b""
        self._parts: list[str] = []
        self._content: list[dict[str, Any]] = []  # parts of the open message that are complete
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[Any] = []
        self._message: dict[str, Any] | None = None
        self._index = -1  # of the open message or reasoning item
        self._out: list[bytes] = []

    def take(self) -> bytes:
        written = b"".join(self._out)
        self._out.clear()
        return written

    def start(self, upstream_id: str = "", model: str = "", created: int | None = None) -> None:
        if self.started:
            return
        self.started = True
        self.model = model or self.model
        self._ids = Ids(upstream_id)
        self.response = response_object(self._ids.response, self.model, self._asked, created=created)
        self._lifecycle("response.created")
        self._lifecycle("response.in_progress")

    def text(self, text: str) -> None:
        if self.open != "text":
            self._open_part("text", text_part(""), _TEXT)
        self._parts.append(text)
        self._out.append(self._delta + dumps(text) + _TEXT_END % self._number)
        self._number += 1

    def scored_text(self, text: str, logprobs: list[Any]) -> None:
        """Text with the log probabilities of its tokens."""
        if self.open != "text":
            self._open_part("text", text_part(""), _TEXT)
        self._parts.append(text)
        self._logprobs.extend(logprobs)
        self._event("response.output_text.delta", **self._place(), delta=text, logprobs=logprobs)

    def refusal(self, text: str) -> None:
        if self.open != "refusal":
            self._open_part("refusal", {"type": "refusal", "refusal": ""}, _REFUSAL)
        self._said(text)

    def reasoning(self, text: str) -> None:
        if self.open != "reasoning":
            self.start()
            self.end_item()
            self._open_reasoning()
            item = self._items[self._index]
            self._delta = _SUMMARY % (dumps(item["id"]), self._index)
            part = {"type": "summary_text", "text": ""}
            self._event("response.reasoning_summary_part.added", **self._summary_place(), part=part)
        self._said(text)

    def seal_reasoning(self, encrypted_content: str) -> None:
        """Ends the open reasoning item with its secret; without one open, an item that is nothing but the secret."""
        self.start()
        if self.open != "reasoning":
            self.end_item()
            self._open_reasoning()
        self.end_item(encrypted_content)

    def annotation(self, annotation: dict[str, Any]) -> None:
        """Annotates the text that is open; without any there is nothing to annotate."""
        if self.open == "text":
            self._event(
                "response.output_text.annotation.added",
                **self._place(),
                annotation_index=len(self._annotations),
                annotation=annotation,
            )
            self._annotations.append(annotation)

    def sign_message(self, signature: dict[str, Any]) -> None:
        """Gives the last message a signature of the provider's; one that is done has it in the final response only."""
        if self._message is not None:
            self._message["extra_content"] = signature
            return
        message = next((item for item in reversed(self._items) if item["type"] == "message"), None)
        if message is not None:
            message["extra_content"] = signature

    def call(self, call_id: str, name: str, **members: Any) -> Call:
        """Starts a call; `members` are further members of its item."""
        self.start()
        self.end_item()
        index = len(self._items)
        item = {**call_item(self._ids, index, self._asked, call_id, name, "", "in_progress"), **members}
        self._items.append(item)
        custom = item["type"] == "custom_tool_call"
        call = Call(index, item, _ARGUMENTS % (dumps(item["id"]), index), custom)
        self._calls.append(call)
        self._event("response.output_item.added", output_index=index, item=item)
        return call

    def arguments(self, call: Call, part: str) -> None:
        call.arguments.append(part)
        if not call.custom:  # of a custom tool's input no part is known before the JSON around it is whole
            self._out.append(call.delta + dumps(part) + _END % self._number)
            self._number += 1

    def end_call(self, call: Call) -> None:
        if call.done:
            return
        call.done = True
        arguments = "".join(call.arguments)
        place = {"item_id": call.item["id"], "output_index": call.index}
        if call.custom:
            text = custom_input(arguments)
            item = {**call.item, "status": "completed", "input": text}
            self._event("response.custom_tool_call_input.delta", **place, delta=text)
            self._event("response.custom_tool_call_input.done", **place, input=text)
        else:
            item = {**call.item, "status": "completed", "arguments": arguments}
            name = call.item["name"]
            self._event("response.function_call_arguments.done", **place, name=name, arguments=arguments)
        self._done(call.index, item)

    def item(self, item: dict[str, Any]) -> None:
        """A whole item that has no deltas."""
        self.start()
        self.end_item()
        self._items.append(item)
        index = len(self._items) - 1
        self._event("response.output_item.added", output_index=index, item={**item, "status": "in_progress"})
        self._done(index, item)

    def new_id(self, prefix: str) -> str:
        return self._ids.of(prefix, len(self._items))

    def end_item(self, encrypted_content: str = "", status: str = "completed") -> None:
        """Ends the text or reasoning that is open."""
        if self.open == "reasoning":
            self._end_reasoning(encrypted_content)
        elif self._message is not None:
            self._end_part()
            message, self._message = self._message, None
            signature = {name: message[name] for name in ("extra_content",) if name in message}
            self._done(self._index, message_item(message["id"], self._content, status) | signature)
            self._content = []
        self.open = ""

    def finish(self, incomplete: str | None, usage: Usage, service_tier: str = "") -> None:
        self.start()
        self.response |= tier_for_openai(service_tier)
        self._end_all("incomplete" if incomplete else "completed")
        self.response = finished(self.response, self._items, usage, incomplete)
        self._lifecycle("response.incomplete" if incomplete else "response.completed")

    def fail(self, report: ErrorReport) -> None:
        if not self.started:
            self._out.append(responses_error_event(report, self._number))
            return
        self._leave_open_items()
        error = failed_response_error(report)
        self.response = {**self.response, "status": "failed", "error": error, "output": self._items}
        self._lifecycle("response.failed")

    def _leave_open_items(self) -> None:
        """What was cut off is no item that was done: it stands in the failed response as far as it came."""
        if self._message is not None:
            if self.open in ("text", "refusal"):
                self._content.append(self._part())
            self._items[self._index] = message_item(self._message["id"], self._content, "incomplete")
        elif self.open == "reasoning":
            self._items[self._index] = summary_item(self._items[self._index]["id"], "".join(self._parts))
        for call in self._calls:
            if not call.done:
                said = {"input": custom_input("".join(call.arguments))} if call.custom else {}
                said = said or {"arguments": "".join(call.arguments)}
                self._items[call.index] = {**call.item, "status": "incomplete", **said}

    def _end_all(self, status: str) -> None:
        self.end_item(status=status)
        for call in self._calls:
            self.end_call(call)

    def _open_part(self, kind: str, part: dict[str, Any], delta: bytes) -> None:
        self.start()
        if self.open == "reasoning":
            self.end_item()
        if self._message is None:
            self._index = len(self._items)
            self._message = message_item(self._ids.of("msg", self._index), [], "in_progress")
            self._items.append(self._message)
            self._event("response.output_item.added", output_index=self._index, item=self._message)
        else:
            self._end_part()
        self.open = kind
        self._event("response.content_part.added", **self._place(), part=part)
        self._delta = delta % (dumps(self._message["id"]), self._index, len(self._content))

    def _open_reasoning(self) -> None:
        self._index = len(self._items)
        self._items.append(summary_item(self._ids.of("rs", self._index), ""))
        self.open = "reasoning"
        self._event("response.output_item.added", output_index=self._index, item=self._items[self._index])

    def _end_reasoning(self, encrypted_content: str) -> None:
        text = "".join(self._parts)
        self._parts = []
        if text:
            self._event("response.reasoning_summary_text.done", **self._summary_place(), text=text)
            part = {"type": "summary_text", "text": text}
            self._event("response.reasoning_summary_part.done", **self._summary_place(), part=part)
        self._done(self._index, summary_item(self._items[self._index]["id"], text, encrypted_content))

    def _end_part(self) -> None:
        part = self._part()
        place = self._place()
        if self.open == "text":
            self._event("response.output_text.done", **place, text=part["text"], logprobs=part["logprobs"])
        else:
            self._event("response.refusal.done", **place, refusal=part["refusal"])
        self._event("response.content_part.done", **place, part=part)
        self._content.append(part)
        self._parts, self._annotations, self._logprobs = [], [], []

    def _part(self) -> dict[str, Any]:
        text = "".join(self._parts)
        if self.open == "refusal":
            return {"type": "refusal", "refusal": text}
        return text_part(text, self._annotations, self._logprobs)

    def _said(self, text: str) -> None:
        self._parts.append(text)
        self._out.append(self._delta + dumps(text) + _END % self._number)
        self._number += 1

    def _place(self) -> dict[str, Any]:
        item_id = self._items[self._index]["id"]
        return {"item_id": item_id, "output_index": self._index, "content_index": len(self._content)}

    def _summary_place(self) -> dict[str, Any]:
        return {"item_id": self._items[self._index]["id"], "output_index": self._index, "summary_index": 0}

    def _done(self, index: int, item: dict[str, Any]) -> None:
        self._items[index] = item
        self._event("response.output_item.done", output_index=index, item=item)

    def _lifecycle(self, kind: str) -> None:
        try:
            self._event(kind, response=self.response)
        except InvalidUpstreamResponse:  # a schema that could be read, but is nested too deeply to be repeated here
            self._event(kind, response={**self.response, **echo_of({}), "output": []})

    def _event(self, kind: str, **members: Any) -> None:
        data = encode({"type": kind, **members, "sequence_number": self._number})
        self._number += 1
        self._out.append(b"event: %s\ndata: %s\n\n" % (kind.encode(), data))
