"""The frame of every ConverseStream translation: frames in, blocks one after another. One cell adds what they become.

Hot path: deltas of text.
"""

from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, ClassVar

from hermesllm.aws_errors import exception_name, exception_report
from hermesllm.aws_event_stream import EventStreamDecoder, Frame, InvalidFrame
from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.reading import object_or_empty, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.converse_citations import to_citation
from hermesllm.translate.converse_request import Answering
from hermesllm.translate.event_stream import ProviderStream, StreamWriter, encode
from hermesllm.translate.service_tiers import tier_of_converse
from hermesllm.usage import Usage


class ConverseStream(ProviderStream, ABC):
    """A StreamTranslator for Bedrock's binary streams. A block starts with its first word: Bedrock rarely says so."""

    def __init__(self, context: Context, writer: StreamWriter, answering: Answering) -> None:
        super().__init__(context, writer)
        self.reason: str | None = None
        self.tier = ""
        self.fields: dict[str, Any] = {}
        self._answering = answering
        self._decoder = EventStreamDecoder()
        self._index: Any = None  # of the block that is open
        self._tool = ""  # what the block that is open is to a tool: "call", "answer" or nothing
        self._redacted: list[str] = []
        self._calls = 0

    def decode(self, chunk: bytes) -> bytes:
        if self._closed:
            return b""
        try:
            self._read(self._decoder.decode(chunk))
        except InvalidFrame as fault:
            self._read(fault.frames)
            self._fail(f"The provider's answer cannot be read: {fault}.")
        return self._frame.take()

    def flush(self) -> bytes:
        if self._closed:
            return b""
        try:
            self._decoder.flush()
        except InvalidFrame:
            self._cut()
        if self.reason is None:
            self._cut()
        elif not self._closed:
            self._close()
        return self._frame.take()

    def _read(self, frames: list[Frame]) -> None:
        try:
            for frame in frames:
                if self._closed:
                    return
                self._one(frame)
        except InvalidUpstreamResponse as error:
            self._fail(error.message)

    def _one(self, frame: Frame) -> None:
        kind = frame.text(":message-type")
        if kind == "exception":
            self._exception(frame)
        elif kind == "error":
            said = {"message": frame.text(":error-message")}
            self._report(exception_report(frame.text(":error-code"), said))
        else:
            handler = self._HANDLERS.get(frame.text(":event-type"))
            if handler is not None:  # events of the future say nothing to a client
                handler(self, self._json(frame.payload))

    def _exception(self, frame: Frame) -> None:
        name = exception_name(frame.text(":exception-type") or frame.text(":event-type")) or ""
        try:
            said = self._json(frame.payload)
        except InvalidUpstreamResponse:
            said = {"message": frame.payload[:2048].decode("utf-8", "replace")}
        self._report(exception_report(name, said))

    def _message_start(self, _: dict[str, Any]) -> None:
        self._start()

    def _block_start(self, event: dict[str, Any]) -> None:
        self._enter(event.get("contentBlockIndex"))
        call = object_or_empty(object_or_empty(event.get("start")).get("toolUse"))
        if not call or call.get("type") == "server_tool_use":
            return
        name = text_or_empty(call.get("name"))
        self._tool = "answer" if name and name == self._answering.answer_tool else "call"
        if self._tool == "call":
            self._calls += 1
            self._call(text_or_empty(call.get("toolUseId")), self._answering.names.given(name))

    def _block_delta(self, event: dict[str, Any]) -> None:
        index = event.get("contentBlockIndex")
        if index != self._index or index is None:
            self._enter(index)
        delta = event.get("delta")
        if type(delta) is not dict:
            return
        text = delta.get("text")
        if type(text) is str:
            if text:
                self._text(text)
        elif "toolUse" in delta:
            self._input(object_or_empty(delta["toolUse"]).get("input"))
        elif "reasoningContent" in delta:
            self._reasoning(object_or_empty(delta["reasoningContent"]))
        elif isinstance(delta.get("citation"), dict):
            self._cite(to_citation(delta["citation"]))

    def _input(self, part: Any) -> None:
        text = encode(part).decode() if isinstance(part, dict) else text_or_empty(part)
        if text and self._tool == "call":
            self._arguments(text)
        elif text and self._tool == "answer":
            self._text(text)

    def _reasoning(self, delta: dict[str, Any]) -> None:
        thought, signature = text_or_empty(delta.get("text")), text_or_empty(delta.get("signature"))
        if thought:
            self._thinking(thought)
        if signature:
            self._signature(signature)
        if text_or_empty(delta.get("redactedContent")):
            self._redacted.append(delta["redactedContent"])

    def _block_stop(self, event: dict[str, Any]) -> None:
        if event.get("contentBlockIndex") == self._index:
            self._leave()

    def _enter(self, index: Any) -> None:
        self._leave()
        self._start()
        self._index = index

    def _leave(self) -> None:
        if self._redacted:
            self._redacted_thinking(_joined(self._redacted))
            self._redacted = []
        self._end_block()
        self._index, self._tool = None, ""

    def _message_stop(self, event: dict[str, Any]) -> None:
        self.reason = text_or_empty(event.get("stopReason")) or "end_turn"
        self.fields = object_or_empty(event.get("additionalModelResponseFields"))

    def _metadata(self, event: dict[str, Any]) -> None:
        usage = object_or_empty(event.get("usage"))
        if usage:
            self.usage = Usage.from_converse(usage)
        self.tier = tier_of_converse(event)
        if self.reason is not None:
            self._close()

    def _close(self) -> None:
        self._leave()
        self._closed = True
        self._finish(self.usage or Usage())

    @abstractmethod
    def _start(self) -> None:
        """Begins the client's message, unless it has begun."""

    @abstractmethod
    def _text(self, text: str) -> None: ...

    @abstractmethod
    def _thinking(self, text: str) -> None: ...

    @abstractmethod
    def _signature(self, signature: str) -> None:
        """The signature of the thinking of this block."""

    @abstractmethod
    def _redacted_thinking(self, data: str) -> None: ...

    @abstractmethod
    def _cite(self, citation: dict[str, Any]) -> None:
        """A citation, in the words of the Messages API, of the text of this block."""

    @abstractmethod
    def _call(self, call_id: str, name: str) -> None:
        """A tool call begins."""

    @abstractmethod
    def _arguments(self, part: str) -> None: ...

    @abstractmethod
    def _end_block(self) -> None:
        """The block that is open, if one is, is over."""

    @abstractmethod
    def _finish(self, usage: Usage) -> None:
        """The answer is whole; `reason` and `fields` are settled."""

    _HANDLERS: ClassVar[dict[str, Callable[..., Any]]] = {
        "messageStart": _message_start,
        "contentBlockStart": _block_start,
        "contentBlockDelta": _block_delta,
        "contentBlockStop": _block_stop,
        "messageStop": _message_stop,
        "metadata": _metadata,
    }


def _joined(parts: list[str]) -> str:
    """One base64 text of several; of what is not base64, the texts one after another."""
    if len(parts) == 1:
        return parts[0]
    try:
        return b64encode(b"".join(b64decode(part, validate=True) for part in parts)).decode()
    except ValueError:
        return "".join(parts)
