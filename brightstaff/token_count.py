"""Counting the input tokens of a Messages request, for providers that cannot count themselves.

Images and documents count as a typical one.
"""

from typing import Any

import orjson

from hermesllm.errors import InvalidRequest
from hermesllm.reading import objects_in, required_messages, text_or_empty
from hermesllm.tokenizer import count_tokens

_IMAGE_TOKENS = 1600
_PAGE_TOKENS = 2000
_PER_MESSAGE = 4
_BYTES_PER_PAGE = 60_000  # of base64, in a typical PDF


def count_input_tokens(request: Any) -> int:
    """Tokens of system prompt, messages and tools. Raises InvalidRequest for a body without usable messages."""
    if not isinstance(request, dict):
        raise InvalidRequest("The body is not a JSON object.", remedy="Send a Messages request.")
    messages = required_messages(request)
    tokens = _content(request.get("system"))
    for message in objects_in(messages):
        tokens += _PER_MESSAGE + _content(message.get("content"))
    return tokens + sum(_json(tool) for tool in objects_in(request.get("tools")))


def _content(content: Any) -> int:
    if isinstance(content, str):
        return count_tokens(content)
    return sum(_block(block) for block in objects_in(content))


def _block(block: dict[str, Any]) -> int:
    kind = block.get("type")
    if kind == "image":
        return _IMAGE_TOKENS
    if kind == "document":
        source = block.get("source")
        data = text_or_empty(source.get("data")) if isinstance(source, dict) else ""
        if isinstance(source, dict) and source.get("type") == "text":
            return count_tokens(data)
        return _PAGE_TOKENS * max(1, len(data) // _BYTES_PER_PAGE)
    if kind == "tool_use":
        return count_tokens(text_or_empty(block.get("name"))) + _json(block.get("input"))
    if kind == "tool_result":
        return _content(block.get("content"))
    return count_tokens(text_or_empty(block.get("text")) or text_or_empty(block.get("thinking")))


def _json(value: Any) -> int:
    try:
        return count_tokens(orjson.dumps(value).decode())
    except TypeError:
        raise InvalidRequest("The request is nested too deeply to count.") from None
