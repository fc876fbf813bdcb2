"""Streams of the cell "Messages client, Amazon Bedrock Converse provider": frames in, Messages events out."""

from typing import Any

from hermesllm.ids import random_hex
from hermesllm.translate.anthropic_to_converse_response import stop_of
from hermesllm.translate.anthropic_writer import AnthropicWriter
from hermesllm.translate.base import Context
from hermesllm.translate.converse_request import Answering
from hermesllm.translate.converse_stream import ConverseStream
from hermesllm.usage import Usage


class AnthropicToConverseStream(ConverseStream):
    def __init__(self, context: Context, answering: Answering) -> None:
        self._writer = AnthropicWriter(context.model)
        self._message_id = f"msg_{context.answer_id}" if context.answer_id else None
        super().__init__(context, self._writer, answering)

    def _start(self) -> None:
        self._writer.start(message_id=self._message_id)

    def _text(self, text: str) -> None:
        self._writer.text(text)

    def _thinking(self, text: str) -> None:
        self._writer.thinking(text)

    def _signature(self, signature: str) -> None:
        if self._writer.open != "thinking":
            self._writer.thinking("")  # Claude can be asked to keep its thoughts to itself and still signs them
        self._writer.signature(signature)

    def _redacted_thinking(self, data: str) -> None:
        self._writer.whole_block({"type": "redacted_thinking", "data": data})

    def _cite(self, citation: dict[str, Any]) -> None:
        if self._writer.open != "text":
            self._writer.text("")
        self._writer.delta({"type": "citations_delta", "citation": citation})

    def _call(self, call_id: str, name: str) -> None:
        self._writer.tool_use(call_id or f"toolu_{random_hex()[:24]}", name)

    def _arguments(self, part: str) -> None:
        self._writer.arguments(part)

    def _end_block(self) -> None:
        self._writer.end_block()

    def _finish(self, usage: Usage) -> None:
        stop = stop_of(self.reason or "", self.fields, called=self._calls > 0)
        self._writer.tier = self.tier
        self._writer.finish(stop["stop_reason"], stop["stop_sequence"], usage)
