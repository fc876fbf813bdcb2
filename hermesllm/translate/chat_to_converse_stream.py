"""Streams of the cell "Chat Completions client, Amazon Bedrock Converse provider": frames in, chunks out."""

from typing import Any

from hermesllm.ids import random_hex
from hermesllm.translate.anthropic_message import Annotations
from hermesllm.translate.anthropic_to_converse_response import stop_of
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_anthropic_request import Asked
from hermesllm.translate.chat_writer import ChatWriter
from hermesllm.translate.converse_request import Answering
from hermesllm.translate.converse_stream import ConverseStream
from hermesllm.translate.stop_reasons import ANTHROPIC_TO_CHAT
from hermesllm.usage import Usage


class ChatToConverseStream(ConverseStream):
    def __init__(self, context: Context, answering: Answering, asked: Asked) -> None:
        self._writer = ChatWriter(
            context.model,
            include_usage=asked.include_usage,
            legacy_functions=asked.legacy_functions,
            custom=asked.custom,
        )
        super().__init__(context, self._writer, answering)
        self._message_id = f"chatcmpl-{context.answer_id}" if context.answer_id else None
        self._length = 0  # characters of answer text
        self._block_start_at = 0
        self._thoughts: list[str] = []
        self._signed = ""
        self._thinking_blocks = 0
        self._cited: list[dict[str, Any]] = []
        self._annotations = self._citations = 0
        self._lacks_arguments = False

    def _start(self) -> None:
        self._writer.start(self._message_id)

    def _text(self, text: str) -> None:
        self._length += len(text)
        self._writer.text(text)

    def _thinking(self, text: str) -> None:
        self._thoughts.append(text)
        self._writer.reasoning(text)

    def _signature(self, signature: str) -> None:
        self._signed += signature

    def _redacted_thinking(self, data: str) -> None:
        self._thinking_block({"type": "redacted_thinking", "data": data})

    def _cite(self, citation: dict[str, Any]) -> None:
        self._cited.append(citation)

    def _call(self, call_id: str, name: str) -> None:
        self._lacks_arguments = True
        self._writer.tool_call(self._calls - 1, call_id or f"call_{random_hex()[:24]}", name)

    def _arguments(self, part: str) -> None:
        self._lacks_arguments = False
        self._writer.arguments(self._calls - 1, part)

    def _end_block(self) -> None:
        if self._lacks_arguments:
            self._arguments("{}")
        if self._thoughts or self._signed:
            text = "".join(self._thoughts)
            self._thinking_block({"type": "thinking", "thinking": text, "signature": self._signed})
            self._thoughts, self._signed = [], ""
        if self._cited:
            found = Annotations()
            found.add(self._cited, self._block_start_at, self._length)
            self._writer.delta(found.indexed(self._annotations, self._citations))
            self._annotations += len(found.annotations)
            self._citations += len(found.citations)
            self._cited = []
        self._block_start_at = self._length

    def _thinking_block(self, block: dict[str, Any]) -> None:
        """A whole thinking block, signature and all: what the client must send back. SDKs merge lists by `index`."""
        self._writer.delta({"thinking_blocks": [{"index": self._thinking_blocks, **block}]})
        self._thinking_blocks += 1

    def _finish(self, usage: Usage) -> None:
        stop = stop_of(self.reason or "", self.fields, called=self._calls > 0)
        matched = {"stop_reason": stop["stop_sequence"]} if stop["stop_sequence"] else {}
        self._writer.finish(ANTHROPIC_TO_CHAT.get(stop["stop_reason"], "stop"), usage, self.tier, **matched)
