"""The conversation of the cell "Messages client, Responses provider": blocks to input items, in their order."""

from collections.abc import Callable
from typing import Any, ClassVar

from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    compact_json,
    invalid,
    objects_in,
    optional_object,
    optional_text,
    required_list,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.anthropic_conversation import image_url, messages
from hermesllm.translate.base import Context
from hermesllm.translate.sealed_reasoning import reasoning_item

Block = dict[str, Any]
Item = dict[str, Any]

# What may stand inside what: keeps nesting finite, as the Messages API does.
_INSIDE = {
    "system": frozenset({"text"}),
    "tool": frozenset({"text", "image", "document", "search_result"}),
    "document": frozenset({"text", "image"}),
}


def read_messages(body: dict[str, Any], context: Context) -> tuple[str, list[Item]]:
    """Instructions and input items of a Messages request. Raises InvalidRequest or Untranslatable."""
    reader = _Reader(context)
    instructions = ""
    if body.get("system") is not None:
        instructions = "\n".join(part["text"] for part in reader.parts("system", body["system"], "system"))
    for role, content, loc in messages(body):
        if role == "system":
            reader.say("developer", reader.parts("system", content, loc))
        else:
            reader.turn(role, content, loc)
    if not reader.items:
        raise invalid("messages", "expected at least one message with content")
    return instructions, reader.items


class _Reader:
    def __init__(self, context: Context) -> None:
        self.items: list[Item] = []
        self._context = context

    def turn(self, role: str, content: Any, loc: str) -> None:
        if isinstance(content, str):
            self.say(role, [{"type": _text_type(role), "text": content}] if content else [])
            return
        said: list[Item] = []  # parts of the message item that is being read
        for index, value in enumerate(required_list(content, loc)):
            where = f"{loc}[{index}]"
            block = required_object(value, where)
            kind = required_text(block.get("type"), f"{where}.type")
            if kind in self._CONTENTS:
                said += self._content(role, kind, block, where)
                continue
            item = self._item(role, kind, block, where)
            if item is not None:
                if kind == "tool_result":  # results first, right after their calls
                    self.items.append(item)
                else:
                    self.say(role, said)
                    said = []
                    self.items.append(item)
        self.say(role, said)

    def say(self, role: str, parts: list[Item]) -> None:
        if parts:
            self.items.append({"type": "message", "role": role, "content": parts})

    def parts(self, where: str, content: Any, loc: str) -> list[Item]:
        """The parts of a content inside something else: a system prompt, a tool result, a document."""
        if isinstance(content, str):
            return [{"type": "input_text", "text": content}] if content else []
        parts: list[Item] = []
        for index, value in enumerate(required_list(content, loc)):
            block = required_object(value, f"{loc}[{index}]")
            kind = required_text(block.get("type"), f"{loc}[{index}].type")
            if kind not in _INSIDE[where]:
                raise _refusal(f"{loc}[{index}]")
            parts += self._content("user", kind, block, f"{loc}[{index}]")
        return parts

    def _content(self, role: str, kind: str, block: Block, loc: str) -> list[Item]:
        if role == "assistant" and kind != "text":
            raise _refusal(loc)
        if block.get("cache_control") is not None:
            self._context.drop(f"{loc}.cache_control")
        parts = self._CONTENTS[kind](self, block, loc)
        return [{**part, "type": "output_text"} for part in parts] if role == "assistant" else parts

    def _item(self, role: str, kind: str, block: Block, loc: str) -> Item | None:
        if kind == "tool_use" and role == "assistant":
            return _call(block, loc)
        if kind == "tool_result" and role == "user":
            return self._result(block, loc)
        if kind in ("thinking", "redacted_thinking") and role == "assistant":
            item = reasoning_item(block)
            if item is None:
                self._context.drop(loc)  # Claude's: refused by everybody else
            return item
        if kind in ("server_tool_use", "mcp_tool_use") or kind.endswith("_tool_result"):
            self._context.drop(loc)  # what it found is in the text that followed
            return None
        raise _refusal(loc)

    def _result(self, block: Block, loc: str) -> Item:
        if block.get("cache_control") is not None:
            self._context.drop(f"{loc}.cache_control")
        call_id = required_text(block.get("tool_use_id"), f"{loc}.tool_use_id")
        content = block.get("content")
        parts = [] if content is None else self.parts("tool", content, f"{loc}.content")
        output: Any = parts
        if all(part["type"] == "input_text" for part in parts):
            output = "\n".join(part["text"] for part in parts)
        if block.get("is_error") is True:
            output = _as_error(output)
        return {"type": "function_call_output", "call_id": call_id, "output": output}

    def _text(self, block: Block, loc: str) -> list[Item]:
        text = required_text(block.get("text"), f"{loc}.text")
        return [{"type": "input_text", "text": text}] if text else []

    def _image(self, block: Block, loc: str) -> list[Item]:
        return [{"type": "input_image", "image_url": image_url(block, loc), "detail": "auto"}]

    def _document(self, block: Block, loc: str) -> list[Item]:
        for name in ("context", "citations"):
            if block.get(name) is not None:
                self._context.drop(f"{loc}.{name}")
        source = required_object(block.get("source"), f"{loc}.source")
        kind = source.get("type")
        title = optional_text(block.get("title"), f"{loc}.title")
        if kind == "base64":
            media_type = optional_text(source.get("media_type"), f"{loc}.source.media_type") or "application/pdf"
            data = required_text(source.get("data"), f"{loc}.source.data")
            data_url = f"data:{media_type};base64,{data}"
            return [{"type": "input_file", "filename": title or "document.pdf", "file_data": data_url}]
        if kind == "url":
            return [{"type": "input_file", "file_url": required_text(source.get("url"), f"{loc}.source.url")}]
        if kind == "text":
            data = required_text(source.get("data"), f"{loc}.source.data")
            return [{"type": "input_text", "text": f"{title}\n{data}" if title else data}]
        if kind == "content":
            return self.parts("document", source.get("content"), f"{loc}.source.content")
        raise Untranslatable(
            f"{loc}.source: an uploaded file cannot be sent to another provider than the one it was uploaded to",
            param=f"{loc}.source.type",
            remedy="Send the document as base64 data or as a URL.",
        )

    def _search_result(self, block: Block, _: str) -> list[Item]:
        head = [text_or_empty(block.get(name)) for name in ("title", "source")]
        texts = [text_or_empty(part.get("text")) for part in objects_in(block.get("content"))]
        text = "\n".join(line for line in (*head, *texts) if line)
        return [{"type": "input_text", "text": text}] if text else []

    _CONTENTS: ClassVar[dict[str, Callable[..., Any]]] = {
        "text": _text,
        "image": _image,
        "document": _document,
        "search_result": _search_result,
    }


def _call(block: Block, loc: str) -> Item:
    call_id = required_text(block.get("id"), f"{loc}.id")
    name = required_text(block.get("name"), f"{loc}.name")
    arguments = compact_json(optional_object(block.get("input"), f"{loc}.input"), f"{loc}.input")
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _as_error(output: Any) -> Any:
    """A failed result tells so in its text, for want of a flag."""
    if isinstance(output, list):
        return [{"type": "input_text", "text": "Error:"}, *output]
    if output.lower().startswith("error"):
        return output
    return f"Error: {output}" if output else "Error"


def _text_type(role: str) -> str:
    return "output_text" if role == "assistant" else "input_text"


def _refusal(loc: str) -> Untranslatable:
    return Untranslatable(
        f"{loc}: a content block of this type cannot be sent to this provider here", param=f"{loc}.type"
    )
