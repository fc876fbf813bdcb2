"""JSON answers of the cell "Messages client, Gemini provider"."""

import re
from typing import Any

from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, text_or_empty
from hermesllm.translate.anthropic_to_gemini_messages import CODE_TOOL, markdown_image
from hermesllm.translate.base import Context
from hermesllm.translate.gemini_message import (
    Part,
    Source,
    blocked_prompt,
    call_id_of,
    candidates_of,
    chat_finish_reason,
    data_url,
    finish_reason_of,
    parts_of,
    read_part,
    refusal_of,
    sources_of,
)
from hermesllm.translate.gemini_signatures import carrier, thought_mark
from hermesllm.translate.service_tiers import tier_for_anthropic, tier_of_gemini
from hermesllm.translate.stop_reasons import CHAT_TO_ANTHROPIC
from hermesllm.usage import Usage

Block = dict[str, Any]


def to_message(body: Any, context: Context) -> dict[str, Any]:
    """The Anthropic message of a generateContent answer. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    candidates = candidates_of(body)
    candidate = candidates[0] if candidates else {}
    content = _content(candidate)
    called = any(block["type"] == "tool_use" for block in content)
    stop = stop_of(candidate, called=called) if candidates else refused(blocked_prompt(body))
    return {
        "id": text_or_empty(body.get("responseId")) or f"msg_{random_hex()}",
        "type": "message",
        "role": "assistant",
        "model": text_or_empty(body.get("modelVersion")) or context.model,
        "content": content or [{"type": "text", "text": ""}],
        **stop,
        "usage": Usage.from_gemini(object_or_empty(body.get("usageMetadata"))).to_anthropic()
        | tier_for_anthropic(tier_of_gemini(body)),
    }


def stop_of(candidate: dict[str, Any], *, called: bool) -> dict[str, Any]:
    """The members that say why a message ended. Gemini does not tell which stop sequence it met."""
    reason = CHAT_TO_ANTHROPIC[chat_finish_reason(finish_reason_of(candidate), called=called)]
    why = refusal_of(candidate)
    if reason == "refusal":
        return refused(why or f"Gemini stopped the answer: {finish_reason_of(candidate)}")
    return {"stop_reason": reason, "stop_sequence": None}


def refused(why: str) -> dict[str, Any]:
    details = {"type": "refusal", "category": None, "explanation": why}
    return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}


def _content(candidate: dict[str, Any]) -> list[Block]:
    said = _Content()
    for part in parts_of(candidate):
        said.add(read_part(part))
    said.cite(candidate)
    return said.blocks


class _Content:
    """The parts of an answer as content blocks. Texts and thoughts in a row are one block, up to a signature."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._open = ""

    def add(self, part: Part) -> None:
        was_open, self._open = self._open, ""
        if part.kind == "thought":
            self._thought(part, joins=was_open == "thought")
        elif part.kind in ("text", "media"):
            self._text(part, joins=was_open == "text")
        elif part.kind:
            if part.signature:
                self.blocks.append(carrier("next", part.signature))
            self.blocks += blocks_of(part, self.blocks)

    def cite(self, candidate: dict[str, Any]) -> None:
        texts = [block for block in self.blocks if block["type"] == "text"]
        sources = sources_of(candidate, "".join(block["text"] for block in texts)) if texts else []
        end = 0
        for block in texts:
            start, end = end, end + len(block["text"])
            found = [citation_of(source) for source in sources if start < source.end <= end]
            if found:
                block["citations"] = found

    def _thought(self, part: Part, *, joins: bool) -> None:
        if joins:
            block = self.blocks[-1]
            block["thinking"] += part.value
        else:
            block = {"type": "thinking", "thinking": part.value}
            self.blocks.append(block)
        block["signature"] = thought_mark(part.signature)
        self._open = "" if part.signature else "thought"

    def _text(self, part: Part, *, joins: bool) -> None:
        text = shown_text(part)
        if text and joins:
            self.blocks[-1]["text"] += text
        elif text:
            self.blocks.append({"type": "text", "text": text})
        if part.signature:
            self.blocks.append(carrier("before" if text else "alone", part.signature))
        elif text or joins:
            self._open = "text"


def shown_text(part: Part) -> str:
    """Text; a generated image as Markdown, for a Messages answer has no image block."""
    return markdown_image(data_url(part.value)) if part.kind == "media" else text_or_empty(part.value)


def blocks_of(part: Part, before: list[Block]) -> list[Block]:
    """The block of a call, or of what Google's own code tool did; its result answers the call `before` it."""
    if part.kind == "call":
        call_id = re.sub(r"[^a-zA-Z0-9_-]", "_", call_id_of(part.value, "toolu_"))
        name = text_or_empty(part.value.get("name"))
        return [{"type": "tool_use", "id": call_id, "name": name, "input": object_or_empty(part.value.get("args"))}]
    if part.kind == "code":
        code = {"code": text_or_empty(part.value.get("code"))}
        return [{"type": "server_tool_use", "id": f"srvtoolu_{random_hex()[:24]}", "name": CODE_TOOL, "input": code}]
    call = next((block for block in reversed(before) if block["type"] == "server_tool_use"), None)
    if call is None:
        return []
    failed = part.value.get("outcome") not in ("OUTCOME_OK", None)
    output = text_or_empty(part.value.get("output"))
    result = {
        "type": "code_execution_result",
        "stdout": "" if failed else output,
        "stderr": output if failed else "",
        "return_code": int(failed),
        "content": [],
    }
    return [{"type": "code_execution_tool_result", "tool_use_id": call["id"], "content": result}]


def citation_of(source: Source) -> dict[str, Any]:
    return {
        "type": "web_search_result_location",
        "url": source.url,
        "title": source.title or None,
        "cited_text": source.cited,
        "encrypted_index": "",
    }
