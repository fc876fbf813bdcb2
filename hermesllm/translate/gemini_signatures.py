"""Gemini's thought signatures in members that clients of other APIs keep and send back unread.

Gemini signs parts of an answer (`thoughtSignature`) and wants each signature back on the part it came with; Gemini 3
refuses function calls that lost theirs. Where the client's format has no place for it, it travels behind a mark:

    thought          thinking block, signature  "gemini.thought.v1:" + signature, also where there is none
    text             redacted_thinking, data    "gemini.before.v1:" + signature    right after the text it signs
    empty text part  redacted_thinking, data    "gemini.alone.v1:" + signature     where it stood (ends of streams)
    functionCall     redacted_thinking, data    "gemini.next.v1:" + signature      right before the block it signs
    and other parts

A Chat client gets thoughts so in `thinking_blocks`, and the others as Google's own Chat endpoint sends them:
`extra_content.google.thought_signature` of the tool call or image, or of the message for its text.
The mark tells whose secret it is. Claude refuses it, so it is never sent there.
"""

from typing import Any

from hermesllm.reading import object_or_empty, text_or_empty

_THOUGHT = "gemini.thought.v1:"
_KINDS = {"before": "gemini.before.v1:", "alone": "gemini.alone.v1:", "next": "gemini.next.v1:"}
_MARKS = (_THOUGHT, *_KINDS.values())


def thought_mark(signature: str) -> str:
    """The `signature` of the thinking block for a thought."""
    return _THOUGHT + signature


def carrier(kind: str, signature: str) -> dict[str, Any]:
    """The block that carries the signature of what stands `before` it, of what is `next`, or of an empty part."""
    return {"type": "redacted_thinking", "data": _KINDS[kind] + signature}


def is_geminis(block: dict[str, Any]) -> bool:
    """Whether a thinking block carries a secret that only Gemini takes back."""
    return text_or_empty(block.get("signature") or block.get("data")).startswith(_MARKS)


def thought_part(block: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a thinking block that Gemini wrote; None for thinking of others."""
    mark = text_or_empty(block.get("signature"))
    if not mark.startswith(_THOUGHT):
        return None
    part: dict[str, Any] = {"text": text_or_empty(block.get("thinking")), "thought": True}
    return signed(part, mark.removeprefix(_THOUGHT))


def carried(block: dict[str, Any]) -> tuple[str, str] | None:
    """Kind and signature that a carrier holds; None for other blocks."""
    data = text_or_empty(block.get("data"))
    for kind, mark in _KINDS.items():
        if data.startswith(mark):
            return kind, data.removeprefix(mark)
    return None


def extra_content(signature: str) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def signature_in_extra_content(holder: dict[str, Any]) -> str:
    google = object_or_empty(object_or_empty(holder.get("extra_content")).get("google"))
    return text_or_empty(google.get("thought_signature"))


def signed(part: dict[str, Any], signature: str) -> dict[str, Any]:
    if signature:
        part["thoughtSignature"] = signature
    return part
