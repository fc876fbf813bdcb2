"""What of a conversation fits into a routing prompt. Tokens are estimated as bytes of UTF-8 divided by four."""

from collections.abc import Sequence

from hermesllm.conversation import middle_trimmed, recent

Message = tuple[str, str]  # role and text

BYTES_PER_TOKEN = 4
# What one message gets when routes and template leave nothing: a long description must not hide the question.
_LEAST_TOKENS = 128


def trimmed(conversation: Sequence[Message], *, budget: int, base: int, turns: int | None) -> list[Message]:
    """The newest messages that fit into `budget` tokens, of which `base` are spent, oldest first.

    Of the first user message that does not fit, head and tail are kept. The user's latest message is always among
    them, also where the assistant spoke last: it is what the decision is about.
    """
    candidates = list(conversation) if turns is None else recent(conversation, turns)
    if not candidates:
        return []
    asked = next((index for index in reversed(range(len(candidates))) if candidates[index][0] == "user"), None)
    if asked is None:
        return _newest_that_fit(candidates, budget - base) or [_cut(candidates[-1], _least(budget, base))]
    kept = _newest_that_fit(candidates, budget - base)
    if len(kept) >= len(candidates) - asked:
        return kept
    return _question_first(candidates[asked:], budget, base)


def _newest_that_fit(messages: Sequence[Message], remaining: int) -> list[Message]:
    kept: list[Message] = []
    for role, text in reversed(messages):
        cost = _cost(text, remaining)
        if cost is None:
            if role == "user" and remaining > 0:
                kept.append(_cut((role, text), remaining))
            break
        kept.append((role, text))
        remaining -= cost
    kept.reverse()
    return kept


def _question_first(messages: Sequence[Message], budget: int, base: int) -> list[Message]:
    """A question with the answers after it, where both do not fit: the question, then the newest of the answers."""
    question = _cut(messages[0], _least(budget, base))
    cost = len(question[1].encode(errors="replace")) // BYTES_PER_TOKEN
    return [question, *_newest_that_fit(messages[1:], budget - base - cost)]


def _least(budget: int, base: int) -> int:
    """Tokens for a message that must not be left out."""
    return max(budget - base, budget // 4, _LEAST_TOKENS)


def _cut(message: Message, tokens: int) -> Message:
    role, text = message
    return role, middle_trimmed(text, tokens * BYTES_PER_TOKEN)


def _cost(text: str, remaining: int) -> int | None:
    """Tokens of a text, or None if it takes more than `remaining`; a long text is not encoded to find that out."""
    if len(text) // BYTES_PER_TOKEN > remaining:
        return None
    cost = len(text.encode(errors="replace")) // BYTES_PER_TOKEN
    return cost if cost <= remaining else None
