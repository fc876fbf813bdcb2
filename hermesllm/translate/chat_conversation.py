"""What cells with a Chat Completions client read alike in a conversation."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hermesllm.reading import invalid, required_messages, required_object
from hermesllm.translate.base import Context

Message = dict[str, Any]
ThinkingOf = Callable[[Message], list[dict[str, Any]]]


def messages(
    body: dict[str, Any],
    members: Mapping[str, frozenset[str]],
    context: Context,
    thinking_of: ThinkingOf,
) -> Iterator[tuple[str, Message, str]]:
    """Role, message and its path, one by one. Raises InvalidRequest.

    `members`: by role, what the cell reads of a message; the rest is reported as dropped. Reasoning as plain text is
    not lost where `thinking_of` finds it in signed blocks, too.
    """
    for index, value in enumerate(required_messages(body)):
        loc = f"messages[{index}]"
        message = required_object(value, loc)
        role = message.get("role")
        if not isinstance(role, str) or role not in members:
            raise invalid(f"{loc}.role", f"expected one of {', '.join(members)}")
        if not message.keys() <= members[role]:
            for name in _lost(message, members[role], thinking_of):
                context.drop(f"{loc}.{name}")
        yield role, message, loc


def _lost(message: Message, known: frozenset[str], thinking_of: ThinkingOf) -> Iterator[str]:
    for name, value in message.items():
        if name in known or value is None or value == []:
            continue
        said_by_blocks = name in ("reasoning", "reasoning_content") and thinking_of(message)
        if not said_by_blocks:
            yield name
