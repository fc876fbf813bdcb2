"""Formats that are spoken or not, and never translated: only `model` is the gateway's."""

from collections.abc import Callable
from typing import Any

from hermesllm.formats import Format
from hermesllm.translate.base import Context
from hermesllm.translate.same_format import SameFormat


class ModelOnly(SameFormat):
    """Legacy completions, embeddings and token counting at a provider that has them."""

    def __init__(self, spoken: Format, context: Context) -> None:
        super().__init__(spoken)
        self._context = context

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        body["model"] = self._context.model
        return body


def model_only(spoken: Format) -> Callable[[Context], ModelOnly]:
    return lambda context: ModelOnly(spoken, context)
