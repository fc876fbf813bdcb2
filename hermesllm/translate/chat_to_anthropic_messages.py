"""The conversation of the cell "Chat Completions client, Messages provider": messages and system prompt."""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    invalid,
    object_or_empty,
    optional_list,
    optional_text,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.base import Context
from hermesllm.translate.chat_conversation import messages
from hermesllm.translate.chat_message import signed_thinking

Block = dict[str, Any]

# What an SDK's response message holds when it is sent back as history; it has no say in the next answer.
_OF_RESPONSES = frozenset({"annotations", "citations", "audio", "parsed"})
_OF_PROMPTS = frozenset({"role", "content", "cache_control", *_OF_RESPONSES})
_OF_RESULTS = frozenset({"tool_call_id", "is_error", "name", *_OF_PROMPTS})
_MEMBERS = {
    "system": _OF_PROMPTS,
    "developer": _OF_PROMPTS,
    "user": _OF_PROMPTS,
    "assistant": frozenset(
        {"tool_calls", "function_call", "refusal", "thinking_blocks", "reasoning_details", *_OF_PROMPTS}
    ),
    "tool": _OF_RESULTS,
    "function": _OF_RESULTS,
}
NATIVE_BLOCKS = frozenset({"image", "document", "search_result", "thinking", "redacted_thinking"})
_EXTENSION_TYPES = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/plain", "csv": "text/plain"}


@dataclass(slots=True)
class Conversation:
    """A Messages conversation. `open_call_without_thinking`: its last tool round has lost Claude's thinking.

    `locs` has, for each block of each message, the path in the Chat request of what it comes from: a part of a content
    (`parts` knows these by the identity of their blocks), or else a message.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    locs: list[list[str]] = field(default_factory=list)
    parts: dict[int, str] = field(default_factory=dict)
    system: list[Block] = field(default_factory=list)
    tool_names: dict[str, None] = field(default_factory=dict)
    open_call_without_thinking: bool = False
    keeps_empty_turns: bool = False

    def add_system(self, text: str) -> None:
        if text:
            self.system.append({"type": "text", "text": text})

    def system_prompt(self) -> str | list[Block]:
        """One text, or blocks where there are cache marks to keep."""
        if any(len(block) > 2 for block in self.system):
            return self.system
        return "\n\n".join(block["text"] for block in self.system)

    def add(self, role: str, blocks: list[Block], loc: str) -> None:
        """Appends a turn; a turn of the same role as the last is the same turn for Anthropic."""
        if not blocks and not (self.keeps_empty_turns and role == "user"):
            return  # refused by Anthropic, and nothing is said in it
        locs = [self.parts.get(id(block), loc) for block in blocks]
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"].extend(blocks)
            self.locs[-1].extend(locs)
        else:
            self.messages.append({"role": role, "content": blocks})
            self.locs.append(locs)


def read_conversation(body: dict[str, Any], context: Context) -> Conversation:
    """The Messages conversation of a Chat request. Raises InvalidRequest or Untranslatable."""
    conversation = read_blocks(body, context)
    for message in conversation.messages:
        message["content"] = _settled(message)
    return conversation


def read_blocks(
    body: dict[str, Any],
    context: Context,
    native: frozenset[str] = NATIVE_BLOCKS,
    *,
    keeps_empty_turns: bool = False,
) -> Conversation:
    """The conversation with every message as a list of blocks in the order they were said.

    `native` are the block types that a Chat client may write as they are, `keeps_empty_turns` keeps a user's message
    in which nothing is said. Raises InvalidRequest or Untranslatable.
    """
    reader = _Reader(context, native)
    reader.conversation.keeps_empty_turns = keeps_empty_turns
    for role, message, loc in messages(body, _MEMBERS, context, signed_thinking):
        reader.read(role, message, loc)
    conversation = reader.conversation
    if not conversation.messages:
        raise Untranslatable(
            "messages: this provider needs at least one message that is not a system prompt",
            param="messages",
            remedy="Add a user message.",
        )
    return conversation


def _settled(message: dict[str, Any]) -> str | list[Block]:
    """Tool results first, as Anthropic wants them; a single plain text as a string."""
    blocks: list[Block] = message["content"]
    if len(blocks) == 1 and blocks[0]["type"] == "text" and len(blocks[0]) == 2:
        text: str = blocks[0]["text"]
        return text
    return sorted(blocks, key=lambda block: block["type"] != "tool_result") if message["role"] == "user" else blocks


class _Reader:
    def __init__(self, context: Context, native: frozenset[str]) -> None:
        self.conversation = Conversation()
        self._context = context
        self._native = native
        self._function_ids: dict[str, str] = {}  # ids made up for calls of the old `function_call` kind
        self._thought = False  # since the user spoke last: Claude thinks once for a whole round of tool calls

    def read(self, role: str, message: dict[str, Any], loc: str) -> None:
        self._READERS[role](self, message, loc)

    def _system(self, message: dict[str, Any], loc: str) -> None:
        for position, block in enumerate(self._content(message, loc)):
            if block["type"] != "text":
                raise Untranslatable(
                    f"{loc}.content[{position}]: a system prompt is text only at this provider", param=f"{loc}.content"
                )
            self.conversation.system.append(block)

    def _user(self, message: dict[str, Any], loc: str) -> None:
        self._thought = False
        self.conversation.add("user", self._content(message, loc), loc)

    def _assistant(self, message: dict[str, Any], loc: str) -> None:
        thinking = signed_thinking(message)
        blocks = [*thinking, *self._content(message, loc)]
        refusal = optional_text(message.get("refusal"), f"{loc}.refusal")
        if refusal:
            blocks.append({"type": "text", "text": refusal})
        calls = [
            self._call(required_object(call, f"{loc}.tool_calls[{index}]"), f"{loc}.tool_calls[{index}]")
            for index, call in enumerate(optional_list(message.get("tool_calls"), f"{loc}.tool_calls"))
        ]
        if message.get("function_call") is not None:
            calls.append(self._function_call(message["function_call"], f"{loc}.function_call", loc))
        self._thought = self._thought or bool(thinking)
        self.conversation.open_call_without_thinking = bool(calls) and not self._thought
        self.conversation.add("assistant", blocks + calls, loc)

    def _call(self, call: dict[str, Any], loc: str) -> Block:
        if call.get("type") == "custom":
            custom = required_object(call.get("custom"), f"{loc}.custom")
            return self._tool_use(call, custom.get("name"), {"input": custom.get("input")}, loc)
        function = required_object(call.get("function"), f"{loc}.function")
        return self._tool_use(call, function.get("name"), _input(function.get("arguments")), loc)

    def _tool_use(self, call: dict[str, Any], name: Any, value: dict[str, Any], loc: str) -> Block:
        name = required_text(name, f"{loc}.function.name")
        self.conversation.tool_names[name] = None
        call_id = required_text(call.get("id"), f"{loc}.id")
        return _with_cache_control({"type": "tool_use", "id": _tool_id(call_id), "name": name, "input": value}, call)

    def _function_call(self, value: Any, loc: str, message_loc: str) -> Block:
        function = required_object(value, loc)
        name = required_text(function.get("name"), f"{loc}.name")
        self._function_ids[name] = _tool_id(f"call_{message_loc}_{name}")
        call = {"id": self._function_ids[name]}
        return self._tool_use(call, name, _input(function.get("arguments")), loc)

    def _tool(self, message: dict[str, Any], loc: str) -> None:
        call_id = message.get("tool_call_id")
        if not isinstance(call_id, str) or not call_id:
            raise invalid(f"{loc}.tool_call_id", "a tool message must name the call it answers")
        self._result(_tool_id(call_id), message, loc)

    def _function(self, message: dict[str, Any], loc: str) -> None:
        name = required_text(message.get("name"), f"{loc}.name")
        self._result(self._function_ids.get(name, _tool_id(f"call_{name}")), message, loc)

    def _result(self, call_id: str, message: dict[str, Any], loc: str) -> None:
        content = self._content({"content": message.get("content")}, loc)
        result: Block = {"type": "tool_result", "tool_use_id": call_id}
        if content:
            plain = len(content) == 1 and content[0]["type"] == "text" and len(content[0]) == 2
            result["content"] = content[0]["text"] if plain else content
        if message.get("is_error") is True or _tells_of_error(message.get("content")):
            result["is_error"] = True
        self.conversation.add("user", [_with_cache_control(result, message)], loc)

    def _content(self, message: dict[str, Any], loc: str) -> list[Block]:
        """The blocks of a message's `content`; a cache mark of the message goes to its last block."""
        content = message.get("content")
        if content is None:
            return []
        if isinstance(content, str):
            blocks: list[Block] = [{"type": "text", "text": content}] if content else []
        elif isinstance(content, list):
            blocks = []
            for index, part in enumerate(content):
                where = f"{loc}.content[{index}]"
                block = self._part(required_object(part, where), where)
                if block is not None:
                    blocks.append(block)
                    self.conversation.parts[id(block)] = where
        else:
            raise invalid(f"{loc}.content", "expected a string or a list of parts")
        if blocks and message.get("cache_control") is not None:
            marked = {**blocks[-1], "cache_control": message["cache_control"]}
            self.conversation.parts[id(marked)] = self.conversation.parts.pop(id(blocks[-1]), f"{loc}.content")
            blocks[-1] = marked
        return blocks

    def _part(self, part: dict[str, Any], loc: str) -> Block | None:
        kind = required_text(part.get("type"), f"{loc}.type")
        if kind in ("text", "refusal", "input_text", "output_text"):
            text = required_text(part.get("refusal" if kind == "refusal" else "text"), f"{loc}.text")
            return _with_cache_control({"type": "text", "text": text}, part) if text else None
        if kind == "image_url":
            return _with_cache_control(self._image(part.get("image_url"), f"{loc}.image_url"), part)
        if kind == "file":
            return _with_cache_control(_file(part, f"{loc}.file"), part)
        if kind in self._native:
            return part
        raise Untranslatable(
            f"{loc}: this type of content part cannot be sent to this provider",
            param=f"{loc}.type",
            remedy="Use text, image_url or file parts.",
        )

    def _image(self, value: Any, loc: str) -> Block:
        image = {"url": value} if isinstance(value, str) else required_object(value, loc)
        if image.get("detail") not in (None, "auto"):
            self._context.drop(f"{loc}.detail")
        url = required_text(image.get("url"), f"{loc}.url")
        if url.startswith("data:") and "," in url:
            return _media(*_split_data_url(url, "image/jpeg"))
        kind = "document" if url.partition("?")[0].lower().endswith(".pdf") else "image"
        return {"type": kind, "source": {"type": "url", "url": url}}

    _READERS: ClassVar[dict[str, Callable[..., Any]]] = {
        "system": _system,
        "developer": _system,
        "user": _user,
        "assistant": _assistant,
        "tool": _tool,
        "function": _function,
    }


def _with_cache_control(block: Block, holder: dict[str, Any]) -> Block:
    if holder.get("cache_control") is not None:
        block["cache_control"] = holder["cache_control"]
    return block


def _input(arguments: Any) -> dict[str, Any]:
    """Arguments as an object. What a model once wrote wrongly must not make the whole conversation unusable."""
    if isinstance(arguments, dict):
        return arguments
    text = text_or_empty(arguments)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"_raw": text} if text.strip() else {}
    return value if isinstance(value, dict) else {"_raw": text}


def _tool_id(call_id: str) -> str:
    """Anthropic takes letters, digits, `_` and `-`; Kimi's ids, say `functions.search:0`, have more."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id)


def _tells_of_error(content: Any) -> bool:
    """A JSON result with an `error` member: how Chat tools report failure, for want of a flag."""
    if not isinstance(content, str) or '"error"' not in content or not content.lstrip().startswith("{"):
        return False
    try:
        return bool(object_or_empty(orjson.loads(content)).get("error"))
    except orjson.JSONDecodeError:
        return False


def _split_data_url(url: str, default_type: str) -> tuple[str, str]:
    head, _, data = url.partition(",")
    return head.removeprefix("data:").partition(";")[0] or default_type, data


def _media(media_type: str, data: str) -> Block:
    if media_type.startswith("text/"):
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": _decoded(data)}}
    kind = "image" if media_type.startswith("image/") else "document"
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _decoded(data: str) -> str:
    try:
        return b64decode(data).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return data


def _file(part: dict[str, Any], loc: str) -> Block:
    file = required_object(part.get("file"), loc)
    name = optional_text(file.get("filename"), f"{loc}.filename")
    data = optional_text(file.get("file_data"), f"{loc}.file_data")
    if not data:
        file_id = required_text(file.get("file_id"), f"{loc}.file_id")
        return {"type": "document", "source": {"type": "file", "file_id": file_id}}
    default_type = _EXTENSION_TYPES.get(name.rpartition(".")[2].lower(), "application/pdf")
    block = _media(*_split_data_url(data, default_type)) if data.startswith("data:") else _media(default_type, data)
    if name and block["type"] == "document":
        block["title"] = name
    return block
