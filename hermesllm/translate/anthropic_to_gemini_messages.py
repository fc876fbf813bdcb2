"""The conversation of the cell "Messages client, Gemini provider": contents and system instruction."""

import re
from collections.abc import Callable
from typing import Any, ClassVar

from hermesllm.errors import Untranslatable
from hermesllm.gemini_models import gemini_model
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
from hermesllm.translate.anthropic_conversation import messages
from hermesllm.translate.base import Context
from hermesllm.translate.gemini_request import Contents, Part, function_response, inline_data, media_at
from hermesllm.translate.gemini_signatures import carried, signed, thought_part

CODE_TOOL = "code_execution"
# What may stand inside what: keeps nesting finite, as the Messages API does.
_INSIDE = {
    "system": frozenset({"text"}),
    "tool": frozenset({"text", "image", "document", "search_result"}),
    "document": frozenset({"text", "image"}),
}
_OWN_IMAGE = re.compile(r"!\[image\]\(data:(?P<type>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/=_-]*)\)")


def read_messages(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """`contents` and `systemInstruction` of a Messages request. Raises InvalidRequest or Untranslatable."""
    reader = _Reader(context)
    if body.get("system") is not None:
        reader.system(body["system"], "system")
    for role, content, loc in messages(body):
        if role == "system":
            reader.system(content, loc)
        else:
            reader.message(role, content, loc)
    return reader.contents.members()


class _Turn:
    """One Messages turn on its way to parts. `signature` waits for the part that comes next."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.parts: list[Part] = []
        self.signature = ""

    def add(self, part: Part) -> None:
        self.parts.append(signed(part, self.signature))
        self.signature = ""


class _Reader:
    def __init__(self, context: Context) -> None:
        self.contents = Contents(context)
        self._context = context
        self._model = gemini_model(context.model)

    def system(self, content: Any, loc: str) -> None:
        self.contents.system += self._read("system", content, loc).parts

    def message(self, role: str, content: Any, loc: str) -> None:
        turn = self._read("model" if role == "assistant" else role, content, loc)
        self.contents.add(turn.role, turn.parts)

    def _read(self, role: str, content: Any, loc: str) -> _Turn:
        turn = _Turn(role)
        if isinstance(content, str):
            self._text(turn, {"text": content}, loc)
            return turn
        if not isinstance(content, list):
            raise invalid(loc, "expected a string or a list of content blocks")
        answered = {text_or_empty(block.get("tool_use_id")) for block in objects_in(content)}
        for index, value in enumerate(content):
            where = f"{loc}[{index}]"
            block = required_object(value, where)
            kind = required_text(block.get("type"), f"{where}.type")
            if block.get("cache_control") is not None:  # Gemini caches by itself
                self._context.drop(f"{where}.cache_control")
            if role == "model" and kind.endswith("_tool_result"):
                turn = self._server_result(turn, block, where)
            elif kind in ("server_tool_use", "mcp_tool_use") and text_or_empty(block.get("id")) not in answered:
                self._context.drop(where)  # paused before its result
            elif kind not in self._BLOCKS or kind not in _INSIDE.get(role, self._BLOCKS):
                raise Untranslatable(
                    f"{where}: a content block of this type cannot be sent to Gemini here", param=f"{where}.type"
                )
            else:
                self._BLOCKS[kind](self, turn, block, where)
        return turn

    def _text(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        text = required_text(block.get("text"), f"{loc}.text")
        if turn.role == "model" and "![image](data:" in text:
            for part in _with_images(text):
                turn.add(part)
        elif text:
            turn.add({"text": text})

    def _image(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        source = required_object(block.get("source"), f"{loc}.source")
        kind = source.get("type")
        if kind == "base64":
            media_type = optional_text(source.get("media_type"), f"{loc}.source.media_type") or "image/jpeg"
            turn.add(inline_data(media_type, required_text(source.get("data"), f"{loc}.source.data")))
        elif kind == "url":
            turn.add(media_at(required_text(source.get("url"), f"{loc}.source.url"), f"{loc}.source.url", "image/jpeg"))
        else:
            raise _uploaded(loc)

    def _document(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        source = required_object(block.get("source"), f"{loc}.source")
        kind = source.get("type")
        about = [optional_text(block.get(name), f"{loc}.{name}") for name in ("title", "context")]
        for text in about:
            if text:
                turn.add({"text": text})
        if kind == "base64":
            media_type = optional_text(source.get("media_type"), f"{loc}.source.media_type") or "application/pdf"
            turn.add(inline_data(media_type, required_text(source.get("data"), f"{loc}.source.data")))
        elif kind == "url":
            url = required_text(source.get("url"), f"{loc}.source.url")
            turn.add(media_at(url, f"{loc}.source.url", "application/pdf"))
        elif kind == "text":
            self._text(turn, {"text": source.get("data")}, f"{loc}.source")
        elif kind == "content":
            for part in self._read("document", source.get("content"), f"{loc}.source.content").parts:
                turn.add(part)
        elif kind == "file" and "://" in text_or_empty(source.get("file_id")):
            turn.add(media_at(source["file_id"], f"{loc}.source.file_id"))
        else:
            raise _uploaded(loc)
        if object_or_empty(block.get("citations")).get("enabled"):
            self._context.drop(f"{loc}.citations")

    def _search_result(self, turn: _Turn, block: dict[str, Any], _: str) -> None:
        head = [text_or_empty(block.get(name)) for name in ("title", "source")]
        texts = [text_or_empty(part.get("text")) for part in objects_in(block.get("content"))]
        turn.add({"text": "\n".join(line for line in (*head, *texts) if line)})

    def _call(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        name = required_text(block.get("name"), f"{loc}.name")
        call_id = required_text(block.get("id"), f"{loc}.id")
        arguments = optional_object(block.get("input"), f"{loc}.input")
        turn.add(self.contents.call(call_id, name, arguments))

    def _server_call(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        code = object_or_empty(block.get("input")).get("code")
        if block.get("name") == CODE_TOOL and isinstance(code, str):
            turn.add({"executableCode": {"language": "PYTHON", "code": code}})
        else:
            self._call(turn, block, loc)

    def _result(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        call_id = required_text(block.get("tool_use_id"), f"{loc}.tool_use_id")
        name = self.contents.name_of(call_id, f"{loc}.tool_use_id")
        content = block.get("content")
        parts = [] if content is None else self._read("tool", content, f"{loc}.content").parts
        texts = [part["text"] for part in parts if "text" in part]
        media = [part for part in parts if "text" not in part]
        inside = media if self._model.media_in_results else []
        turn.add(function_response(call_id, name, texts, is_error=block.get("is_error") is True, media=inside))
        if media and not inside:
            turn.add({"text": f"Files from the result of {name} ({call_id}):"})
            turn.parts.extend(media)

    def _server_result(self, turn: _Turn, block: dict[str, Any], loc: str) -> _Turn:
        """The result of a tool that a provider ran in the middle of its answer."""
        call_id = required_text(block.get("tool_use_id"), f"{loc}.tool_use_id")
        content = object_or_empty(block.get("content"))
        if turn.parts and "executableCode" in turn.parts[-1]:
            failed = content.get("return_code") not in (0, None) or content.get("error_code") is not None
            output = text_or_empty(content.get("stderr" if failed else "stdout"))
            outcome = "OUTCOME_FAILED" if failed else "OUTCOME_OK"
            turn.add({"codeExecutionResult": {"outcome": outcome, "output": output}})
            return turn
        if not any(object_or_empty(part.get("functionCall")).get("id") == call_id for part in turn.parts):
            self._context.drop(loc)
            return turn
        self.contents.add(turn.role, turn.parts)
        name = self.contents.name_of(call_id, f"{loc}.tool_use_id")
        text = _server_text(block.get("content"), f"{loc}.content")
        self.contents.add("user", [function_response(call_id, name, [text], is_error="error_code" in content)])
        return _Turn(turn.role)

    def _thinking(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        part = thought_part(block)
        if part is None:  # another vendor's, which only that vendor can read
            self._context.drop(loc)
        else:
            turn.parts.append(part)

    def _redacted(self, turn: _Turn, block: dict[str, Any], loc: str) -> None:
        found = carried(block)
        if found is None:
            self._context.drop(loc)
            return
        kind, signature = found
        if kind == "next":
            turn.signature = signature
        elif kind == "before" and turn.parts and "thoughtSignature" not in turn.parts[-1]:
            turn.parts[-1]["thoughtSignature"] = signature
        else:
            turn.parts.append(signed({"text": ""}, signature))

    _BLOCKS: ClassVar[dict[str, Callable[..., Any]]] = {
        "text": _text,
        "image": _image,
        "document": _document,
        "search_result": _search_result,
        "tool_use": _call,
        "server_tool_use": _server_call,
        "mcp_tool_use": _server_call,
        "tool_result": _result,
        "thinking": _thinking,
        "redacted_thinking": _redacted,
    }


def markdown_image(url: str) -> str:
    """A generated image, for want of an image block in Messages answers; `_with_images` reads it back."""
    return f"![image]({url})"


def _with_images(text: str) -> list[Part]:
    parts: list[Part] = []
    end = 0
    for match in _OWN_IMAGE.finditer(text):
        if match.start() > end:
            parts.append({"text": text[end : match.start()]})
        parts.append(inline_data(match["type"], match["data"]))
        end = match.end()
    return [*parts, {"text": text[end:]}] if end < len(text) else parts


def _uploaded(loc: str) -> Untranslatable:
    return Untranslatable(
        f"{loc}.source: a file that was uploaded to another provider cannot be sent to Gemini",
        param=f"{loc}.source.type",
        remedy="Send it as base64 data or as a URL.",
    )


def _server_text(content: Any, loc: str) -> str:
    """The readable side of a server tool's result; the encrypted side is for Anthropic alone."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict) and content.get("error_code"):
        return text_or_empty(content["error_code"])
    lines = []
    for item in objects_in(content if isinstance(content, list) else [object_or_empty(content)]):
        readable = {name: value for name, value in item.items() if name != "type" and "encrypted" not in name}
        lines.append(text_or_empty(item.get("text")) or compact_json(readable, loc))
    return "\n".join(lines)
