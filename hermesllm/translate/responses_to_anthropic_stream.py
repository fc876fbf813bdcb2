"""Streams of the cell "Responses client, Messages provider": Messages events in, Responses events out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, text_or_empty
from hermesllm.sse import Event
from hermesllm.translate.anthropic_message import tool_arguments
from hermesllm.translate.base import Context
from hermesllm.translate.event_stream import EventStream
from hermesllm.translate.responses_object import Asked
from hermesllm.translate.responses_to_anthropic_response import cited, web_search_item
from hermesllm.translate.responses_writer import Call, ResponsesWriter
from hermesllm.translate.sealed_reasoning import sealed_thinking
from hermesllm.translate.service_tiers import tier_of_anthropic
from hermesllm.translate.stop_reasons import ANTHROPIC_TO_RESPONSES
from hermesllm.usage import Usage


@dataclass(slots=True)
class _Block:
    """The content block being streamed."""

    kind: str
    name: str = ""
    call: Call | None = None
    input: Any = None
    start: int = 0  # characters of the open text before this block
    signature: str = ""
    parts: list[str] = field(default_factory=list)


_NO_BLOCK = _Block("")


class ResponsesToAnthropicStream(EventStream):
    """`answer_tool` is the tool whose input the client wants as text: structured output of older models."""

    def __init__(self, context: Context, asked: Asked, answer_tool: str | None) -> None:
        self._writer = ResponsesWriter(context.model, asked)
        super().__init__(Format.ANTHROPIC, context, self._writer)
        self._answer_tool = answer_tool
        self._block = _NO_BLOCK
        self._length = 0
        self._stop: str | None = None
        self._counts: dict[str, Any] = {}

    @property
    def final(self) -> dict[str, Any]:
        """The response object, complete at the end of the stream."""
        return self._writer.response

    def _event(self, event: Event) -> None:
        name, data = event
        message = self._json(data) if data else {}
        kind = message.get("type") or name.decode("ascii", "replace")
        # Hot path: text of a text block.
        if kind == "content_block_delta" and self._writer.open == "text":
            delta = message.get("delta")
            if type(delta) is dict and delta.get("type") == "text_delta":
                text = delta.get("text")
                if type(text) is str and text:
                    self._length += len(text)
                    self._writer.text(text)
                    return
        handler = self._HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is not None:  # pings and events of the future say nothing to a Responses client
            handler(self, message)

    def _message_start(self, event: dict[str, Any]) -> None:
        message = object_or_empty(event.get("message"))
        self._count(message)
        self._writer.start(text_or_empty(message.get("id")), text_or_empty(message.get("model")))

    def _block_start(self, event: dict[str, Any]) -> None:
        self._writer.start()
        found = object_or_empty(event.get("content_block"))
        kind = text_or_empty(found.get("type"))
        if self._writer.open != "text":
            self._length = 0
        block = self._block = _Block(kind, text_or_empty(found.get("name")), start=self._length)
        block.input = found.get("input")
        if kind == "text":
            self._text(text_or_empty(found.get("text")))
        elif kind == "thinking":
            self._writer.end_item()
            self._thinking(text_or_empty(found.get("thinking")))
            block.signature = text_or_empty(found.get("signature"))
        elif kind == "redacted_thinking":
            self._writer.end_item()
            self._writer.seal_reasoning(sealed_thinking(found))
        elif kind == "tool_use" and not self._is_answer(block):
            block.call = self._writer.call(text_or_empty(found.get("id")), block.name)

    def _block_delta(self, event: dict[str, Any]) -> None:
        self._writer.start()
        delta = object_or_empty(event.get("delta"))
        kind = delta.get("type")
        if kind == "text_delta":
            self._text(text_or_empty(delta.get("text")))
        elif kind == "input_json_delta":
            self._input(text_or_empty(delta.get("partial_json")))
        elif kind == "thinking_delta":
            self._thinking(text_or_empty(delta.get("thinking")))
        elif kind == "signature_delta":
            self._block.signature += text_or_empty(delta.get("signature"))
        elif kind == "citations_delta":
            for annotation in cited([delta.get("citation")], self._block.start, self._length):
                self._writer.annotation(annotation)

    def _block_stop(self, _: dict[str, Any]) -> None:
        block, self._block = self._block, _NO_BLOCK
        if block.kind == "tool_use":
            if not block.parts:
                self._write_input(block, tool_arguments(block.input))
            if block.call is not None:
                self._writer.end_call(block.call)
        elif block.kind == "thinking":
            if block.signature or self._writer.open == "reasoning":
                self._writer.seal_reasoning(sealed_thinking({"type": "thinking", "signature": block.signature}))
        elif block.kind == "server_tool_use" and block.name == "web_search":
            self._writer.item(web_search_item(self._writer.new_id("ws"), _parsed(block)))

    def _message_delta(self, event: dict[str, Any]) -> None:
        delta = object_or_empty(event.get("delta"))
        self._count(event)
        self._stop = text_or_empty(delta.get("stop_reason")) or self._stop
        explanation = text_or_empty(object_or_empty(delta.get("stop_details")).get("explanation"))
        if explanation:
            self._writer.refusal(explanation)

    def _message_stop(self, _: dict[str, Any]) -> None:
        self._close()

    def _text(self, text: str) -> None:
        if text:
            self._length += len(text)
            self._writer.text(text)

    def _thinking(self, text: str) -> None:
        if text:
            self._writer.reasoning(text)

    def _input(self, part: str) -> None:
        if part and self._block.kind in ("tool_use", "server_tool_use"):
            self._block.parts.append(part)
            self._write_input(self._block, part)

    def _write_input(self, block: _Block, part: str) -> None:
        if block.call is not None:
            self._writer.arguments(block.call, part)
        elif self._is_answer(block):
            self._text(part)

    def _is_answer(self, block: _Block) -> bool:
        return block.kind == "tool_use" and bool(block.name) and block.name == self._answer_tool

    def _count(self, holder: dict[str, Any]) -> None:
        """Counters are cumulative: the latest of each replaces the earlier."""
        usage = object_or_empty(holder.get("usage"))
        if usage:
            self._counts.update((name, value) for name, value in usage.items() if value is not None)
            self.usage = Usage.from_anthropic(self._counts)

    def _close(self) -> None:
        self._closed = True
        incomplete = ANTHROPIC_TO_RESPONSES.get(self._stop or "end_turn")
        self._writer.finish(incomplete, self.usage or Usage(), tier_of_anthropic(self._counts))

    def _end(self) -> None:
        if self._stop is not None:
            self._close()
        else:
            self._cut()

    _HANDLERS: ClassVar[dict[str, Callable[..., Any]]] = {
        "message_start": _message_start,
        "content_block_start": _block_start,
        "content_block_delta": _block_delta,
        "content_block_stop": _block_stop,
        "message_delta": _message_delta,
        "message_stop": _message_stop,
        "error": EventStream.provider_error,
    }


def _parsed(block: _Block) -> Any:
    try:
        return orjson.loads("".join(block.parts)) if block.parts else block.input
    except orjson.JSONDecodeError:
        return None
