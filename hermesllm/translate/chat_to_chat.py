"""The cell "Chat Completions client, Chat Completions provider": only what must change is edited."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, required_messages
from hermesllm.translate.base import Context
from hermesllm.translate.fixups import fix_chat_request
from hermesllm.translate.same_format import SameFormat


class ChatToChat(SameFormat):
    def __init__(self, context: Context) -> None:
        super().__init__(Format.CHAT)
        self._context = context

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        required_messages(body)
        self._include_usage = object_or_empty(body.get("stream_options")).get("include_usage") is True
        body["model"] = self._context.model
        fix_chat_request(body, self._context)
        return body
