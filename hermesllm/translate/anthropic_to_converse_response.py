"""JSON answers of the cell "Messages client, Amazon Bedrock Converse provider"."""

from typing import Any

from hermesllm.error_bodies import no_answer
from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.reading import count_or_none, object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.converse_citations import to_citation
from hermesllm.translate.converse_request import Answering
from hermesllm.translate.event_stream import encode
from hermesllm.translate.service_tiers import tier_for_anthropic, tier_of_converse
from hermesllm.translate.stop_reasons import CONVERSE_TO_ANTHROPIC
from hermesllm.usage import Usage

Block = dict[str, Any]

_DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}


def to_message(body: Any, answering: Answering, context: Context) -> dict[str, Any]:
    """The Anthropic message of a Converse answer. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    message = object_or_empty(object_or_empty(body.get("output")).get("message"))
    if not isinstance(message.get("content"), list):
        raise no_answer(Format.CONVERSE, body)
    content = [made for block in objects_in(message["content"]) if (made := _block(block, answering)) is not None]
    fields = object_or_empty(body.get("additionalModelResponseFields"))
    return {
        "id": f"msg_{context.answer_id or random_hex()}",
        "type": "message",
        "role": "user" if message.get("role") == "user" else "assistant",
        "model": invoked_model(body) or context.model,
        "content": content or [{"type": "text", "text": ""}],
        **stop_of(
            text_or_empty(body.get("stopReason")), fields, called=any(each["type"] == "tool_use" for each in content)
        ),
        "usage": _usage(body),
    }


def invoked_model(body: dict[str, Any]) -> str:
    """The model that a prompt router chose."""
    router = object_or_empty(object_or_empty(body.get("trace")).get("promptRouter"))
    return text_or_empty(router.get("invokedModelId"))


def stop_of(reason: str, fields: dict[str, Any], *, called: bool) -> dict[str, Any]:
    """`stop_reason` and `stop_sequence` of a Converse `stopReason` and the model's own response fields."""
    stop = CONVERSE_TO_ANTHROPIC.get(reason, "end_turn")
    if stop == "tool_use" and not called:
        stop = "end_turn"  # the only call was the structured answer
    elif stop == "end_turn" and called:
        stop = "tool_use"
    sequence = text_or_empty(fields.get("stop_sequence")) if stop == "stop_sequence" else ""
    return {"stop_reason": stop, "stop_sequence": sequence or None}


def _usage(body: dict[str, Any]) -> dict[str, Any]:
    counts = object_or_empty(body.get("usage"))
    usage = Usage.from_converse(counts).to_anthropic()
    lifetimes = {
        text_or_empty(detail.get("ttl")): count_or_none(detail.get("inputTokens")) or 0
        for detail in objects_in(counts.get("cacheDetails"))
    }
    if lifetimes:
        usage["cache_creation"] = {f"ephemeral_{ttl}_input_tokens": lifetimes.get(ttl, 0) for ttl in ("5m", "1h")}
    return usage | tier_for_anthropic(tier_of_converse(body))


def _block(block: Block, answering: Answering) -> Block | None:
    """The Messages block of a Converse block; None where Messages answers have nothing of the kind."""
    if isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]} if block["text"] else None
    if isinstance(block.get("toolUse"), dict):
        return _tool_use(block["toolUse"], answering)
    if isinstance(block.get("reasoningContent"), dict):
        return _thinking(block["reasoningContent"])
    if isinstance(block.get("citationsContent"), dict):
        return _cited(block["citationsContent"])
    if isinstance(block.get("toolResult"), dict):
        return _tool_result(block["toolResult"])
    if isinstance(block.get("guardContent"), dict):
        text = text_or_empty(object_or_empty(block["guardContent"].get("text")).get("text"))
        return {"type": "text", "text": text} if text else None
    return _media(block)


def _tool_use(call: Block, answering: Answering) -> Block:
    value = object_or_empty(call.get("input"))
    name = text_or_empty(call.get("name"))
    if name and name == answering.answer_tool:
        return {"type": "text", "text": encode(value).decode()}
    return {
        "type": "server_tool_use" if call.get("type") == "server_tool_use" else "tool_use",
        "id": text_or_empty(call.get("toolUseId")) or f"toolu_{random_hex()[:24]}",
        "name": answering.names.given(name),
        "input": value,
    }


def _thinking(reasoning: Block) -> Block:
    redacted = text_or_empty(reasoning.get("redactedContent"))
    if redacted:
        return {"type": "redacted_thinking", "data": redacted}
    said = object_or_empty(reasoning.get("reasoningText"))
    signature = text_or_empty(said.get("signature"))
    return {"type": "thinking", "thinking": text_or_empty(said.get("text")), "signature": signature}


def _cited(found: Block) -> Block | None:
    text = "".join(text_or_empty(part.get("text")) for part in objects_in(found.get("content")))
    citations = [to_citation(each) for each in objects_in(found.get("citations"))]
    if not text:
        return None
    return {"type": "text", "text": text, "citations": citations} if citations else {"type": "text", "text": text}


def _tool_result(result: Block) -> Block:
    """What a tool that Bedrock itself ran has answered."""
    content = []
    for part in objects_in(result.get("content")):
        if isinstance(part.get("text"), str):
            content.append({"type": "text", "text": part["text"]})
        elif "json" in part:
            content.append({"type": "text", "text": encode(part["json"]).decode()})
        elif media := _media(part):
            content.append(media)
    made: Block = {"type": "tool_result", "tool_use_id": text_or_empty(result.get("toolUseId")), "content": content}
    return made | {"is_error": result["status"] == "error"} if isinstance(result.get("status"), str) else made


def _media(block: Block) -> Block | None:
    for kind in ("image", "document"):
        found = object_or_empty(block.get(kind))
        data = text_or_empty(object_or_empty(found.get("source")).get("bytes"))
        shape = text_or_empty(found.get("format"))
        if data:
            media_type = f"image/{shape or 'png'}" if kind == "image" else _DOCUMENTS.get(shape, "application/pdf")
            return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}
    return None
