"""What the mock says: a conversation's last turn in, an answer out. Knows no API.

Everything follows from the request alone, so the same request gets the same answer, ids included.
"""

import enum
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from planoctl.mock_provider.samples import sample

SYSTEM_ECHO = "echo system"
_CHARS_PER_TOKEN = 4
_WORDS_LIMIT = 4096


class Stop(enum.Enum):
    """Why an answer ends."""

    END = "end"
    LENGTH = "length"
    SEQUENCE = "sequence"
    TOOLS = "tools"


class ToolMode(enum.Enum):
    """What the request says about using tools."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the request offers; `parameters` is its JSON Schema."""

    name: str
    parameters: object


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call in an answer. `id` is the part behind the API's prefix."""

    id: str
    name: str
    arguments: dict[str, Any]

    @property
    def json(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request asks for, in no API's words. `digest` identifies the request."""

    digest: str
    model: str
    user_text: str
    prompt_chars: int
    system: str = ""
    images: int = 0
    documents: int = 0
    tool_results: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_mode: ToolMode = ToolMode.AUTO
    forced_tool: str | None = None
    parallel_tools: bool = True
    thinking: bool = False
    sealed_thinking: bool = False
    schema: object = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    choices: int = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. `prompt` includes what was read from and written to the cache, `completion` the reasoning."""

    prompt: int
    completion: int
    reasoning: int
    cache_read: int
    cache_write: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the mock says to a turn. `stop` is None where the finish reason is to be left out."""

    text: str
    thinking: str
    tool_calls: tuple[ToolCall, ...]
    stop: Stop | None
    stop_sequence: str | None
    usage: Usage


def tokens(text: str) -> int:
    """The mock's token count: a quarter of the characters, rounded up."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def answer(turn: Turn, *, big: int | None = None, reason: bool = True) -> Answer:
    """The answer to `turn`; `big` asks for a text of this many bytes, `reason` False for no stop reason."""
    calls = _tool_calls(turn)
    thinking = f"The user wrote: {turn.user_text}" if turn.thinking else ""
    text, stop, sequence = ("", Stop.TOOLS, None) if calls else _limited(_text(turn, big), turn)
    return Answer(
        text=text,
        thinking=thinking,
        tool_calls=calls,
        stop=stop if reason else None,
        stop_sequence=sequence,
        usage=_usage(turn, text, thinking, calls),
    )


def pieces(text: str) -> Iterator[str]:
    """Cuts a text into the parts that a stream sends: words, or slices of a long one."""
    if len(text) > _WORDS_LIMIT:
        yield from (text[start : start + 1024] for start in range(0, len(text), 1024))
    else:
        yield from re.findall(r"\s*\S+|\s+$", text)


def fragments(text: str) -> Iterator[str]:
    """Cuts a JSON text into four parts that do not respect its tokens."""
    size = max(1, -(-len(text) // 4))
    yield from (text[start : start + size] for start in range(0, len(text), size))


def _text(turn: Turn, big: int | None) -> str:
    if big is not None:
        return ("mock " * (big // 5 + 1))[:big]
    if turn.schema is not None:
        return json.dumps(sample(turn.schema), ensure_ascii=False)
    parts = []
    if turn.tool_results:
        parts.append("The tool said: " + "; ".join(turn.tool_results))
    if turn.user_text or not parts:
        parts.append(f"You said: {turn.user_text}")
    for count, noun in ((turn.images, "images"), (turn.documents, "documents")):
        if count:
            parts.append(f"[{noun}: {count}]")
    if SYSTEM_ECHO in turn.user_text:
        parts.append(f"[system: {turn.system}]")
    return " ".join(parts)


def _limited(text: str, turn: Turn) -> tuple[str, Stop, str | None]:
    """The text up to the first stop sequence or the token limit, whichever comes first."""
    stop, found = Stop.END, None
    hits = [(text.find(sequence), sequence) for sequence in turn.stop_sequences if sequence in text]
    if hits:
        position, found = min(hits)
        text, stop = text[:position], Stop.SEQUENCE
    if turn.max_tokens is not None and tokens(text) > turn.max_tokens:
        text, stop, found = text[: turn.max_tokens * _CHARS_PER_TOKEN], Stop.LENGTH, None
    return text, stop, found


def _tool_calls(turn: Turn) -> tuple[ToolCall, ...]:
    """Calls the tools that the user's text names (`call <tool>`), or the one that the request forces."""
    if turn.tool_mode is ToolMode.NONE or (turn.tool_results and not turn.user_text):
        return ()
    tools = {tool.name: tool for tool in turn.tools}
    names = "|".join(re.escape(name) for name in sorted(tools, key=len, reverse=True))
    wanted: list[str] = re.findall(rf"\bcall ({names})(?![\w-])", turn.user_text) if names else []
    if turn.forced_tool is not None:
        wanted = [turn.forced_tool]
    elif not wanted and turn.tool_mode is ToolMode.REQUIRED:
        wanted = list(tools)[:1]
    return tuple(
        ToolCall(id=f"{turn.digest[:20]}{index:04}", name=name, arguments=_arguments(tools[name]))
        for index, name in enumerate(wanted if turn.parallel_tools else wanted[:1])
    )


def _arguments(tool: Tool) -> dict[str, Any]:
    value = sample(tool.parameters, tool.name)
    return value if isinstance(value, dict) else {}


def _usage(turn: Turn, text: str, thinking: str, calls: tuple[ToolCall, ...]) -> Usage:
    prompt = 8 + turn.prompt_chars // _CHARS_PER_TOKEN
    reasoning = tokens(thinking)
    spoken = tokens(text) + sum(tokens(call.json) + 8 for call in calls)
    return Usage(
        prompt=prompt,
        completion=max(1, spoken + reasoning),
        reasoning=reasoning,
        cache_read=prompt // 4,
        cache_write=prompt // 8,
    )
