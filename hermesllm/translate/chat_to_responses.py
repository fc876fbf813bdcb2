"""The cell "Chat Completions client, OpenAI Responses provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.chat_to_responses_request import ChatAsked, to_responses
from hermesllm.translate.chat_to_responses_response import to_chat_completion
from hermesllm.translate.chat_to_responses_stream import ChatToResponsesStream
from hermesllm.translate.fixups import fix_responses_request
from hermesllm.translate.responses_aggregate import response_in_stream
from hermesllm.translate.whole_stream import stream_from_response


class ChatToResponses:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked = ChatAsked()

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
        request, self._asked = to_responses(body, self._context)
        fix_responses_request(request, self._context)
        self._context.rename("max_output_tokens", limit)
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_chat_completion(body, self._asked, self._context)

    def response_from_stream(self, body: bytes) -> dict[str, Any]:
        """The JSON answer of a stream that the provider sent though the client did not ask for one."""
        return self.response(response_in_stream(body))

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.CHAT, self.response(body), include_usage=self._asked.include_usage)

    def stream(self) -> StreamTranslator:
        return ChatToResponsesStream(self._context, self._asked)
