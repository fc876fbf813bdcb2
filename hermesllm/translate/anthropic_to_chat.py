"""The cell "Anthropic Messages client, Chat Completions provider"."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.anthropic_to_chat_request import to_chat
from hermesllm.translate.anthropic_to_chat_response import to_message
from hermesllm.translate.anthropic_to_chat_stream import AnthropicToChatStream
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.fixups import fix_chat_request
from hermesllm.translate.whole_stream import stream_from_response


class AnthropicToChat:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop_sequences: frozenset[str] = frozenset()

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        request = to_chat(body, self._context)
        self._stop_sequences = frozenset(request.get("stop", ()))
        dropped = len(self._context.dropped)
        fix_chat_request(request, self._context)
        # The client never sent `stream_options`: that it goes again is no loss to it.
        late = [path for path in self._context.dropped[dropped:] if path != "stream_options"]
        self._context.dropped[dropped:] = late
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_message(body, self._context, self._stop_sequences)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.ANTHROPIC, self.response(body))

    def stream(self) -> StreamTranslator:
        return AnthropicToChatStream(self._context, self._stop_sequences)
