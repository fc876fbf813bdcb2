"""The text of a request that counts as its input, in any client format (spec 05 §8.1). Nothing here raises.

Tools, tool calls and tool results are left out: what the provider reports in the end has them.
"""

from collections.abc import Callable, Iterator
from typing import Any

from hermesllm.formats import Format
from hermesllm.reading import count_or_none, objects_in, text_or_empty

_MARKS = {
    "image_url": "[Image]",
    "input_image": "[Image]",
    "image": "[Image]",
    "input_file": "[File]",
    "file": "[File]",
    "input_audio": "[Audio]",
}
_OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def prompt_text(client: Format, request: dict[str, Any]) -> str:
    """The counted text."""
    reader = _READERS.get(client)
    return reader(request) if reader is not None else ""


def prompt_token_ids(client: Format, request: dict[str, Any]) -> int:
    """How many tokens the client sent as numbers, which legacy completions and embeddings may have."""
    if client not in _NUMBERED:
        return 0
    given = request.get(_NUMBERED[client])
    lists = given if isinstance(given, list) else []
    return sum(isinstance(item, int) for item in lists) + sum(len(item) for item in lists if isinstance(item, list))


def output_limit(request: dict[str, Any]) -> int:
    """The most output tokens that the client asks for; 0 where it does not say."""
    return next((count for name in _OUTPUT_LIMITS if (count := count_or_none(request.get(name))) is not None), 0)


def _chat(request: dict[str, Any]) -> str:
    return " ".join(f" {_joined(message.get('content'))}" for message in objects_in(request.get("messages")))


def _anthropic(request: dict[str, Any]) -> str:
    system = request.get("system")
    texts = [] if system is None else [_joined(system, marks={})]
    texts += [_joined(message.get("content"), marks={}) for message in objects_in(request.get("messages"))]
    return " ".join(texts)


def _responses(request: dict[str, Any]) -> str:
    given = request.get("input")
    if isinstance(given, str):
        return given
    if isinstance(given, dict):
        return _joined(given.get("content"))
    messages = [item for item in objects_in(given) if item.get("type") in (None, "message")]
    return "".join(f" {_spaced(message.get('content'))}" for message in messages)


def _numbered(name: str) -> Callable[[dict[str, Any]], str]:
    def read(request: dict[str, Any]) -> str:
        given = request.get(name)
        texts = given if isinstance(given, list) else [given]
        return " ".join(text for text in texts if isinstance(text, str))

    return read


def _joined(content: Any, marks: dict[str, str] = _MARKS) -> str:
    return content if isinstance(content, str) else " ".join(_parts(content, marks))


def _spaced(content: Any) -> str:
    return content if isinstance(content, str) else "".join(f" {part}" for part in _parts(content, _MARKS))


def _parts(content: Any, marks: dict[str, str]) -> Iterator[str]:
    for part in objects_in(content):
        kind = text_or_empty(part.get("type"))
        if kind in marks:
            yield marks[kind]
        elif text := text_or_empty(part.get("text")):
            yield text


_NUMBERED = {Format.COMPLETIONS: "prompt", Format.EMBEDDINGS: "input"}
_READERS: dict[Format, Callable[[dict[str, Any]], str]] = {
    Format.CHAT: _chat,
    Format.ANTHROPIC: _anthropic,
    Format.RESPONSES: _responses,
    **{client: _numbered(name) for client, name in _NUMBERED.items()},
}
