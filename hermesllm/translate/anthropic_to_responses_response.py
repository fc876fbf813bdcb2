"""JSON answers of the cell "Messages client, Responses provider": items to content blocks, in their order."""

from typing import Any

import orjson

from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.chat_message import citation_of
from hermesllm.translate.chat_to_responses_response import chat_annotation, output_of
from hermesllm.translate.responses_reader import incomplete_reason
from hermesllm.translate.sealed_reasoning import reasoning_text, sealed_reasoning
from hermesllm.translate.service_tiers import tier_for_anthropic
from hermesllm.translate.stop_reasons import RESPONSES_TO_ANTHROPIC
from hermesllm.usage import Usage

Block = dict[str, Any]


def to_message(body: Any, context: Context) -> dict[str, Any]:
    """The Anthropic message of a Responses object. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    content: list[Block] = []
    refused = False
    for item in objects_in(output_of(body)):
        kind = item.get("type")
        if kind == "message":
            parts = list(objects_in(item.get("content")))
            refused = refused or any(part.get("type") == "refusal" for part in parts)
            content += [block for part in parts if (block := _text(part))]
        elif kind == "reasoning":
            content += _thinking(item)
        elif kind in ("function_call", "custom_tool_call"):
            content.append(_tool_use(item))
    return {
        "id": text_or_empty(body.get("id")) or f"msg_{random_hex()}",
        "type": "message",
        "role": "assistant",
        "model": text_or_empty(body.get("model")) or context.model,
        "content": content or [{"type": "text", "text": ""}],
        "stop_reason": stop_reason(body, refused=refused, called=any(block["type"] == "tool_use" for block in content)),
        "stop_sequence": None,
        "usage": Usage.from_responses(object_or_empty(body.get("usage"))).to_anthropic()
        | tier_for_anthropic(body.get("service_tier")),
    }


def stop_reason(response: dict[str, Any], *, refused: bool, called: bool) -> str:
    reason = RESPONSES_TO_ANTHROPIC.get(incomplete_reason(response))
    if reason is None and refused:
        reason = "refusal"
    return reason or ("tool_use" if called else "end_turn")


def citation(annotation: dict[str, Any], text: str = "") -> dict[str, Any] | None:
    """The Messages citation of a web page; None for annotations of files."""
    found = chat_annotation(annotation, 0)
    return citation_of(found, text) if found else None


def _text(part: dict[str, Any]) -> Block | None:
    text = text_or_empty(part.get("refusal") if part.get("type") == "refusal" else part.get("text"))
    if not text:
        return None
    block: Block = {"type": "text", "text": text}
    citations = [found for each in objects_in(part.get("annotations")) if (found := citation(each, text))]
    if citations:
        block["citations"] = citations
    return block


def _thinking(item: dict[str, Any]) -> list[Block]:
    text, signature = reasoning_text(item), sealed_reasoning(item)
    return [{"type": "thinking", "thinking": text, "signature": signature}] if text or signature else []


def _tool_use(item: dict[str, Any]) -> Block:
    value: Any = {}
    if item.get("type") == "custom_tool_call":
        value = {"input": text_or_empty(item.get("input"))}
    else:
        try:
            value = orjson.loads(text_or_empty(item.get("arguments")))
        except orjson.JSONDecodeError:
            value = {}
    return {
        "type": "tool_use",
        "id": text_or_empty(item.get("call_id")) or f"toolu_{random_hex()[:24]}",
        "name": text_or_empty(item.get("name")),
        "input": object_or_empty(value),
    }
