"""JSON answers of the cell "Chat Completions client, Amazon Bedrock Converse provider"."""

from typing import Any

from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in
from hermesllm.translate.anthropic_to_converse_response import to_message
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_anthropic_request import Asked
from hermesllm.translate.chat_to_anthropic_response import to_chat_completion
from hermesllm.translate.converse_request import Answering
from hermesllm.translate.service_tiers import tier_for_openai, tier_of_converse


def to_completion(body: Any, answering: Answering, asked: Asked, context: Context) -> dict[str, Any]:
    """The Chat completion of a Converse answer, by way of the Messages answer, which has all of it.

    Raises InvalidUpstreamResponse.
    """
    answer = to_message(body, answering, context)
    answer["id"] = f"chatcmpl-{context.answer_id or random_hex()}"  # Chat ids have a prefix of their own
    images = [block["source"] for block in answer["content"] if block["type"] == "image"]
    answer["content"] = [text for block in answer["content"] for text in _spoken(block)]
    completion = to_chat_completion(answer, asked, context)
    message = completion["choices"][0]["message"]
    message["role"] = answer["role"]
    if images:
        message["images"] = [_image(index, source) for index, source in enumerate(images)]
    return completion | tier_for_openai(tier_of_converse(object_or_empty(body)))


def _spoken(block: dict[str, Any]) -> list[dict[str, Any]]:
    """The block itself; of the result of a tool that Bedrock ran, the text, for which Chat has no other place."""
    return list(objects_in(block["content"])) if block["type"] == "tool_result" else [block]


def _image(index: int, source: dict[str, Any]) -> dict[str, Any]:
    url = f"data:{source['media_type']};base64,{source['data']}"
    return {"type": "image_url", "index": index, "image_url": {"url": url}}
