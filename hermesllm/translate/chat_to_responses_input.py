"""The conversation of the cell "Chat Completions client, Responses provider": messages to input items."""

from collections.abc import Callable
from typing import Any, ClassVar

from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    compact_json,
    invalid,
    optional_list,
    optional_text,
    required_messages,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.base import Context
from hermesllm.translate.chat_message import signed_thinking
from hermesllm.translate.sealed_reasoning import reasoning_item

Item = dict[str, Any]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_KNOWN = {
    "user": {"role", "content"},
    "system": {"role", "content"},
    "assistant": {"role", "content", "refusal", "tool_calls", "function_call", "thinking_blocks"},
    "tool": {"role", "content", "name", "tool_call_id", "is_error"},
}
# What an SDK's response message holds when it is sent back as history; it has no say in the next answer.
_OF_RESPONSES = frozenset({"annotations", "citations", "audio", "parsed", "reasoning_content", "reasoning"})


def read_messages(body: dict[str, Any], context: Context) -> tuple[str, list[Item]]:
    """Instructions and input items of a Chat request. Raises InvalidRequest or Untranslatable."""
    reader = _Reader(context)
    for index, value in enumerate(required_messages(body)):
        loc = f"messages[{index}]"
        reader.read(required_object(value, loc), loc)
    if not reader.items and not reader.instructions:
        raise invalid("messages", "expected at least one message with content")
    return "\n\n".join(reader.instructions), reader.items


class _Reader:
    def __init__(self, context: Context) -> None:
        self.instructions: list[str] = []
        self.items: list[Item] = []
        self._context = context
        self._custom: set[str] = set()  # ids of calls of custom tools
        self._function_ids: dict[str, str] = {}  # ids made up for calls of the old `function_call` kind

    def read(self, message: dict[str, Any], loc: str) -> None:
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise invalid(f"{loc}.role", f"expected one of {', '.join(_ROLES)}")
        known = _KNOWN.get({"developer": "system", "function": "tool"}.get(role, role), set())
        for name, value in message.items():
            if value is not None and value != [] and name not in known and name not in _OF_RESPONSES:
                self._context.drop(f"{loc}.{name}")
        self._READERS[role](self, message, loc)

    def _system(self, message: dict[str, Any], loc: str) -> None:
        parts = self._content(message.get("content"), f"{loc}.content", "system")
        texts = [part["text"] for part in parts]
        if not texts:
            return
        if self.items:  # in the middle of the conversation: it keeps its place
            self.items.append({"type": "message", "role": "developer", "content": parts})
        else:
            self.instructions.append("\n".join(texts))

    def _user(self, message: dict[str, Any], loc: str) -> None:
        parts = self._content(message.get("content"), f"{loc}.content", "user")
        if parts:
            self.items.append({"type": "message", "role": "user", "content": parts})

    def _assistant(self, message: dict[str, Any], loc: str) -> None:
        for position, block in enumerate(signed_thinking(message)):
            item = reasoning_item(block)
            if item is None:
                self._context.drop(f"{loc}.thinking_blocks[{position}]")  # Claude's: refused by everybody else
            else:
                self.items.append(item)
        parts = self._content(message.get("content"), f"{loc}.content", "assistant")
        refusal = optional_text(message.get("refusal"), f"{loc}.refusal")
        if refusal:
            parts.append({"type": "refusal", "refusal": refusal})
        if parts:
            self.items.append({"type": "message", "role": "assistant", "content": parts})
        for index, call in enumerate(optional_list(message.get("tool_calls"), f"{loc}.tool_calls")):
            where = f"{loc}.tool_calls[{index}]"
            self.items.append(self._call(required_object(call, where), where))
        if message.get("function_call") is not None:
            function = required_object(message["function_call"], f"{loc}.function_call")
            name = required_text(function.get("name"), f"{loc}.function_call.name")
            self._function_ids[name] = f"call_{len(self.items)}_{name}"
            call = {"id": self._function_ids[name], "function": function}
            self.items.append(self._call(call, f"{loc}.function_call"))

    def _call(self, call: dict[str, Any], loc: str) -> Item:
        call_id = required_text(call.get("id"), f"{loc}.id")
        if call.get("type") == "custom":
            custom = required_object(call.get("custom"), f"{loc}.custom")
            self._custom.add(call_id)
            return {
                "type": "custom_tool_call",
                "call_id": call_id,
                "name": required_text(custom.get("name"), f"{loc}.custom.name"),
                "input": optional_text(custom.get("input"), f"{loc}.custom.input"),
            }
        function = required_object(call.get("function"), f"{loc}.function")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = compact_json(arguments, f"{loc}.function.arguments")
        return {
            "type": "function_call",
            "call_id": call_id,
            "name": required_text(function.get("name"), f"{loc}.function.name"),
            "arguments": optional_text(arguments, f"{loc}.function.arguments"),
        }

    def _tool(self, message: dict[str, Any], loc: str) -> None:
        call_id = message.get("tool_call_id")
        if not isinstance(call_id, str) or not call_id:
            raise invalid(f"{loc}.tool_call_id", "a tool message must name the call it answers")
        self._result(call_id, message, loc)

    def _function(self, message: dict[str, Any], loc: str) -> None:
        name = required_text(message.get("name"), f"{loc}.name")
        self._result(self._function_ids.get(name, f"call_{name}"), message, loc)

    def _result(self, call_id: str, message: dict[str, Any], loc: str) -> None:
        kind = "custom_tool_call_output" if call_id in self._custom else "function_call_output"
        content = message.get("content")
        output: Any = content
        if not isinstance(content, str):
            parts = self._content(content, f"{loc}.content", "user")
            plain = all(part["type"] == "input_text" for part in parts)
            output = "\n".join(part["text"] for part in parts) if plain else parts
        self.items.append({"type": kind, "call_id": call_id, "output": output})

    def _content(self, content: Any, loc: str, role: str) -> list[Item]:
        if content is None:
            return []
        kind = "output_text" if role == "assistant" else "input_text"
        if isinstance(content, str):
            return [{"type": kind, "text": content}] if content else []
        if not isinstance(content, list):
            raise invalid(loc, "expected a string or a list of parts")
        parts = []
        for index, value in enumerate(content):
            where = f"{loc}[{index}]"
            part = self._part(required_object(value, where), where, role, kind)
            if part is not None:
                parts.append(part)
        return parts

    def _part(self, part: dict[str, Any], loc: str, role: str, text_kind: str) -> Item | None:
        kind = required_text(part.get("type"), f"{loc}.type")
        for name in ("cache_control",):
            if part.get(name) is not None:
                self._context.drop(f"{loc}.{name}")
        if kind in ("text", "input_text", "output_text"):
            text = required_text(part.get("text"), f"{loc}.text")
            return {"type": text_kind, "text": text} if text else None
        if kind == "refusal" and role == "assistant":
            return {"type": "refusal", "refusal": required_text(part.get("refusal"), f"{loc}.refusal")}
        if role == "user":
            if kind == "image_url":
                return image_item(part.get("image_url"), f"{loc}.image_url")
            if kind == "file":
                return _file(required_object(part.get("file"), f"{loc}.file"), f"{loc}.file")
        raise Untranslatable(
            f"{loc}: this type of content part cannot be sent to a Responses provider here",
            param=f"{loc}.type",
            remedy="Use text, and in user messages image_url or file parts.",
        )

    _READERS: ClassVar[dict[str, Callable[..., Any]]] = {
        "system": _system,
        "developer": _system,
        "user": _user,
        "assistant": _assistant,
        "tool": _tool,
        "function": _function,
    }


def image_item(value: Any, loc: str) -> Item:
    image = {"url": value} if isinstance(value, str) else required_object(value, loc)
    url = required_text(image.get("url"), f"{loc}.url")
    return {"type": "input_image", "image_url": url, "detail": text_or_empty(image.get("detail")) or "auto"}


def _file(file: dict[str, Any], loc: str) -> Item:
    item: Item = {"type": "input_file"}
    for name in ("file_id", "filename", "file_data"):
        if file.get(name) is not None:
            item[name] = required_text(file[name], f"{loc}.{name}")
    if "file_id" not in item and "file_data" not in item:
        raise invalid(loc, "expected file_data or file_id")
    return item
