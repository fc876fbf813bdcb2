"""JSON answers of the cell "Messages client, Chat Completions provider"."""

from typing import Any

import orjson

from hermesllm.error_bodies import no_answer
from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.chat_message import citation_of, reasoning_of, signed_thinking, split_content
from hermesllm.translate.service_tiers import tier_for_anthropic
from hermesllm.translate.stop_reasons import CHAT_TO_ANTHROPIC
from hermesllm.usage import Usage


def to_message(body: Any, context: Context, stop_sequences: frozenset[str]) -> dict[str, Any]:
    """The Anthropic message of a Chat completion. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    choice = next(objects_in(body.get("choices")), None)
    if choice is None:
        raise no_answer(Format.CHAT, body)
    content = _content(object_or_empty(choice.get("message")))
    usage = object_or_empty(body.get("usage") or choice.get("usage"))  # Moonshot puts it into the choice
    return {
        "id": text_or_empty(body.get("id")) or f"msg_{random_hex()}",
        "type": "message",
        "role": "assistant",
        "model": text_or_empty(body.get("model")) or context.model,
        "content": content or [{"type": "text", "text": ""}],
        **_stop(choice, content, stop_sequences),
        "usage": Usage.from_chat(usage).to_anthropic() | tier_for_anthropic(body.get("service_tier")),
    }


def _stop(choice: dict[str, Any], content: list[dict[str, Any]], stop_sequences: frozenset[str]) -> dict[str, Any]:
    reason = CHAT_TO_ANTHROPIC.get(text_or_empty(choice.get("finish_reason")), "end_turn")
    matched = choice.get("stop_reason")  # vLLM names the stop sequence here
    if object_or_empty(choice.get("message")).get("refusal"):
        reason = "refusal"
    elif reason == "end_turn" and any(block["type"] == "tool_use" for block in content):
        reason = "tool_use"  # several servers say `stop` after calls
    elif isinstance(matched, str) and matched in stop_sequences:
        return {"stop_reason": "stop_sequence", "stop_sequence": matched}
    return {"stop_reason": reason, "stop_sequence": None}


def _content(message: dict[str, Any]) -> list[dict[str, Any]]:
    thought, text = split_content(message.get("content"))
    content = signed_thinking(message)
    thought = reasoning_of(message) + thought
    if not content and thought:
        content.append({"type": "thinking", "thinking": thought, "signature": ""})
    if text:
        block: dict[str, Any] = {"type": "text", "text": text}
        citations = [found for each in objects_in(message.get("annotations")) if (found := citation_of(each, text))]
        if citations:
            block["citations"] = citations
        content.append(block)
    refusal = text_or_empty(message.get("refusal"))
    if refusal:
        content.append({"type": "text", "text": refusal})
    for call in objects_in(message.get("tool_calls")):
        content.append(_tool_use(text_or_empty(call.get("id")), object_or_empty(call.get("function"))))
    if isinstance(message.get("function_call"), dict):
        content.append(_tool_use("", message["function_call"]))
    return content


def _tool_use(call_id: str, function: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": call_id or f"toolu_{random_hex()[:24]}",
        "name": text_or_empty(function.get("name")),
        "input": _input(function.get("arguments")),
    }


def _input(arguments: Any) -> dict[str, Any]:
    """Arguments as an object. The contract is a JSON string; Ollama sends the object, models send mistakes."""
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return {}
    return object_or_empty(arguments)
