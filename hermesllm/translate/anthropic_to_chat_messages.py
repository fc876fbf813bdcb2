"""The conversation of the cell "Messages client, Chat Completions provider"."""

from collections.abc import Callable
from typing import Any, ClassVar

from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    compact_json,
    invalid,
    object_or_empty,
    objects_in,
    optional_object,
    optional_text,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.anthropic_conversation import image_url, messages
from hermesllm.translate.base import Context

Part = dict[str, Any]

# What may stand inside what: keeps nesting finite, as the Messages API does.
_INSIDE = {
    "system": frozenset({"text"}),
    "tool": frozenset({"text", "image", "document", "search_result"}),
    "document": frozenset({"text", "image"}),
}


def read_messages(body: dict[str, Any], context: Context) -> list[dict[str, Any]]:
    """The Chat messages of a Messages request, system prompt first. Raises InvalidRequest or Untranslatable."""
    reader = _Reader(context)
    if body.get("system") is not None:
        reader.system(body["system"], "system")
    for role, content, loc in messages(body):
        if role == "system":
            reader.system(content, loc)
        else:
            reader.message(role, content, loc)
    if not reader.messages:
        raise invalid("messages", "expected at least one message with content")
    return reader.messages


class _Turn:
    """One Messages turn on its way to Chat messages."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.parts: list[Part] = []
        self.calls: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self.images: list[Part] = []  # of tool results: Chat takes images only from the user
        self.thinking: list[dict[str, Any]] = []


class _Reader:
    def __init__(self, context: Context) -> None:
        self.messages: list[dict[str, Any]] = []
        self._context = context
        provider = context.provider
        is_claude = "claude" in context.model.lower()
        self._keeps_cache_control = provider.claude_cache_control and is_claude
        self._keeps_signatures = provider.reasoning_details and is_claude
        self._tool_names: dict[str, str] = {}

    def system(self, content: Any, loc: str) -> None:
        parts = self._read("system", content, loc).parts
        if parts:
            self.messages.append({"role": "system", "content": _joined(parts, "\n")})

    def message(self, role: str, content: Any, loc: str) -> None:
        self._emit(self._read(role, content, loc))

    def _read(self, role: str, content: Any, loc: str) -> _Turn:
        turn = _Turn(role)
        if isinstance(content, str):
            turn.parts.append({"type": "text", "text": content})
            return turn
        if not isinstance(content, list):
            raise invalid(loc, "expected a string or a list of content blocks")
        answered = {
            text_or_empty(block.get("tool_use_id")) for block in objects_in(content) if _is_server_result(block)
        }
        for index, value in enumerate(content):
            where = f"{loc}[{index}]"
            block = required_object(value, where)
            kind = required_text(block.get("type"), f"{where}.type")
            read = self._BLOCKS.get(kind)
            if _is_server_result(block) and role == "assistant":
                turn = self._server_result(turn, block, where)
            elif kind in ("server_tool_use", "mcp_tool_use") and text_or_empty(block.get("id")) not in answered:
                self._context.drop(where)  # paused before its result: an unanswered call is refused by OpenAI
            elif read is None or kind not in _INSIDE.get(role, self._BLOCKS):
                raise Untranslatable(
                    f"{where}: a content block of this type cannot be sent to this provider here",
                    param=f"{where}.type",
                )
            else:
                read(self, turn, block, where)
        return turn

    def _emit(self, turn: _Turn) -> None:
        self.messages.extend(turn.results)
        parts = turn.images + turn.parts
        if not parts and not turn.calls:
            return
        message: dict[str, Any] = {"role": turn.role}
        if parts:
            # An assistant's text blocks are fragments of one text, split around citations and calls.
            message["content"] = _joined(parts, "" if turn.role == "assistant" else None)
        if turn.calls:
            message["tool_calls"] = turn.calls
        message.update(self._reasoning(turn.thinking))
        self.messages.append(message)

    def _reasoning(self, thinking: list[dict[str, Any]]) -> dict[str, Any]:
        if not thinking:
            return {}
        if self._context.provider.reasoning_content:
            return {"reasoning_content": "".join(text_or_empty(block.get("thinking")) for block in thinking)}
        if self._keeps_signatures:
            return {"reasoning_details": [_detail(index, block) for index, block in enumerate(thinking)]}
        return {}

    def _text(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        text = required_text(block.get("text"), f"{loc}.text")
        if text:
            self._add(turn.parts, {"type": "text", "text": text}, block, loc)

    def _image(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        image = {"url": image_url(block, loc), "detail": "auto"}
        self._add(turn.parts, {"type": "image_url", "image_url": image}, block, loc)

    def _document(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        for part in self._document_parts(block, loc):
            self._add(turn.parts, part, block, loc)
        for name in ("context", "citations"):
            if block.get(name) is not None:
                self._context.drop(f"{loc}.{name}")

    def _document_parts(self, block: dict[str, Any], loc: str) -> list[Part]:
        source = required_object(block.get("source"), f"{loc}.source")
        kind = source.get("type")
        title = optional_text(block.get("title"), f"{loc}.title")
        if kind == "base64":
            media_type = optional_text(source.get("media_type"), f"{loc}.source.media_type") or "application/pdf"
            data = required_text(source.get("data"), f"{loc}.source.data")
            file = {"filename": title or "document.pdf", "file_data": f"data:{media_type};base64,{data}"}
            return [{"type": "file", "file": file}]
        if kind == "file":
            return [
                {"type": "file", "file": {"file_id": required_text(source.get("file_id"), f"{loc}.source.file_id")}}
            ]
        if kind == "text":
            data = required_text(source.get("data"), f"{loc}.source.data")
            return [{"type": "text", "text": f"{title}\n{data}" if title else data}]
        if kind == "content":
            return self._read("document", source.get("content"), f"{loc}.source.content").parts
        raise Untranslatable(
            f"{loc}.source: a document at a URL cannot be sent to a Chat Completions provider",
            param=f"{loc}.source.type",
            remedy="Send the document as base64 data.",
        )

    def _search_result(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        head = [text_or_empty(block.get(name)) for name in ("title", "source")]
        texts = [text_or_empty(part.get("text")) for part in objects_in(block.get("content"))]
        text = "\n".join(line for line in (*head, *texts) if line)
        self._add(turn.parts, {"type": "text", "text": text}, block, loc)

    def _call(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        name = required_text(block.get("name"), f"{loc}.name")
        call_id = required_text(block.get("id"), f"{loc}.id")
        self._tool_names[call_id] = name
        value = optional_object(block.get("input"), f"{loc}.input")
        function = {"name": name, "arguments": compact_json(value, f"{loc}.input")}
        self._drop_cache_control(block, loc)
        turn.calls.append({"id": call_id, "type": "function", "function": function})

    def _result(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        call_id = required_text(block.get("tool_use_id"), f"{loc}.tool_use_id")
        content = block.get("content")
        result = _Turn("tool") if content is None else self._read("tool", content, f"{loc}.content")
        texts = [part for part in result.parts if part["type"] == "text"]
        others = [part for part in result.parts if part["type"] != "text"]
        text = "\n".join(part["text"] for part in texts)
        if block.get("is_error") is True and not text.lower().startswith("error"):
            text = f"Error: {text}" if text else "Error"
        if others:
            name = self._tool_names.get(call_id, call_id)
            turn.images.append({"type": "text", "text": f"Files from the result of {name} ({call_id}):"})
            turn.images.extend(others)
        answer: dict[str, Any] = {"role": "tool", "tool_call_id": call_id, "content": text}
        if self._keeps_cache_control and block.get("cache_control") is not None:
            answer["content"] = [{"type": "text", "text": text, "cache_control": block["cache_control"]}]
        else:
            self._drop_cache_control(block, loc)
        turn.results.append(answer)

    def _server_result(self, turn: _Turn, block: dict[str, Any], loc: str) -> _Turn:
        """The result of a tool that Anthropic ran: call and result become messages of their own, in their order."""
        call_id = required_text(block.get("tool_use_id"), f"{loc}.tool_use_id")
        if not any(call["id"] == call_id for call in turn.calls):
            self._context.drop(loc)
            return turn
        self._emit(turn)
        text = _server_text(block.get("content"), f"{loc}.content")
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        return _Turn(turn.role)

    def _thinking(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        turn.thinking.append(block)
        if not (self._context.provider.reasoning_content or self._keeps_signatures):
            self._context.drop(loc)

    def _add(self, parts: list[Part], part: Part, block: dict[str, Any], loc: str) -> None:
        if self._keeps_cache_control and block.get("cache_control") is not None:
            part["cache_control"] = block["cache_control"]
        else:
            self._drop_cache_control(block, loc)
        parts.append(part)

    def _drop_cache_control(self, block: dict[str, Any], loc: str) -> None:
        if block.get("cache_control") is not None:
            self._context.drop(f"{loc}.cache_control")

    _BLOCKS: ClassVar[dict[str, Callable[..., Any]]] = {
        "text": _text,
        "image": _image,
        "document": _document,
        "search_result": _search_result,
        "tool_use": _call,
        "server_tool_use": _call,
        "mcp_tool_use": _call,
        "tool_result": _result,
        "thinking": _thinking,
        "redacted_thinking": _thinking,
    }


def _joined(parts: list[Part], separator: str | None = None) -> str | list[Part]:
    """Plain text as a string: a single part, or all of them where `separator` says how to join."""
    plain = all(part.keys() == {"type", "text"} for part in parts)
    if plain and (len(parts) == 1 or separator is not None):
        return (separator or "").join(part["text"] for part in parts)
    return parts


def _is_server_result(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    return isinstance(kind, str) and kind.endswith("_tool_result")


def _detail(index: int, block: dict[str, Any]) -> dict[str, Any]:
    """A thinking block as OpenRouter takes it back."""
    common = {"format": "anthropic-claude-v1", "index": index}
    if block.get("type") == "redacted_thinking":
        return {"type": "reasoning.encrypted", "data": text_or_empty(block.get("data")), **common}
    text, signature = text_or_empty(block.get("thinking")), text_or_empty(block.get("signature"))
    return {"type": "reasoning.text", "text": text, "signature": signature, **common}


def _server_text(content: Any, loc: str) -> str:
    """The readable side of a server tool's result; the encrypted side is for Anthropic alone."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict) and content.get("error_code"):
        return f"Error: {text_or_empty(content['error_code'])}"
    lines = []
    for item in objects_in(content if isinstance(content, list) else [object_or_empty(content)]):
        readable = {name: value for name, value in item.items() if name != "type" and "encrypted" not in name}
        lines.append(text_or_empty(item.get("text")) or compact_json(readable, loc))
    return "\n".join(lines)
