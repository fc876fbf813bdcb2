"""JSON answers of the cell "Chat Completions client, Messages provider"."""

import time
from typing import Any

from hermesllm.error_bodies import no_answer
from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.anthropic_message import Annotations, tool_arguments
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_anthropic_request import Asked
from hermesllm.translate.custom_tools import chat_call
from hermesllm.translate.service_tiers import tier_for_openai, tier_of_anthropic
from hermesllm.translate.stop_reasons import ANTHROPIC_TO_CHAT
from hermesllm.usage import Usage


def to_chat_completion(body: Any, asked: Asked, context: Context) -> dict[str, Any]:
    """The Chat completion of an Anthropic message. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    if not isinstance(body.get("content"), list):
        raise no_answer(Format.ANTHROPIC, body)
    message = _message(body["content"], asked)
    explanation = text_or_empty(object_or_empty(body.get("stop_details")).get("explanation"))
    if explanation:
        message["refusal"] = explanation
    usage = object_or_empty(body.get("usage"))
    response: dict[str, Any] = {
        "id": text_or_empty(body.get("id")) or f"chatcmpl-{random_hex()}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": text_or_empty(body.get("model")) or context.model,
        "choices": [_choice(body, message)],
        "usage": Usage.from_anthropic(usage).to_chat(),
        **tier_for_openai(tier_of_anthropic(usage)),
    }
    if body.get("container") is not None:
        response["container"] = body["container"]
    return response


def _choice(body: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    reason = ANTHROPIC_TO_CHAT.get(text_or_empty(body.get("stop_reason")), "stop")
    if reason == "tool_calls" and "tool_calls" not in message:
        # The only call was the structured answer, or it is a call of the old kind.
        reason = "function_call" if "function_call" in message else "stop"
    choice: dict[str, Any] = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    stop_sequence = text_or_empty(body.get("stop_sequence"))
    if stop_sequence:
        choice["stop_reason"] = stop_sequence  # where vLLM tells which stop sequence matched
    return choice


def _message(content: list[Any], asked: Asked) -> dict[str, Any]:
    text, reasoning, thinking_blocks, calls = "", [], [], []
    annotations = Annotations()
    # Blocks of server tools were run by Anthropic itself: they are no calls for the client to answer.
    for block in objects_in(content):
        kind = block.get("type")
        if kind == "text":
            start = len(text)
            text += text_or_empty(block.get("text"))
            annotations.add(list(objects_in(block.get("citations"))), start, len(text))
        elif kind == "thinking":
            thought = text_or_empty(block.get("thinking"))
            reasoning.append(thought)
            signature = text_or_empty(block.get("signature"))
            thinking_blocks.append({"type": "thinking", "thinking": thought, "signature": signature})
        elif kind == "redacted_thinking":
            thinking_blocks.append({"type": kind, "data": text_or_empty(block.get("data"))})
        elif kind == "tool_use" and block.get("name") == asked.answer_tool:
            text += tool_arguments(block.get("input"))
        elif kind == "tool_use":
            calls.append(_call(block, asked))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None,
        **annotations.members(),
    }
    if any(reasoning):
        message["reasoning_content"] = "".join(reasoning)
    if thinking_blocks:
        message["thinking_blocks"] = thinking_blocks
    if calls and asked.legacy_functions:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return message


def _call(block: dict[str, Any], asked: Asked) -> dict[str, Any]:
    call_id, name = text_or_empty(block.get("id")), text_or_empty(block.get("name"))
    return chat_call(call_id, name, tool_arguments(block.get("input")), asked.custom)
