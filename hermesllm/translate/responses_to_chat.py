"""The cell "OpenAI Responses client, Chat Completions provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.fixups import fix_chat_request
from hermesllm.translate.responses_object import Asked
from hermesllm.translate.responses_to_chat_input import Target
from hermesllm.translate.responses_to_chat_request import own_names, to_chat
from hermesllm.translate.responses_to_chat_response import to_response
from hermesllm.translate.responses_to_chat_stream import ResponsesToChatStream
from hermesllm.translate.whole_stream import stream_from_response


class ResponsesToChat:
    """`onward`: the Chat request goes on to another translator, which takes more than a Chat provider does."""

    def __init__(self, context: Context, *, onward: Target | None = None) -> None:
        self._context = context
        self._onward = onward
        self.asked = Asked()

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        request, self.asked = to_chat(body, self._context, self._onward or Target())
        if self._onward is None:
            with own_names(self._context, self.asked):
                fix_chat_request(request, self._context)
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_response(body, self.asked, self._context)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.RESPONSES, self.response(body))

    def stream(self) -> StreamTranslator:
        return ResponsesToChatStream(self._context, self.asked)
