"""JSON answers of the cell "Chat Completions client, Amazon Bedrock Converse provider"."""

from typing import Any

from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.anthropic_to_converse_response import to_message
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_anthropic_request import Asked
from hermesllm.translate.chat_to_anthropic_response import to_chat_completion
from hermesllm.translate.converse_request import Answering

_TIERS = frozenset({"default", "flex", "priority"})


def to_completion(body: Any, answering: Answering, asked: Asked, context: Context) -> dict[str, Any]:
    """The Chat completion of a Converse answer, by way of the Messages answer, which has all of it.

    Raises InvalidUpstreamResponse.
    """
    answer = to_message(body, answering, context)
    del answer["id"]  # Chat ids have a prefix of their own
    images = [block["source"] for block in answer["content"] if block["type"] == "image"]
    answer["content"] = [text for block in answer["content"] for text in _spoken(block)]
    completion = to_chat_completion(answer, asked, context)
    message = completion["choices"][0]["message"]
    message["role"] = answer["role"]
    if images:
        message["images"] = [_image(index, source) for index, source in enumerate(images)]
    tier = text_or_empty(object_or_empty(object_or_empty(body).get("serviceTier")).get("type"))
    if tier in _TIERS:
        completion["service_tier"] = tier
    return completion


def _spoken(block: dict[str, Any]) -> list[dict[str, Any]]:
    """The block itself; of the result of a tool that Bedrock ran, the text, for which Chat has no other place."""
    return list(objects_in(block["content"])) if block["type"] == "tool_result" else [block]


def _image(index: int, source: dict[str, Any]) -> dict[str, Any]:
    url = f"data:{source['media_type']};base64,{source['data']}"
    return {"type": "image_url", "index": index, "image_url": {"url": url}}
