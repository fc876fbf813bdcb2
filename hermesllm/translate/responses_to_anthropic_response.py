"""JSON answers of the cell "Responses client, Messages provider": content blocks to items, in their order."""

from typing import Any

from hermesllm.error_bodies import no_answer
from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.anthropic_message import Annotations, tool_arguments
from hermesllm.translate.base import Context
from hermesllm.translate.responses_object import (
    Asked,
    Ids,
    call_item,
    file_annotations,
    finished,
    message_item,
    response_object,
    text_part,
    thinking_item,
    url_annotations,
)
from hermesllm.translate.service_tiers import tier_for_openai, tier_of_anthropic
from hermesllm.translate.stop_reasons import ANTHROPIC_TO_RESPONSES
from hermesllm.usage import Usage


def to_response(body: Any, asked: Asked, answer_tool: str | None, context: Context) -> dict[str, Any]:
    """The Responses object of an Anthropic message. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    if not isinstance(body.get("content"), list):
        raise no_answer(Format.ANTHROPIC, body)
    ids = Ids(text_or_empty(body.get("id")))
    incomplete = ANTHROPIC_TO_RESPONSES.get(text_or_empty(body.get("stop_reason")))
    usage = object_or_empty(body.get("usage"))
    response = response_object(ids.response, text_or_empty(body.get("model")) or context.model, asked)
    response |= tier_for_openai(tier_of_anthropic(usage))
    reader = _Reader(ids, asked, answer_tool, "incomplete" if incomplete else "completed")
    for block in objects_in(body["content"]):
        reader.read(block)
    explanation = text_or_empty(object_or_empty(body.get("stop_details")).get("explanation"))
    if explanation:
        reader.say({"type": "refusal", "refusal": explanation})
    return finished(response, reader.items, Usage.from_anthropic(usage), incomplete)


class _Reader:
    def __init__(self, ids: Ids, asked: Asked, answer_tool: str | None, status: str) -> None:
        self.items: list[dict[str, Any]] = []
        self._ids = ids
        self._asked = asked
        self._answer_tool = answer_tool
        self._status = status
        self._message: list[dict[str, Any]] | None = None  # the content of the open message

    def read(self, block: dict[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            self._text(block)
        elif kind in ("thinking", "redacted_thinking"):
            self._message = None
            self.items.append(thinking_item(self._ids.of("rs", len(self.items)), block))
        elif kind == "tool_use":
            self._tool_use(block)
        elif kind == "server_tool_use" and block.get("name") == "web_search":
            self._message = None
            self.items.append(web_search_item(self._ids.of("ws", len(self.items)), block.get("input")))

    def say(self, part: dict[str, Any]) -> None:
        """Adds a part to the open message. Texts are fragments of one text, split around citations."""
        if self._message is None:
            self._message = []
            self.items.append(message_item(self._ids.of("msg", len(self.items)), self._message, self._status))
        last = self._message[-1] if self._message else {}
        if part["type"] == "output_text" and last.get("type") == "output_text":
            last["text"] += part["text"]
            last["annotations"].extend(part["annotations"])
        else:
            self._message.append(part)

    def _text(self, block: dict[str, Any]) -> None:
        text = text_or_empty(block.get("text"))
        if not text:
            return
        last = self._message[-1] if self._message else {}
        start = len(text_or_empty(last.get("text")))
        self.say(text_part(text, cited(block.get("citations"), start, start + len(text))))

    def _tool_use(self, block: dict[str, Any]) -> None:
        arguments = tool_arguments(block.get("input"))
        name = text_or_empty(block.get("name"))
        if name and name == self._answer_tool:
            self.say(text_part(arguments))
            return
        self._message = None
        call_id = text_or_empty(block.get("id"))
        self.items.append(call_item(self._ids, len(self.items), self._asked, call_id, name, arguments))


def cited(citations: Any, start: int, end: int) -> list[dict[str, Any]]:
    """Citations as annotations: of web pages, and of the client's own documents."""
    found = Annotations()
    found.add(list(objects_in(citations)), start, end)
    return url_annotations(found.annotations) + file_annotations(found.citations)


def web_search_item(item_id: str, value: Any) -> dict[str, Any]:
    """A search that Anthropic ran, as OpenAI reports its own."""
    query = text_or_empty(object_or_empty(value).get("query"))
    action = {"type": "search", "query": query, "queries": [query]}
    return {"id": item_id, "type": "web_search_call", "status": "completed", "action": action}
