"""Streams of the cell "Chat Completions client, Messages provider": Messages events in, chunks out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, text_or_empty
from hermesllm.sse import Event
from hermesllm.translate.anthropic_message import Annotations, tool_arguments
from hermesllm.translate.base import Context
from hermesllm.translate.chat_writer import ChatWriter
from hermesllm.translate.event_stream import EventStream
from hermesllm.translate.service_tiers import tier_of_anthropic
from hermesllm.translate.stop_reasons import ANTHROPIC_TO_CHAT
from hermesllm.usage import Usage


@dataclass(slots=True)
class _Block:
    """The content block being streamed. `call` is the position of a tool call among the client's tool calls."""

    kind: str
    call: int = -1
    answer: bool = False  # the forced tool whose input is the structured answer
    has_arguments: bool = False
    input: Any = None
    start: int = 0  # characters of answer text before this block
    thinking: list[str] = field(default_factory=list)
    signature: str = ""
    citations: list[dict[str, Any]] = field(default_factory=list)


_NO_BLOCK = _Block("")


class ChatToAnthropicStream(EventStream):
    """`answer_tool` is the tool whose input the client wants as text: structured output of older models."""

    def __init__(
        self,
        context: Context,
        *,
        include_usage: bool = False,
        answer_tool: str | None = None,
        legacy_functions: bool = False,
        custom: frozenset[str] = frozenset(),
    ) -> None:
        self._writer = ChatWriter(
            context.model, include_usage=include_usage, legacy_functions=legacy_functions, custom=custom
        )
        super().__init__(Format.ANTHROPIC, context, self._writer)
        self._answer_tool = answer_tool
        self._block = _NO_BLOCK
        self._length = 0
        self._calls = 0
        self._thinking_blocks = 0
        self._annotations = self._citations = 0
        self._stop: str | None = None
        self._finish_extra: dict[str, Any] = {}
        self._counts: dict[str, Any] = {}

    def _event(self, event: Event) -> None:
        name, data = event
        message = self._json(data) if data else {}
        kind = message.get("type") or name.decode("ascii", "replace")
        # Hot path: text of a text block.
        if kind == "content_block_delta":
            delta = message.get("delta")
            if type(delta) is dict and delta.get("type") == "text_delta":
                text = delta.get("text")
                if type(text) is str and text and self._writer.started:
                    self._length += len(text)
                    self._writer.text(text)
                    return
        handler = self._HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is not None:  # pings and events of the future say nothing to a Chat client
            handler(self, message)

    def _message_start(self, event: dict[str, Any]) -> None:
        message = object_or_empty(event.get("message"))
        self._count(message)
        self._writer.start(text_or_empty(message.get("id")) or None, text_or_empty(message.get("model")) or None)

    def _block_start(self, event: dict[str, Any]) -> None:
        self._writer.start()
        found = object_or_empty(event.get("content_block"))
        block = self._block = _Block(text_or_empty(found.get("type")), start=self._length)
        if block.kind == "text":
            self._text(text_or_empty(found.get("text")))
        elif block.kind == "thinking":
            self._thinking(text_or_empty(found.get("thinking")))
            block.signature = text_or_empty(found.get("signature"))
        elif block.kind == "redacted_thinking":
            self._thinking_block({"type": block.kind, "data": text_or_empty(found.get("data"))})
        elif block.kind == "tool_use":
            name = text_or_empty(found.get("name"))
            block.input = found.get("input")
            block.answer = name == self._answer_tool
            if not block.answer:
                block.call = self._calls
                self._calls += 1
                self._writer.tool_call(block.call, text_or_empty(found.get("id")), name)

    def _block_delta(self, event: dict[str, Any]) -> None:
        self._writer.start()
        delta = object_or_empty(event.get("delta"))
        kind = delta.get("type")
        if kind == "text_delta":
            self._text(text_or_empty(delta.get("text")))
        elif kind == "input_json_delta":
            self._arguments(text_or_empty(delta.get("partial_json")))
        elif kind == "thinking_delta":
            self._thinking(text_or_empty(delta.get("thinking")))
        elif kind == "signature_delta":
            self._block.signature += text_or_empty(delta.get("signature"))
        elif kind == "citations_delta":
            self._block.citations.append(object_or_empty(delta.get("citation")))

    def _block_stop(self, _: dict[str, Any]) -> None:
        block, self._block = self._block, _NO_BLOCK
        if block.kind == "tool_use" and not block.has_arguments:
            self._write_arguments(block, tool_arguments(block.input))
        elif block.kind == "thinking" and (block.thinking or block.signature):
            text = "".join(block.thinking)
            self._thinking_block({"type": "thinking", "thinking": text, "signature": block.signature})
        elif block.citations:
            found = Annotations()
            found.add(block.citations, block.start, self._length)
            self._writer.delta(found.indexed(self._annotations, self._citations))
            self._annotations += len(found.annotations)
            self._citations += len(found.citations)

    def _message_delta(self, event: dict[str, Any]) -> None:
        delta = object_or_empty(event.get("delta"))
        self._count(event)
        self._stop = text_or_empty(delta.get("stop_reason")) or self._stop
        if delta.get("stop_sequence"):
            self._finish_extra["stop_reason"] = text_or_empty(delta["stop_sequence"])
        explanation = text_or_empty(object_or_empty(delta.get("stop_details")).get("explanation"))
        if explanation:
            self._writer.start()
            self._writer.delta({"refusal": explanation})

    def _message_stop(self, _: dict[str, Any]) -> None:
        self._close()

    def _text(self, text: str) -> None:
        if text:
            self._length += len(text)
            self._writer.text(text)

    def _thinking(self, text: str) -> None:
        if text:
            self._block.thinking.append(text)
            self._writer.reasoning(text)

    def _thinking_block(self, block: dict[str, Any]) -> None:
        """A whole thinking block, signature and all: what the client must send back. SDKs merge lists by `index`."""
        self._writer.delta({"thinking_blocks": [{"index": self._thinking_blocks, **block}]})
        self._thinking_blocks += 1

    def _arguments(self, part: str) -> None:
        if part and self._block.kind == "tool_use":
            self._block.has_arguments = True
            self._write_arguments(self._block, part)

    def _write_arguments(self, block: _Block, part: str) -> None:
        if block.answer:
            self._text(part)
        else:
            self._writer.arguments(block.call, part)

    def _count(self, holder: dict[str, Any]) -> None:
        """Counters are cumulative: the latest of each replaces the earlier."""
        usage = object_or_empty(holder.get("usage"))
        if usage:
            self._counts.update((name, value) for name, value in usage.items() if value is not None)
            self.usage = Usage.from_anthropic(self._counts)

    def _close(self) -> None:
        self._closed = True
        reason = ANTHROPIC_TO_CHAT.get(self._stop or "end_turn", "stop")
        if reason == "tool_calls" and not self._calls:
            reason = "stop"  # the only call was the structured answer
        self._writer.finish(reason, self.usage or Usage(), tier_of_anthropic(self._counts), **self._finish_extra)

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
