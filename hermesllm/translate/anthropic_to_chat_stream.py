"""Streams of the cell "Messages client, Chat Completions provider": chunks in, Messages events out."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.sse import Event
from hermesllm.translate.anthropic_writer import AnthropicWriter
from hermesllm.translate.base import Context
from hermesllm.translate.chat_message import citation_of, reasoning_of, signed_thinking, split_content
from hermesllm.translate.event_stream import EventStream, encode
from hermesllm.translate.stop_reasons import CHAT_TO_ANTHROPIC
from hermesllm.usage import Usage

_PLAIN = frozenset({"role", "content", "reasoning", "reasoning_content"})
_QUOTABLE = 64 * 1024  # characters of an answer that are kept for citations to quote


@dataclass(slots=True, eq=False)
class _ToolCall:
    """One tool call of the stream; `arguments` are all its parts, written or still waiting."""

    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    done: bool = False

    def is_complete(self) -> bool:
        text = "".join(self.arguments)
        if not text.endswith("}"):
            return False
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            return False
        return True


class AnthropicToChatStream(EventStream):
    def __init__(self, context: Context, stop_sequences: frozenset[str] = frozenset()) -> None:
        self._writer = AnthropicWriter(context.model)
        super().__init__(Format.CHAT, context, self._writer)
        self._stop_sequences = stop_sequences
        self._finish: str | None = None
        self._stop_sequence: str | None = None
        self._refused = False
        self._said: list[str] = []  # how the answer begins: citations tell their words by their place in it
        self._said_size = 0
        self._calls: dict[Any, _ToolCall] = {}
        self._waiting: list[_ToolCall] = []
        self._current: _ToolCall | None = None
        self._late: list[tuple[str, Any]] = []  # text and thinking that came in the middle of a tool call

    def _event(self, event: Event) -> None:
        data = event.data
        if data == b"[DONE]":
            self._close()
            return
        if not data:
            return
        chunk = self._json(data)
        # Hot path: nothing but more text for the text block that is open.
        if self._writer.open == "text":
            try:
                choice = chunk["choices"][0]
                delta = choice["delta"]
                text = delta["content"]
                plain = len(delta) == 1 and choice["finish_reason"] is None and type(text) is str
                if plain and text and chunk.get("usage") is None and "error" not in chunk:
                    if self._said_size < _QUOTABLE:
                        self._remember(text)
                    self._writer.text(text)
                    return
            except (KeyError, IndexError, TypeError):
                pass
        self._chunk(chunk, is_error=event.name == b"error" or bool(chunk.get("error")))

    def _chunk(self, chunk: dict[str, Any], is_error: bool) -> None:
        if is_error:
            self.provider_error(chunk)
            return
        choices = chunk.get("choices")
        choice = next(objects_in(choices), None)
        usage = chunk.get("usage") or (choice or {}).get("usage")  # Moonshot puts it into the choice
        if isinstance(usage, dict):
            self.usage = Usage.from_chat(usage)
        self._writer.tier = text_or_empty(chunk.get("service_tier")) or self._writer.tier
        if choice is not None:
            self._choice(chunk, choice)
        if self._finish is not None and isinstance(usage, dict):
            self._close()

    def _choice(self, chunk: dict[str, Any], choice: dict[str, Any]) -> None:
        if not self._writer.started:
            self._writer.model = text_or_empty(chunk.get("model")) or self._writer.model
            self._writer.start(self.usage)
        delta = object_or_empty(choice.get("delta"))
        thinking, text = split_content(delta.get("content"))
        if text and self._said_size < _QUOTABLE:
            self._remember(text)
        for kind, part in (("thinking", reasoning_of(delta) + thinking), ("text", text)):
            if part:
                self._say(kind, part)
        if not delta.keys() <= _PLAIN:
            self._rarer_members(delta)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason and self._finish is None:
            self._finish = reason
            matched = choice.get("stop_reason")  # vLLM names the stop sequence here
            if isinstance(matched, str) and matched in self._stop_sequences:
                self._stop_sequence = matched

    def _rarer_members(self, delta: dict[str, Any]) -> None:
        if "thinking_blocks" in delta or "reasoning_details" in delta:
            for block in signed_thinking(delta):
                self._say("signed", block)
        refusal = text_or_empty(delta.get("refusal"))
        if refusal:
            self._refused = True
            self._say("text", refusal)
        if delta.get("annotations"):
            self._cite(delta["annotations"])
        calls = delta.get("tool_calls")
        if calls:
            for position, call in enumerate(objects_in(calls)):
                self._tool_call(call, call.get("index"), position)
        if isinstance(delta.get("function_call"), dict):
            self._tool_call({"function": delta["function_call"]}, 0, 0)

    def _remember(self, text: str) -> None:
        self._said.append(text)
        self._said_size += len(text)

    def _cite(self, annotations: Any) -> None:
        for annotation in objects_in(annotations):
            citation = citation_of(annotation, "".join(self._said))
            if citation and self._writer.open == "text":
                self._writer.delta({"type": "citations_delta", "citation": citation})

    def _say(self, kind: str, said: Any) -> None:
        """Text, thinking, or a signed thinking block; what comes in the middle of a tool call has to wait."""
        if self._current is not None and not self._current.is_complete():
            self._late.append((kind, said))
            return
        self._end_current()
        if kind == "text":
            self._writer.text(said)
        elif kind == "thinking":
            self._writer.thinking(said)
        else:
            self._sign(said)

    def _sign(self, block: dict[str, Any]) -> None:
        """A signature that gateways in front of Claude send along with, or after, the text of the thinking."""
        if block["type"] == "redacted_thinking":
            self._writer.whole_block(block)
            return
        if self._writer.open != "thinking":
            self._writer.thinking(block["thinking"])
        self._writer.signature(block["signature"])
        self._writer.end_block()

    def _tool_call(self, entry: dict[str, Any], index: Any, position: int) -> None:
        call = self._call_for(entry, index if isinstance(index, int) else position)
        if call.done:
            return  # its block is closed: a provider that repeats a whole call at the end must not break the stream
        function = object_or_empty(entry.get("function"))
        call.name = call.name or text_or_empty(function.get("name"))
        part = _arguments(function.get("arguments"))
        if part:
            call.arguments.append(part)
        if call is self._current:
            if part:
                self._writer.arguments(part)
            if not self._waiting:
                return
        if self._current is None or self._current.is_complete():
            self._start_next()

    def _call_for(self, entry: dict[str, Any], key: int) -> _ToolCall:
        """The call an entry belongs to. Some servers reuse one index for all calls: a new id is a new call."""
        call_id = text_or_empty(entry.get("id"))
        call = self._calls.get(key)
        if call is None or (call_id and call.call_id and call_id != call.call_id):
            call = self._calls.get(call_id) if call_id else None
            if call is None:
                call = _ToolCall()
                self._waiting.append(call)
            self._calls[key] = call
        if call_id and not call.call_id:
            call.call_id = call_id
            self._calls[call_id] = call
        return call

    def _start_next(self) -> None:
        """Writes the calls that wait, in order, up to the first whose name is not known yet."""
        while self._waiting and self._waiting[0].name:
            self._end_current()
            call = self._waiting.pop(0)
            self._start(call)
            if not self._waiting or not call.is_complete():
                return

    def _start(self, call: _ToolCall) -> None:
        self._current = call
        self._writer.tool_use(call.call_id or f"toolu_{random_hex()[:24]}", call.name)
        if call.arguments:
            self._writer.arguments("".join(call.arguments))

    def _end_current(self) -> None:
        if self._current is not None:
            self._current.done = True
            self._current = None
            self._writer.end_block()

    def _close(self) -> None:
        self._closed = True
        called = bool(self._calls)
        self._end_current()
        for call in self._waiting:
            if call.name or call.arguments:
                self._start(call)
                self._end_current()
        for kind, part in self._late:
            self._say(kind, part)
        reason = CHAT_TO_ANTHROPIC.get(self._finish or "stop", "end_turn")
        if self._refused:
            reason = "refusal"
        elif called and reason == "end_turn":
            reason = "tool_use"
        elif self._stop_sequence is not None:
            reason = "stop_sequence"
        self._writer.finish(reason, self._stop_sequence, self.usage or Usage())

    def _end(self) -> None:
        if self._finish is not None:
            self._close()
        else:
            self._cut()


def _arguments(value: Any) -> str:
    """Arguments are a string by contract; Ollama and others send the object itself."""
    if isinstance(value, dict):
        return encode(value).decode()
    return text_or_empty(value)
