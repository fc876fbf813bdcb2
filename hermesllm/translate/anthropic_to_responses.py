"""The cell "Anthropic Messages client, OpenAI Responses provider".

A direct pair: a turn's thinking, texts and calls keep their order, tool results keep their images, and OpenAI's
encrypted reasoning travels in the signatures of thinking blocks (see `sealed_reasoning`).
"""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.anthropic_to_chat_request import chat_settings
from hermesllm.translate.anthropic_to_responses_input import read_messages
from hermesllm.translate.anthropic_to_responses_response import to_message
from hermesllm.translate.anthropic_to_responses_stream import AnthropicToResponsesStream
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.chat_to_responses_request import translate_settings
from hermesllm.translate.fixups import fix_responses_request
from hermesllm.translate.responses_aggregate import response_in_stream
from hermesllm.translate.whole_stream import stream_from_response


class AnthropicToResponses:
    def __init__(self, context: Context) -> None:
        self._context = context

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        instructions, items = read_messages(body, self._context)
        request: dict[str, Any] = {"model": self._context.model}
        if instructions:
            request["instructions"] = instructions
        request["input"] = items
        settings = chat_settings(body, self._context)
        for index in range(len(settings.pop("stop", ()))):
            self._context.drop(f"stop_sequences[{index}]")
        if settings.pop("top_k", None) is not None:
            self._context.drop("top_k")
        translate_settings(settings, request, self._context)
        fix_responses_request(request, self._context)
        self._context.rename("max_output_tokens", "max_tokens")
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_message(body, self._context)

    def response_from_stream(self, body: bytes) -> dict[str, Any]:
        """The JSON answer of a stream that the provider sent though the client did not ask for one."""
        return self.response(response_in_stream(body))

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.ANTHROPIC, self.response(body))

    def stream(self) -> StreamTranslator:
        return AnthropicToResponsesStream(self._context)
