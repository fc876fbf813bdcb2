"""The cell "Anthropic Messages client, Anthropic Messages provider": only what must change is edited."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.reading import required_messages
from hermesllm.translate.base import Context
from hermesllm.translate.fixups import fix_anthropic_request
from hermesllm.translate.same_format import SameFormat


class AnthropicToAnthropic(SameFormat):
    def __init__(self, context: Context) -> None:
        super().__init__(Format.ANTHROPIC)
        self._context = context

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        required_messages(body)
        body["model"] = self._context.model
        fix_anthropic_request(body, self._context)
        return body
