"""The cell "OpenAI Responses client, OpenAI Responses provider": only what must change is edited."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.reading import invalid, objects_in
from hermesllm.translate.base import Context
from hermesllm.translate.fixups import fix_responses_request
from hermesllm.translate.gemini_signatures import signature_in_extra_content
from hermesllm.translate.responses_aggregate import response_in_stream
from hermesllm.translate.same_format import SameFormat
from hermesllm.translate.sealed_reasoning import is_thinking

_INSTEAD_OF_INPUT = ("previous_response_id", "conversation", "prompt")


class ResponsesToResponses(SameFormat):
    def __init__(self, context: Context) -> None:
        super().__init__(Format.RESPONSES)
        self._context = context

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        found = body.get("input")
        if not isinstance(found, str | list | dict):
            if found is not None or not any(body.get(name) is not None for name in _INSTEAD_OF_INPUT):
                raise invalid("input", "expected a string or a list of input items")
        elif any(is_thinking(item) or signature_in_extra_content(item) for item in objects_in(found)):
            body["input"] = self._without_secrets(body["input"])
        body["model"] = self._context.model
        fix_responses_request(body, self._context)
        return body

    def _without_secrets(self, items: list[Any]) -> list[Any]:
        """The items without what only another author can read: Claude's thinking, Gemini's signatures."""
        kept = []
        for index, item in enumerate(items):
            if isinstance(item, dict) and is_thinking(item):
                self._context.drop(f"input[{index}]")
            elif isinstance(item, dict) and signature_in_extra_content(item):
                self._context.drop(f"input[{index}].extra_content")
                kept.append({name: value for name, value in item.items() if name != "extra_content"})
            else:
                kept.append(item)
        return kept

    def response_from_stream(self, body: bytes) -> dict[str, Any]:
        """The JSON answer of a stream that the provider sent though the client did not ask for one."""
        return response_in_stream(body)
