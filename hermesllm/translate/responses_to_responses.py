"""The cell "OpenAI Responses client, OpenAI Responses provider": only what must change is edited."""

from typing import Any

from hermesllm.formats import Format
from hermesllm.reading import invalid, objects_in
from hermesllm.translate.base import Context
from hermesllm.translate.fixups import fix_responses_request
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
        elif any(map(is_thinking, objects_in(found))):
            # Thinking from an earlier turn that Claude answered: no other provider can read it.
            body["input"] = [item for item in found if not (isinstance(item, dict) and is_thinking(item))]
        body["model"] = self._context.model
        fix_responses_request(body, self._context)
        return body

    def response_from_stream(self, body: bytes) -> dict[str, Any]:
        """The JSON answer of a stream that the provider sent though the client did not ask for one."""
        return response_in_stream(body)
