"""Reads along what a client is answered, for the span of its request. The answer is neither changed nor held back."""

import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from extproc.output_messages import OutputMessages
from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.sse import EVENT_LIMIT, Event, EventTooLarge, SSEDecoder

log = logging.getLogger(__name__)

WHOLE_LIMIT = EVENT_LIMIT
"""Bytes of an answer in one piece beyond which nothing of it is captured."""

ANSWERED = "answered"
"""The metadata in which an answer comes back with the access log."""

_EVENT_STREAM = "text/event-stream"
_DONE = b"[DONE]"
_LAST_EVENTS = frozenset({"message_stop", "response.completed", "response.incomplete", "response.failed"})
_CALLS = frozenset({"tool_use", "server_tool_use"})

Reader = Callable[[OutputMessages, dict[str, Any]], None]


class CapturedAnswer:
    """The answer in the client's format, piece by piece. It keeps `limit` bytes and an unfinished event, or a body.

    `reading`: it still reads what comes.
    """

    def __init__(self, shape: Format, limit: int, *, stream: bool, request_id: str | None = None) -> None:
        self._messages = OutputMessages(limit)
        self._read = READERS[shape][stream]
        self._decoder = SSEDecoder() if stream else None
        self._body = bytearray()
        self.reading = True
        self._complete = False
        self._told = False
        self._request_id = request_id

    def take(self, chunk: bytes, *, end: bool) -> dict[str, str] | None:
        """What is to be told, as metadata, once the answer is at its end or says so. Never raises."""
        if self._told:
            return None
        try:
            if self.reading:
                self._follow(chunk, end=end)
            self._told = end or self._complete
            text = self._messages.json() if self._told else ""
        except Exception:  # whatever a provider sent, no answer fails because it is captured
            log.exception("request_id=%s: its answer is not captured any further", self._request_id)
            self._stop()
            return None
        return {ANSWERED: text} if text else None

    def _follow(self, chunk: bytes, *, end: bool) -> None:
        if self._decoder is None:
            self._body += chunk
            if len(self._body) > WHOLE_LIMIT:
                self._stop()
            elif end:
                self._document(self._body)
            return
        try:
            self._events(self._decoder.decode(chunk))
            if end:
                self._events(self._decoder.flush())
        except EventTooLarge as fault:
            self._events(fault.events)
            self._stop()

    def _events(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.data == _DONE:
                self._complete = True
            self._document(event.data)

    def _document(self, data: bytes | bytearray) -> None:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:  # what only the client can make something of
            return
        if isinstance(document, dict):
            self._read(self._messages, document)
            kind = document.get("type")
            self._complete = self._complete or (isinstance(kind, str) and kind in _LAST_EVENTS)

    def _stop(self) -> None:
        self.reading = False
        self._decoder = None
        self._body = bytearray()


def captured_answer(
    shape: Format, limit: int, headers: Mapping[str, str], request_id: str | None
) -> CapturedAnswer | None:
    """Of an answer with these headers; None where it is no text, or encoded."""
    if shape not in READERS or headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        return None
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return CapturedAnswer(shape, limit, stream=media_type == _EVENT_STREAM, request_id=request_id)


def _index(value: Any) -> int:
    return value if type(value) is int else 0


def _choices(out: OutputMessages, document: dict[str, Any]) -> None:
    """Chat Completions and its predecessor, of which an event differs from an answer only in a name."""
    for choice in objects_in(document.get("choices")):
        index = _index(choice.get("index"))
        out.text(index, 0, text_or_empty(choice.get("text")))
        message = object_or_empty(choice.get("message") or choice.get("delta"))
        content = message.get("content")
        out.text(index, 0, text_or_empty(content))
        for part in objects_in(content):
            out.text(index, 0, text_or_empty(part.get("text")))
        out.text(index, 0, text_or_empty(message.get("refusal")))
        for position, call in enumerate(objects_in(message.get("tool_calls"))):
            _chat_call(out, index, _index(call.get("index", position)), call)
        if legacy := object_or_empty(message.get("function_call")):
            _chat_call(out, index, "function", {"function": legacy})
        if reason := text_or_empty(choice.get("finish_reason")):
            out.finish(index, reason)


def _chat_call(out: OutputMessages, choice: int, key: object, call: dict[str, Any]) -> None:
    called = object_or_empty(call.get("function") or call.get("custom"))
    out.call(choice, key, text_or_empty(call.get("id")), text_or_empty(called.get("name")))
    out.arguments(choice, key, text_or_empty(called.get("arguments") or called.get("input")))


def _message(out: OutputMessages, document: dict[str, Any]) -> None:
    """Anthropic's answer."""
    for position, block in enumerate(objects_in(document.get("content"))):
        _block(out, position, block)
    if reason := text_or_empty(document.get("stop_reason")):
        out.finish(0, reason)


def _message_event(out: OutputMessages, event: dict[str, Any]) -> None:
    """Anthropic's stream."""
    position = _index(event.get("index"))
    delta = object_or_empty(event.get("delta"))
    match event.get("type"):
        case "content_block_start":
            _block(out, position, object_or_empty(event.get("content_block")))
        case "content_block_delta":
            out.text(0, position, text_or_empty(delta.get("text")))
            out.arguments(0, position, text_or_empty(delta.get("partial_json")))
        case "message_delta" if reason := text_or_empty(delta.get("stop_reason")):
            out.finish(0, reason)


def _block(out: OutputMessages, position: int, block: dict[str, Any]) -> None:
    kind = text_or_empty(block.get("type"))
    if kind == "text":
        out.text(0, position, text_or_empty(block.get("text")))
    elif kind in _CALLS:
        out.call(0, position, text_or_empty(block.get("id")), text_or_empty(block.get("name")))
        if given := object_or_empty(block.get("input")):  # a stream begins with an empty one
            out.arguments(0, position, orjson.dumps(given).decode())


def _response(out: OutputMessages, document: dict[str, Any]) -> None:
    """The Responses API's answer."""
    for position, item in enumerate(objects_in(document.get("output"))):
        for number, part in enumerate(objects_in(item.get("content"))):
            if item.get("type") == "message":
                out.text(0, (position, number), text_or_empty(part.get("text") or part.get("refusal")))
        _item(out, position, item)
    _end(out, document)


def _response_event(out: OutputMessages, event: dict[str, Any]) -> None:
    """The Responses API's stream."""
    position = _index(event.get("output_index"))
    match event.get("type"):
        case "response.output_text.delta" | "response.refusal.delta":
            out.text(0, (position, _index(event.get("content_index"))), text_or_empty(event.get("delta")))
        case "response.output_item.added":
            _item(out, position, object_or_empty(event.get("item")))
        case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
            out.arguments(0, position, text_or_empty(event.get("delta")))
        case "response.completed" | "response.incomplete" | "response.failed":
            _end(out, object_or_empty(event.get("response")))


def _item(out: OutputMessages, position: int, item: dict[str, Any]) -> None:
    if item.get("type") in ("function_call", "custom_tool_call"):
        out.call(0, position, text_or_empty(item.get("call_id")), text_or_empty(item.get("name")))
        out.arguments(0, position, text_or_empty(item.get("arguments") or item.get("input")))


def _end(out: OutputMessages, response: dict[str, Any]) -> None:
    reason = text_or_empty(response.get("status"))
    if reason == "incomplete":
        reason = text_or_empty(object_or_empty(response.get("incomplete_details")).get("reason"))
    elif reason == "completed" and out.calls_tools(0):
        reason = "tool_calls"
    if reason:
        out.finish(0, reason)


READERS: Mapping[Format, tuple[Reader, Reader]] = MappingProxyType(
    {
        Format.CHAT: (_choices, _choices),
        Format.COMPLETIONS: (_choices, _choices),
        Format.ANTHROPIC: (_message, _message_event),
        Format.RESPONSES: (_response, _response_event),
    }
)
"""For each client's format: of an answer in one piece, and of a stream's event."""
