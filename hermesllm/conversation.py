"""What was said in a request, as plain text: for routing decisions and session keys, in any client format.

Nothing here raises: what is not well-formed is passed over, the translators are the ones to refuse it.
Guarded by tests/bench/bench_conversation.py: every routed request passes here.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, objects_in, text_or_empty

ROUTED_FORMATS = frozenset({Format.CHAT, Format.ANTHROPIC, Format.RESPONSES})
ROUTING_TURNS = 16

_SPOKEN = frozenset({"user", "assistant"})
_SYSTEM = frozenset({"system", "developer"})
_TEXTS = frozenset({"text", "input_text", "output_text"})
_ELLIPSIS = "…"
_ELLIPSIS_BYTES = len(_ELLIPSIS.encode())


def conversation(client: Format, request: dict[str, Any], turns: int | None = None) -> list[tuple[str, str]]:
    """The messages of user and assistant that have text, oldest first, as (role, text).

    Tool calls, tool results, images and system prompts leave no trace. `turns` has the effect of `recent`, without
    reading the older messages.
    """
    return _latest(_newest_first(_messages(client, request), items=client is Format.RESPONSES), turns)


def recent(conversation: Sequence[tuple[str, str]], turns: int = ROUTING_TURNS) -> list[tuple[str, str]]:
    """The last `turns` messages; if none of them is the user's, the user's latest takes the place of the first."""
    return _latest(reversed(conversation), turns)


def system_text(client: Format, request: dict[str, Any]) -> str:
    """The texts of system prompt, instructions, system and developer messages, joined by line ends."""
    texts = [_text(request.get("instructions" if client is Format.RESPONSES else "system"))]
    texts += [
        _text(message.get("content")) for message in objects_in(_messages(client, request)) if _is_system(message)
    ]
    return "\n".join(text for text in texts if text)


def middle_trimmed(text: str, max_bytes: int) -> str:
    """`text` in at most `max_bytes` bytes of UTF-8: its head and its tail, with an ellipsis for what lay between.

    The head gets three fifths: the task tends to stand at the start of a long text, the question at its end.
    """
    if len(text) <= max_bytes and (text.isascii() or len(text.encode(errors="replace")) <= max_bytes):
        return text
    if max_bytes <= _ELLIPSIS_BYTES:
        return _head(text, max(0, max_bytes))
    available = max_bytes - _ELLIPSIS_BYTES
    head = _head(text, available * 3 // 5)
    return head + _ELLIPSIS + _tail(text, available - len(head.encode()))


def _head(text: str, size: int) -> str:
    return text[:size].encode(errors="replace")[:size].decode(errors="ignore")


def _tail(text: str, size: int) -> str:
    return text[-size:].encode(errors="replace")[-size:].decode(errors="ignore") if size else ""


def _latest(newest_first: Iterator[tuple[str, str]], turns: int | None) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    asked = False
    if turns is not None and turns < 1:
        return kept
    for role, text in newest_first:
        if len(kept) == turns:  # full, and the user's latest is still to come
            if role != "user":
                continue
            kept.pop()
        kept.append((role, text))
        asked = asked or role == "user"
        if asked and len(kept) == turns:
            break
    kept.reverse()
    return kept


def _messages(client: Format, request: dict[str, Any]) -> Any:
    if client is not Format.RESPONSES:
        return request.get("messages")
    given = request.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return [given] if isinstance(given, dict) else given


def _newest_first(messages: Any, *, items: bool) -> Iterator[tuple[str, str]]:
    """`items`: other things than messages are among them, told apart by their type."""
    if not isinstance(messages, list):
        return
    for message in reversed(messages):
        if not isinstance(message, dict) or (items and message.get("type") not in (None, "message")):
            continue
        role = message.get("role")
        if isinstance(role, str) and role in _SPOKEN and (text := _text(message.get("content"))):
            yield role, text


def _is_system(message: dict[str, Any]) -> bool:
    return text_or_empty(message.get("role")) in _SYSTEM


def _text(content: Any) -> str:
    """A string as it is, the text parts of a list joined by line ends; empty if there is nothing but white space."""
    if isinstance(content, list):
        content = "\n".join(_parts(content))
    return content if isinstance(content, str) and not content.isspace() else ""


def _parts(content: list[Any]) -> Iterator[str]:
    for part in content:
        part = object_or_empty(part)
        text = part.get("text")
        if isinstance(text, str) and text and text_or_empty(part.get("type")) in _TEXTS:
            yield text
