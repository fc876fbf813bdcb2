"""The cells "OpenAI Responses client" to Bedrock Converse and to Gemini: the Chat cells behind the hub.

The Chat request in the middle keeps thinking with its signatures, and what it drops is told in the client's words.
"""

from collections.abc import Callable
from typing import Any

from hermesllm.translate.base import Context, Translator
from hermesllm.translate.chat_to_converse import ChatToConverse
from hermesllm.translate.chat_to_gemini import ChatToGemini
from hermesllm.translate.hub import Hub
from hermesllm.translate.responses_to_chat import ResponsesToChat
from hermesllm.translate.responses_to_chat_input import Target
from hermesllm.translate.responses_to_chat_request import own_names


class ResponsesThroughChat(Hub):
    def __init__(self, context: Context, upstream: Callable[[Context], Translator], target: Target) -> None:
        self._responses = ResponsesToChat(context, onward=target)
        super().__init__(self._responses, upstream(context))
        self._context = context

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        chat = self._client.request(body)
        with own_names(self._context, self._responses.asked):
            return self._upstream.request(chat)


def responses_to_converse(context: Context) -> ResponsesThroughChat:
    target = Target(thinking_blocks=True, in_order=True, media_results=True)
    return ResponsesThroughChat(context, ChatToConverse, target)


def responses_to_gemini(context: Context) -> ResponsesThroughChat:
    return ResponsesThroughChat(context, ChatToGemini, Target(thinking_blocks=True, media_results=True))
