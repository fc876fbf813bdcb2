"""Streams of the cell "Chat Completions client, Responses provider": Responses events in, chunks out."""

from typing import Any

from hermesllm.reading import text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_responses_request import ChatAsked
from hermesllm.translate.chat_to_responses_response import chat_annotation
from hermesllm.translate.chat_writer import ChatWriter
from hermesllm.translate.responses_object import output_logprobs
from hermesllm.translate.responses_reader import OutputItem, ResponsesReader, incomplete_reason
from hermesllm.translate.sealed_reasoning import sealed_reasoning
from hermesllm.translate.stop_reasons import RESPONSES_TO_CHAT
from hermesllm.usage import Usage


class ChatToResponsesStream(ResponsesReader):
    def __init__(self, context: Context, asked: ChatAsked) -> None:
        self._writer = ChatWriter(
            context.model, include_usage=asked.include_usage, legacy_functions=asked.legacy_functions
        )
        super().__init__(context, self._writer)
        self._calls = self._thinking_blocks = self._annotations = 0

    def _start(self, response: dict[str, Any]) -> None:
        if not self._writer.started:
            self._writer.start(text_or_empty(response.get("id")) or None, text_or_empty(response.get("model")) or None)

    def _text(self, text: str, event: dict[str, Any]) -> None:
        logprobs = output_logprobs({"content": event["logprobs"]}) if event.get("logprobs") else []
        if logprobs:
            self._writer.scored_text(text, logprobs)
        else:
            self._writer.text(text)

    def _refusal(self, text: str) -> None:
        self._writer.delta({"refusal": text})

    def _reasoning(self, text: str) -> None:
        self._writer.reasoning(text)

    def _reasoned(self, item: dict[str, Any], text: str) -> None:
        signature = sealed_reasoning(item)
        if signature:
            block = {"type": "thinking", "thinking": text, "signature": signature}
            self._writer.delta({"thinking_blocks": [{"index": self._thinking_blocks, **block}]})
            self._thinking_blocks += 1

    def _annotation(self, annotation: dict[str, Any]) -> None:
        found = chat_annotation(annotation, 0)
        if found is not None:
            self._writer.delta({"annotations": [{"index": self._annotations, **found}]})
            self._annotations += 1

    def _call(self, output: OutputItem) -> None:
        item = output.item
        output.call = self._calls
        self._calls += 1
        call_id, name = text_or_empty(item.get("call_id")), text_or_empty(item.get("name"))
        if output.kind == "custom_tool_call":
            call = {"index": output.call, "id": call_id, "type": "custom", "custom": {"name": name, "input": ""}}
            self._writer.delta({"tool_calls": [call]})
        else:
            self._writer.tool_call(output.call, call_id, name)

    def _arguments(self, output: OutputItem, part: str) -> None:
        if output.kind == "custom_tool_call":
            self._writer.delta({"tool_calls": [{"index": output.call, "custom": {"input": part}}]})
        else:
            self._writer.arguments(output.call, part)

    def _called(self, output: OutputItem) -> None:
        pass  # Chat has no end of a call

    def _finish(self, response: dict[str, Any]) -> None:
        reason = RESPONSES_TO_CHAT.get(incomplete_reason(response)) or ("tool_calls" if self._calls else "stop")
        self._writer.finish(reason, self.usage or Usage(), text_or_empty(response.get("service_tier")))
