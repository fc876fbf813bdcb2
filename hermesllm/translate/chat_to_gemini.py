"""The cell "Chat Completions client, Gemini provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.chat_to_gemini_request import Asked, to_gemini
from hermesllm.translate.chat_to_gemini_response import to_chat_completion
from hermesllm.translate.chat_to_gemini_stream import ChatToGeminiStream
from hermesllm.translate.whole_stream import stream_from_response


class ChatToGemini:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked = Asked()

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        request, self._asked = to_gemini(body, self._context)
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_chat_completion(body, self._asked, self._context)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.CHAT, self.response(body), include_usage=self._asked.include_usage)

    def stream(self) -> StreamTranslator:
        return ChatToGeminiStream(self._context, self._asked)
