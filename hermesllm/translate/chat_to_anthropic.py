"""The cell "Chat Completions client, Anthropic Messages provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.chat_to_anthropic_request import Asked, to_anthropic
from hermesllm.translate.chat_to_anthropic_response import to_chat_completion
from hermesllm.translate.chat_to_anthropic_stream import ChatToAnthropicStream
from hermesllm.translate.fixups import fix_anthropic_request
from hermesllm.translate.whole_stream import stream_from_response


class ChatToAnthropic:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked = Asked()

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        request, self._asked = to_anthropic(body, self._context)
        fix_anthropic_request(request, self._context)
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_chat_completion(body, self._asked, self._context)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.CHAT, self.response(body), include_usage=self._asked.include_usage)

    def stream(self) -> StreamTranslator:
        return ChatToAnthropicStream(
            self._context,
            include_usage=self._asked.include_usage,
            answer_tool=self._asked.answer_tool,
            legacy_functions=self._asked.legacy_functions,
            custom=self._asked.custom,
        )
