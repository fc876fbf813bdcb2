"""What every cell with a Messages client reads alike in a conversation.

Performance-sensitive: every message of every such request passes here (`python -m tests.bench.translate`).
"""

from collections.abc import Iterator
from typing import Any

from hermesllm.errors import Untranslatable
from hermesllm.reading import invalid, optional_text, required_messages, required_object, required_text

_ROLES = ("user", "assistant", "system")  # coding agents put system prompts into the conversation


def messages(body: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Role, content and the content's path of each message; the role may be `system`. Raises InvalidRequest."""
    for index, value in enumerate(required_messages(body)):
        message = value if isinstance(value, dict) else required_object(value, f"messages[{index}]")
        role = message.get("role")
        if role not in _ROLES:
            raise invalid(f"messages[{index}].role", "expected 'user' or 'assistant'")
        yield role, message.get("content"), f"messages[{index}].content"


def image_url(block: dict[str, Any], loc: str) -> str:
    """The URL of an image block, a data URL for base64. Raises InvalidRequest, or Untranslatable for an upload."""
    source = required_object(block.get("source"), f"{loc}.source")
    kind = source.get("type")
    if kind == "base64":
        media_type = optional_text(source.get("media_type"), f"{loc}.source.media_type") or "image/jpeg"
        return f"data:{media_type};base64,{required_text(source.get('data'), f'{loc}.source.data')}"
    if kind == "url":
        return required_text(source.get("url"), f"{loc}.source.url")
    raise Untranslatable(
        f"{loc}.source: an uploaded image cannot be sent to another provider than the one it was uploaded to",
        param=f"{loc}.source.type",
        remedy="Send the image as base64 data or as a URL.",
    )
