"""The cell "Messages client, Gemini provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.anthropic_to_gemini_request import to_gemini
from hermesllm.translate.anthropic_to_gemini_response import to_message
from hermesllm.translate.anthropic_to_gemini_stream import AnthropicToGeminiStream
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.whole_stream import stream_from_response


class AnthropicToGemini:
    def __init__(self, context: Context) -> None:
        self._context = context

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        return to_gemini(body, self._context)

    def response(self, body: Any) -> dict[str, Any]:
        return to_message(body, self._context)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.ANTHROPIC, self.response(body))

    def stream(self) -> StreamTranslator:
        return AnthropicToGeminiStream(self._context)
