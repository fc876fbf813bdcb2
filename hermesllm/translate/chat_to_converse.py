"""The cell "Chat Completions client, Amazon Bedrock Converse provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.chat_to_anthropic_request import Asked
from hermesllm.translate.chat_to_converse_request import to_converse
from hermesllm.translate.chat_to_converse_response import to_completion
from hermesllm.translate.chat_to_converse_stream import ChatToConverseStream
from hermesllm.translate.converse_request import Answering
from hermesllm.translate.whole_stream import stream_from_response


class ChatToConverse:
    """Model and streaming are in Converse's path: the request body has neither."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._answering = Answering()
        self._asked = Asked()

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        request, self._answering, self._asked = to_converse(body, self._context)
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_completion(body, self._answering, self._asked, self._context)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.CHAT, self.response(body), include_usage=self._asked.include_usage)

    def stream(self) -> StreamTranslator:
        return ChatToConverseStream(self._context, self._answering, self._asked)
