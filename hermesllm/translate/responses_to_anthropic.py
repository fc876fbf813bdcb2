"""The cell "OpenAI Responses client, Anthropic Messages provider".

A direct pair: a turn's reasoning, texts and calls keep their order, and Claude's thinking travels, signature and all,
in reasoning items (see `sealed_reasoning`). Requests go through the Chat shape item by item, which loses nothing.
"""

from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.chat_to_anthropic_request import to_anthropic
from hermesllm.translate.fixups import fix_anthropic_request
from hermesllm.translate.responses_object import Asked
from hermesllm.translate.responses_to_anthropic_response import to_response
from hermesllm.translate.responses_to_anthropic_stream import ResponsesToAnthropicStream
from hermesllm.translate.responses_to_chat_input import Target
from hermesllm.translate.responses_to_chat_request import own_names, to_chat
from hermesllm.translate.whole_stream import stream_from_response

_CLAUDE = Target(thinking_blocks=True, in_order=True, media_results=True, file_urls=True)


class ResponsesToAnthropic:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked = Asked()
        self._answer_tool: str | None = None

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        chat, self._asked = to_chat(body, self._context, _CLAUDE)
        with own_names(self._context, self._asked):
            request, asked = to_anthropic(chat, self._context)
            fix_anthropic_request(request, self._context)
        self._answer_tool = asked.answer_tool
        return request

    def response(self, body: Any) -> dict[str, Any]:
        return to_response(body, self._asked, self._answer_tool, self._context)

    def response_as_stream(self, body: Any) -> bytes:
        return stream_from_response(Format.RESPONSES, self.response(body))

    def stream(self) -> StreamTranslator:
        return ResponsesToAnthropicStream(self._context, self._asked, self._answer_tool)
