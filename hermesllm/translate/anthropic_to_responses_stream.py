"""Streams of the cell "Messages client, Responses provider": Responses events in, Messages events out.

Blocks cannot interleave, items may: what comes of a later item waits until the block of the earlier one is closed.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from hermesllm.ids import random_hex
from hermesllm.reading import text_or_empty
from hermesllm.translate.anthropic_to_responses_response import citation, stop_reason
from hermesllm.translate.anthropic_writer import AnthropicWriter
from hermesllm.translate.base import Context
from hermesllm.translate.responses_reader import OutputItem, ResponsesReader
from hermesllm.translate.sealed_reasoning import sealed_reasoning
from hermesllm.usage import Usage


class AnthropicToResponsesStream(ResponsesReader):
    def __init__(self, context: Context) -> None:
        self._writer = AnthropicWriter(context.model)
        super().__init__(context, self._writer)
        self._current: OutputItem | None = None  # the call whose block is open
        self._waiting: list[tuple[OutputItem | None, Callable[[], None]]] = []
        self._called_any = False
        self._refused = False
        self._place: Any = None  # of the text part that is being said
        self._said: list[str] = []  # that part's text: citations tell their words by their place in it

    def _start(self, response: dict[str, Any]) -> None:
        if not self._writer.started:
            self._writer.model = text_or_empty(response.get("model")) or self._writer.model
            self._writer.start(self.usage, text_or_empty(response.get("id")) or None)

    def _text(self, text: str, event: dict[str, Any]) -> None:
        place = (event.get("output_index"), event.get("content_index"))
        if place != self._place or not event:
            self._place, self._said = place, []
        self._said.append(text)
        if self._current is None:
            self._writer.text(text)
        else:
            self._in_turn(None, partial(self._writer.text, text))

    def _refusal(self, text: str) -> None:
        self._refused = True
        self._in_turn(None, partial(self._writer.text, text))

    def _reasoning(self, text: str) -> None:
        self._in_turn(None, partial(self._writer.thinking, text))

    def _reasoned(self, item: dict[str, Any], text: str) -> None:
        signature = sealed_reasoning(item)
        if text or signature:
            self._in_turn(None, partial(self._sign, signature))

    def _sign(self, signature: str) -> None:
        if self._writer.open != "thinking":
            self._writer.thinking("")
        if signature:
            self._writer.signature(signature)
        self._writer.end_block()

    def _annotation(self, annotation: dict[str, Any]) -> None:
        found = citation(annotation, "".join(self._said))
        if found is not None:
            self._in_turn(None, partial(self._cite, found))

    def _cite(self, found: dict[str, Any]) -> None:
        if self._writer.open == "text":
            self._writer.delta({"type": "citations_delta", "citation": found})

    def _call(self, output: OutputItem) -> None:
        self._called_any = True
        self._in_turn(output, partial(self._open_call, output))

    def _open_call(self, output: OutputItem) -> None:
        self._current = output
        call_id = text_or_empty(output.item.get("call_id")) or f"toolu_{random_hex()[:24]}"
        self._writer.tool_use(call_id, text_or_empty(output.item.get("name")))

    def _arguments(self, output: OutputItem, part: str) -> None:
        if output.kind == "custom_tool_call":
            output.parts.append(part)  # its JSON can be written when the whole text is known
        elif output is self._current:
            self._writer.arguments(part)
        else:
            self._in_turn(output, partial(self._writer.arguments, part))

    def _called(self, output: OutputItem) -> None:
        self._in_turn(output, partial(self._end_call, output))

    def _end_call(self, output: OutputItem) -> None:
        if output.kind == "custom_tool_call":
            self._writer.arguments(orjson.dumps({"input": "".join(output.parts)}).decode())
        self._writer.end_block()
        self._current = None

    def _in_turn(self, output: OutputItem | None, write: Callable[[], None]) -> None:
        """Writes now, or when the call whose block is open is complete."""
        if self._current is None or output is self._current:
            write()
            if self._current is None:
                self._write_waiting()
        else:
            self._waiting.append((output, write))

    def _write_waiting(self) -> None:
        """What waited, in the order it came; of a call that becomes the open one, all that is there of it first."""
        while self._waiting:
            current = self._current
            at = next(
                (at for at, (output, _) in enumerate(self._waiting) if current is None or output is current), None
            )
            if at is None:
                return
            self._waiting.pop(at)[1]()

    def _finish(self, response: dict[str, Any]) -> None:
        while self._current is not None:
            self._end_call(self._current)
            self._write_waiting()
        reason = stop_reason(response, refused=self._refused, called=self._called_any)
        self._writer.tier = text_or_empty(response.get("service_tier"))
        self._writer.finish(reason, None, self.usage or Usage())
