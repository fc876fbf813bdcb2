"""Reads Responses streams of providers, for whatever the client's format is: one method per thing that is said.

Cells derive from it. It makes up for what servers leave out: deltas that only the `done` event repeats.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hermesllm.error_bodies import error_in
from hermesllm.errors import ErrorReport
from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.sse import Event
from hermesllm.translate.base import Context
from hermesllm.translate.event_stream import EventStream, StreamWriter
from hermesllm.translate.sealed_reasoning import reasoning_text
from hermesllm.usage import Usage

_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


@dataclass(slots=True, eq=False)
class OutputItem:
    """An output item that is being streamed. `said` tells whether any of it has come as a delta."""

    kind: str
    item: dict[str, Any]
    said: bool = False
    parts: list[str] = field(default_factory=list)  # of reasoning
    part: Any = None  # the summary or content index of the last reasoning delta
    done: bool = False
    call: Any = None  # what the cell knows the call by


def response_failure(response: dict[str, Any]) -> ErrorReport | None:
    """The error of a response object that failed or was cancelled; None for one that gave an answer."""
    status = response.get("status")
    report = error_in(Format.RESPONSES, response) if isinstance(response.get("error"), dict) else None
    if report is not None:
        return report
    if status in ("failed", "cancelled"):
        return ErrorReport(status=502, message=f"The provider's response ended with status {status}.", code="failed")
    return None


def incomplete_reason(response: dict[str, Any]) -> str:
    """Why an answer is not whole; empty for one that is."""
    if response.get("status") != "incomplete":
        return ""
    return text_or_empty(object_or_empty(response.get("incomplete_details")).get("reason")) or "max_output_tokens"


class ResponsesReader(EventStream):
    def __init__(self, context: Context, writer: StreamWriter) -> None:
        super().__init__(Format.RESPONSES, context, writer)
        self._items: dict[Any, OutputItem] = {}

    @abstractmethod
    def _start(self, response: dict[str, Any]) -> None:
        """The response has begun; called again whenever it may not have."""

    @abstractmethod
    def _text(self, text: str, event: dict[str, Any], /) -> None: ...

    @abstractmethod
    def _refusal(self, text: str) -> None: ...

    @abstractmethod
    def _reasoning(self, text: str) -> None: ...

    @abstractmethod
    def _reasoned(self, item: dict[str, Any], text: str) -> None:
        """A reasoning item is complete; `text` is what was said of it."""

    @abstractmethod
    def _annotation(self, annotation: dict[str, Any]) -> None: ...

    @abstractmethod
    def _call(self, output: OutputItem) -> None:
        """A call starts."""

    @abstractmethod
    def _arguments(self, output: OutputItem, part: str) -> None: ...

    @abstractmethod
    def _called(self, output: OutputItem) -> None:
        """A call is complete."""

    @abstractmethod
    def _finish(self, response: dict[str, Any]) -> None:
        """The answer is complete, or as complete as it will be."""

    def _event(self, event: Event) -> None:
        data = event.data
        if not data or data == b"[DONE]":
            return
        message = self._json(data)
        kind = message.get("type") or event.name.decode("ascii", "replace")
        handler = self._HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is not None:  # progress of tools that the provider runs says nothing to other clients
            handler(self, message)
        elif isinstance(message.get("error"), dict):
            self._error(message)

    def _begun(self, event: dict[str, Any]) -> None:
        self._start(object_or_empty(event.get("response")))

    def _added(self, event: dict[str, Any]) -> None:
        self._start({})
        item = object_or_empty(event.get("item"))
        output = OutputItem(text_or_empty(item.get("type")), item)
        self._items[_key(event)] = output
        if output.kind in _CALLS:
            self._call(output)
            self._more_arguments(output, text_or_empty(item.get(_CALLS[output.kind])))

    def _text_delta(self, event: dict[str, Any]) -> None:
        text = text_or_empty(event.get("delta"))
        if text:
            self._mark(event)
            self._text(text, event)

    def _annotated(self, event: dict[str, Any]) -> None:
        self._annotation(object_or_empty(event.get("annotation")))

    def _refusal_delta(self, event: dict[str, Any]) -> None:
        text = text_or_empty(event.get("delta"))
        if text:
            self._mark(event)
            self._refusal(text)

    def _reasoning_delta(self, event: dict[str, Any]) -> None:
        text = text_or_empty(event.get("delta"))
        if not text:
            return
        output = self._mark(event)
        part = (event.get("type"), event.get("summary_index"), event.get("content_index"))
        if output is not None:
            if output.part not in (None, part):
                text = f"\n\n{text}"
            output.part = part
            output.parts.append(text)
        self._reasoning(text)

    def _arguments_delta(self, event: dict[str, Any]) -> None:
        output = self._items.get(_key(event))
        if output is not None and output.kind in _CALLS:
            self._more_arguments(output, text_or_empty(event.get("delta")))

    def _more_arguments(self, output: OutputItem, part: str) -> None:
        if part and not output.done:
            output.said = True
            self._arguments(output, part)

    def _item_done(self, event: dict[str, Any]) -> None:
        item = object_or_empty(event.get("item"))
        output = self._items.get(_key(event))
        if output is None or output.kind != item.get("type"):
            self._added({**event, "item": {**item, "arguments": "", "input": ""}})
            output = self._items[_key(event)]
        if output.done:
            return
        if output.kind in _CALLS:
            if not output.said:
                self._more_arguments(output, text_or_empty(item.get(_CALLS[output.kind])))
            output.done = True
            self._called(output)
        elif output.kind == "reasoning":
            self._reasoning_done(output, item)
        elif output.kind == "message" and not output.said:
            self._message_done(item)
        output.done = True

    def _reasoning_done(self, output: OutputItem, item: dict[str, Any]) -> None:
        text = "".join(output.parts)
        if not output.said and (text := reasoning_text(item)):
            self._reasoning(text)
        self._reasoned({**output.item, **item}, text)

    def _message_done(self, item: dict[str, Any]) -> None:
        for part in objects_in(item.get("content")):
            text, refusal = text_or_empty(part.get("text")), text_or_empty(part.get("refusal"))
            if text:
                self._text(text, {})
            if refusal:
                self._refusal(refusal)
            for annotation in objects_in(part.get("annotations")):
                self._annotation(annotation)

    def _completed(self, event: dict[str, Any]) -> None:
        response = object_or_empty(event.get("response"))
        self._start(response)
        if not self._items:  # a server that sends nothing but the end
            for index, item in enumerate(objects_in(response.get("output"))):
                self._item_done({"output_index": index, "item": item})
        self._count(response)
        self._closed = True
        if event.get("type") == "response.incomplete":
            response = {**response, "status": "incomplete"}
        self._finish(response)

    def _failed(self, event: dict[str, Any]) -> None:
        response = object_or_empty(event.get("response"))
        self._count(response)
        self._report(response_failure({**response, "status": "failed"}) or _SILENT)

    def _error(self, event: dict[str, Any]) -> None:
        self._report(error_in(Format.RESPONSES, event) or _SILENT)

    def _count(self, response: dict[str, Any]) -> None:
        usage = object_or_empty(response.get("usage"))
        if usage:
            self.usage = Usage.from_responses(usage)

    def _mark(self, event: dict[str, Any]) -> OutputItem | None:
        self._start({})
        output = self._items.get(_key(event))
        if output is not None:
            output.said = True
        return output

    def _end(self) -> None:
        self._cut()

    _HANDLERS: ClassVar[dict[str, Callable[..., Any]]] = {
        "response.created": _begun,
        "response.in_progress": _begun,
        "response.queued": _begun,
        "response.output_item.added": _added,
        "response.output_item.done": _item_done,
        "response.output_text.delta": _text_delta,
        "response.output_text.annotation.added": _annotated,
        "response.refusal.delta": _refusal_delta,
        "response.reasoning_summary_text.delta": _reasoning_delta,
        "response.reasoning_text.delta": _reasoning_delta,
        "response.function_call_arguments.delta": _arguments_delta,
        "response.custom_tool_call_input.delta": _arguments_delta,
        "response.completed": _completed,
        "response.incomplete": _completed,
        "response.failed": _failed,
        "error": _error,
    }


_SILENT = ErrorReport(status=502, message="The provider reported an error without a text.", code="server_error")


def _key(event: dict[str, Any]) -> Any:
    index = event.get("output_index")
    return index if isinstance(index, int) else text_or_empty(event.get("item_id"))
