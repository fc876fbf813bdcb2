"""The cell "Anthropic Messages client, Amazon Bedrock Converse provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.anthropic_to_converse_request import to_converse
from hermesllm.translate.anthropic_to_converse_response import to_message
from hermesllm.translate.anthropic_to_converse_stream import AnthropicToConverseStream
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.converse_request import Answering
from hermesllm.translate.whole_stream import stream_from_response


class AnthropicToConverse:
    """Model and streaming are in Converse's path: the request body has neither."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._answering = Answering()

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        request, self._answering = to_converse(body, self._context)
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_message(body, self._answering, self._context)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.ANTHROPIC, self.response(body))

    def stream(self) -> StreamTranslator:
        return AnthropicToConverseStream(self._context, self._answering)
