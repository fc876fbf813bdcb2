"""Hidden reasoning of one vendor in the opaque member of the other's format, so that it comes back with the next turn.

A Responses client keeps a reasoning item's `encrypted_content` and sends it back unread; a Messages client (and a Chat
client, in `thinking_blocks`) does so with a thinking block's `signature`. Each carries the other's behind a mark:

    encrypted_content  "thinking.v1:" + signature          the thinking itself is the item's summary
                       "redacted.v1:" + data               redacted thinking has no text
    signature          "openai.reasoning.v1:" + id + ":" + encrypted_content

The mark tells which provider the secret belongs to. Others refuse it, so it is not sent to them.
"""

from typing import Any

from hermesllm.reading import objects_in, text_or_empty

_THINKING = "thinking.v1:"
_REDACTED = "redacted.v1:"
_REASONING = "openai.reasoning.v1:"


def sealed_thinking(block: dict[str, Any]) -> str:
    """The `encrypted_content` for a Claude thinking block; empty where it has no secret."""
    if block.get("type") == "redacted_thinking":
        data = text_or_empty(block.get("data"))
        return _REDACTED + data if data else ""
    signature = text_or_empty(block.get("signature"))
    if signature.startswith(_REASONING):  # an OpenAI item that came through Chat
        return signature.removeprefix(_REASONING).partition(":")[2]
    return _THINKING + signature if signature else ""


def thinking_block(item: dict[str, Any]) -> dict[str, Any] | None:
    """The Claude thinking block that a reasoning item carries; None for reasoning of others."""
    secret = text_or_empty(item.get("encrypted_content"))
    if secret.startswith(_THINKING):
        signature = secret.removeprefix(_THINKING)
        return {"type": "thinking", "thinking": reasoning_text(item), "signature": signature}
    if secret.startswith(_REDACTED):
        return {"type": "redacted_thinking", "data": secret.removeprefix(_REDACTED)}
    return None


def is_thinking(item: dict[str, Any]) -> bool:
    """Whether a reasoning item carries a secret that only Claude takes back."""
    return text_or_empty(item.get("encrypted_content")).startswith((_THINKING, _REDACTED))


def is_openais(block: dict[str, Any]) -> bool:
    """Whether a thinking block carries a secret that only a Responses provider takes back."""
    return text_or_empty(block.get("signature")).startswith(_REASONING)


def sealed_reasoning(item: dict[str, Any]) -> str:
    """The `signature` for a reasoning item; empty where it has no secret."""
    secret = text_or_empty(item.get("encrypted_content"))
    return f"{_REASONING}{text_or_empty(item.get('id'))}:{secret}" if secret else ""


def reasoning_item(block: dict[str, Any]) -> dict[str, Any] | None:
    """The reasoning item that a thinking block carries; None for Claude's own thinking."""
    if not is_openais(block):
        return None
    item_id, _, secret = text_or_empty(block.get("signature")).removeprefix(_REASONING).partition(":")
    text = text_or_empty(block.get("thinking"))
    item: dict[str, Any] = {"type": "reasoning"}
    if item_id:
        item["id"] = item_id
    item["summary"] = [{"type": "summary_text", "text": text}] if text else []
    item["encrypted_content"] = secret
    return item


def reasoning_text(item: dict[str, Any]) -> str:
    """What a reasoning item says in the open: its summary, else (open models) the reasoning itself."""
    for name in ("summary", "content"):
        texts = [text for part in objects_in(item.get(name)) if (text := text_or_empty(part.get("text")))]
        if texts:
            return "\n\n".join(texts)
    return ""
