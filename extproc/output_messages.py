"""What a model answered, as `gen_ai.output.messages` of the GenAI semantic conventions, within a number of bytes."""

import re
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import orjson

_LONGEST_NAME = 256
_ROOM_OF_REASON = 16
_REASON = re.compile(rf"[a-z_]{{1,{_ROOM_OF_REASON}}}")
_NO_REASON = "unknown"
_REASONS = {
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
    "completed": "stop",
    "failed": "error",
}


@dataclass(slots=True)
class _Part:
    """`head` is all but the text, which grows."""

    head: dict[str, str]
    text: StringIO = field(default_factory=StringIO)

    def document(self, *, whole: bool) -> dict[str, Any]:
        text = self.text.getvalue()
        if self.head["type"] == "text":
            return {**self.head, "content": text}
        return {**self.head, "arguments": _arguments(text or "{}" if whole else text)}


@dataclass(slots=True)
class _Message:
    parts: list[_Part] = field(default_factory=list)
    open: dict[object, _Part] = field(default_factory=dict)
    reason: str = ""


class OutputMessages:
    """One message for each choice. Whatever is added, their JSON never takes more than `limit` bytes.

    The first thing that does not fit is cut, and nothing is taken after it. `key` tells the parts of a choice apart.
    """

    def __init__(self, limit: int) -> None:
        self._room = limit - len(b"[]")
        self._messages: dict[int, _Message] = {}

    def text(self, choice: int, key: object, text: str) -> None:
        """A piece of what was said."""
        if not text:
            return
        message = self._message(choice)
        if message is not None and (part := self._part(message, ("text", key), {"type": "text"})) is not None:
            self._append(part, text)

    def call(self, choice: int, key: object, call_id: str, name: str) -> None:
        """A tool call, once or with every piece of its arguments; another id makes it another call."""
        message = self._message(choice)
        if message is None:
            return
        known = message.open.get(("call", key))
        call_id, name = call_id[:_LONGEST_NAME], name[:_LONGEST_NAME]
        if known is not None and (not call_id or known.head["id"] == call_id):
            return
        message.open.pop(("call", key), None)
        self._part(message, ("call", key), {"type": "tool_call", "id": call_id, "name": name})

    def arguments(self, choice: int, key: object, text: str) -> None:
        """A piece of the arguments of a call that has begun."""
        message = self._messages.get(choice)
        part = None if message is None else message.open.get(("call", key))
        if part is not None and text:
            self._append(part, text)

    def finish(self, choice: int, reason: str) -> None:
        """Why the answer ended, in the words of any API."""
        reason = _REASONS.get(reason, reason)
        message = self._message(choice)
        if message is not None:
            message.reason = reason if _REASON.fullmatch(reason) else _NO_REASON

    def calls_tools(self, choice: int) -> bool:
        message = self._messages.get(choice)
        return message is not None and any(part.head["type"] == "tool_call" for part in message.parts)

    def json(self) -> str:
        """The messages; empty if there are none."""
        if not self._messages:
            return ""
        whole = self._room > 0
        ordered = [self._messages[choice] for choice in sorted(self._messages)]
        parts = [[part.document(whole=whole) for part in message.parts] for message in ordered]
        return orjson.dumps(
            [_document(each, message.reason or _NO_REASON) for each, message in zip(parts, ordered, strict=True)]
        ).decode()

    def _message(self, choice: int) -> _Message | None:
        if choice not in self._messages:
            if not self._take(_size(_document([], "")) + _ROOM_OF_REASON + len(b",")):
                return None
            self._messages[choice] = _Message()
        return self._messages[choice]

    def _part(self, message: _Message, key: object, head: dict[str, str]) -> _Part | None:
        if key not in message.open:
            part = _Part(head)
            if not self._take(_size(part.document(whole=False)) + len(b",")):
                return None
            message.parts.append(part)
            message.open[key] = part
        return message.open[key]

    def _append(self, part: _Part, text: str) -> None:
        if self._room > 0:
            kept = text[: self._room]
            size = _size(kept) - len(b'""')
            if size > self._room:
                kept, size = _cut(kept, self._room)
            part.text.write(kept)
            self._room = self._room - size if len(kept) == len(text) else 0

    def _take(self, size: int) -> bool:
        """Whether there was room. If not, there is none any more."""
        fits = size <= self._room
        self._room = self._room - size if fits else 0
        return fits


def _document(parts: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    return {"role": "assistant", "parts": parts, "finish_reason": reason}


def _size(value: Any) -> int:
    return len(orjson.dumps(value))


def _cut(text: str, room: int) -> tuple[str, int]:
    """The longest beginning that takes at most `room` bytes within a JSON string, and how many it takes."""
    low, high, size = 0, len(text), 0
    while low < high:
        middle = (low + high + 1) // 2
        needed = _size(text[:middle]) - len(b'""')
        if needed <= room:
            low, size = middle, needed
        else:
            high = middle - 1
    return text[:low], size


def _arguments(text: str) -> Any:
    """The object that the text is, where that takes no more room than the text."""
    try:
        value = orjson.loads(text)
        written = orjson.dumps(value) if isinstance(value, dict) else b""
    except (orjson.JSONDecodeError, TypeError):  # cut, no JSON at all, or nested too deeply
        return text
    return orjson.Fragment(written) if 0 < len(written) <= _size(text) else text
