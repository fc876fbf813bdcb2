"""The conversation of the cell "Responses client, Chat Completions provider": input items to messages.

The Messages cell and the hub read it too, with more of it kept: `Target` says what the reader of the messages takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    compact_json,
    invalid,
    object_or_empty,
    optional_text,
    required_list,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.base import Context
from hermesllm.translate.gemini_signatures import signature_in_extra_content
from hermesllm.translate.sealed_reasoning import reasoning_text, thinking_block

Part = dict[str, Any]
Message = dict[str, Any]

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer", "tool": "user"}
_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})


@dataclass(frozen=True, slots=True)
class Target:
    """Who reads the messages.

    `thinking_blocks`: another translator, which knows Claude's thinking and signatures of calls. `in_order`: every item
    becomes a message of its own, so that nothing of the order within a turn is lost. `media_results`: tool results may
    hold images and files. `file_urls`: documents may be URLs, in the words of the Messages API.
    """

    thinking_blocks: bool = False
    in_order: bool = False
    media_results: bool = False
    file_urls: bool = False


def read_input(body: dict[str, Any], context: Context, target: Target) -> tuple[list[Message], list[str]]:
    """The Chat messages of a Responses request, instructions first, and the path of the item each began with.

    Raises InvalidRequest or Untranslatable.
    """
    reader = _Reader(context, target)
    locs: list[str] = []
    instructions = optional_text(body.get("instructions"), "instructions")
    if instructions:
        reader.messages.append({"role": "system", "content": instructions})
        locs.append("instructions")
    for loc, item in _items(body.get("input")):
        reader.read(item, loc)
        locs += [loc] * (len(reader.messages) - len(locs))
    reader.end()
    if not reader.messages:
        raise invalid("input", "expected at least one item with content")
    return reader.messages, locs


def _items(value: Any) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(value, str):
        return [("input", {"role": "user", "content": value})]
    if isinstance(value, dict):
        return [("input", value)]
    items = required_list(value, "input")
    if not items:
        raise invalid("input", "expected at least one item")
    return [(loc := f"input[{index}]", required_object(item, loc)) for index, item in enumerate(items)]


class _Reader:
    def __init__(self, context: Context, target: Target) -> None:
        self.messages: list[Message] = []
        self._context = context
        self._target = target
        self._reasoning: Message = {}  # waits for the assistant message it belongs to
        self._media: list[Part] = []  # of tool results: Chat takes them only from the user, after all results
        self._names: dict[str, str] = {}

    def read(self, item: dict[str, Any], loc: str) -> None:
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item else None
        if not isinstance(kind, str):
            raise invalid(f"{loc}.type", "expected the type of an input item")
        if kind in ("item_reference", "compaction"):
            raise Untranslatable(
                f"{loc}: what this item stands for is known only to the provider that made it",
                param=f"{loc}.type",
                remedy="Send the items of the conversation in full, with store set to false.",
            )
        read = self._READERS.get(kind)
        if read is None:
            self._context.drop(loc)  # a tool that OpenAI ran, or one of its own kind
        else:
            read(self, item, loc)

    def end(self) -> None:
        self._end_results()
        self._reasoning = {}

    def _message(self, item: dict[str, Any], loc: str) -> None:
        role = _ROLES.get(text_or_empty(item.get("role")))
        if role is None:
            raise invalid(f"{loc}.role", "expected 'user', 'assistant', 'system' or 'developer'")
        self._end_results()
        parts, refusal = self._content(item.get("content"), f"{loc}.content", role)
        message: Message = {"role": role, "content": _plain(parts)}
        if refusal:
            message["refusal"] = refusal
        if role == "assistant":
            self._assistant(message | self._signature(item))
        elif parts:
            self._reasoning = {}
            self.messages.append(message)

    def _assistant(self, message: Message) -> None:
        """An assistant's next piece: of a new message, or of the one whose calls still wait for their results."""
        last = self.messages[-1] if self.messages else {}
        if self._target.in_order or last.get("role") != "assistant" or self._reasoning or "tool_calls" not in last:
            self.messages.append({**message, **self._reasoning})
            self._reasoning = {}
            return
        for name in ("content", "refusal"):
            if message.get(name):
                last[name] = _joined(last.get(name), message[name])
        if "extra_content" in message:
            last["extra_content"] = message["extra_content"]

    def _signature(self, item: dict[str, Any]) -> dict[str, Any]:
        """Gemini's signature of a call or of a text, for who takes it back."""
        if not (self._target.thinking_blocks or self._context.provider.call_signature):
            return {}
        extra = signature_of_item(item)
        return {"extra_content": extra} if extra else {}

    def _function_call(self, item: dict[str, Any], loc: str) -> None:
        if not isinstance(item.get("arguments"), str):
            self._context.drop(loc)  # malformed: its result will have no call
            return
        self._call(item, item["arguments"], loc)

    def _custom_call(self, item: dict[str, Any], loc: str) -> None:
        if not isinstance(item.get("input"), str):
            self._context.drop(loc)
            return
        self._call(item, compact_json({"input": item["input"]}, loc), loc)

    def _local_shell_call(self, item: dict[str, Any], loc: str) -> None:
        action = required_object(item.get("action"), f"{loc}.action")
        self._call({"call_id": item.get("call_id"), "name": "local_shell"}, compact_json(action, loc), loc)

    def _local_shell_output(self, item: dict[str, Any], loc: str) -> None:
        self._output({"call_id": item.get("call_id") or item.get("id"), "output": item.get("output")}, loc)

    def _call(self, item: dict[str, Any], arguments: str, loc: str) -> None:
        call_id = required_text(item.get("call_id"), f"{loc}.call_id")
        name = required_text(item.get("name"), f"{loc}.name")
        self._names[call_id] = name
        call: dict[str, Any] = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        call |= self._signature(item)
        self._end_results()
        last = self.messages[-1] if self.messages else {}
        if self._target.in_order or last.get("role") != "assistant" or self._reasoning:
            self.messages.append({"role": "assistant", "content": None, **self._reasoning, "tool_calls": [call]})
            self._reasoning = {}
        else:
            last.setdefault("tool_calls", []).append(call)

    def _output(self, item: dict[str, Any], loc: str) -> None:
        call_id = required_text(item.get("call_id"), f"{loc}.call_id")
        output = item.get("output")
        content: Any
        if isinstance(output, list) and all(isinstance(part, dict) and "type" in part for part in output):
            content = self._result_parts(output, call_id, f"{loc}.output")
        elif output is None or isinstance(output, str):
            content = output or ""
        else:
            content = compact_json(output, f"{loc}.output")
        self._reasoning = {}
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": content})

    def _result_parts(self, output: list[Any], call_id: str, loc: str) -> Any:
        parts, _ = self._content(output, loc, "user")
        if self._target.media_results:
            return _plain(parts) or ""
        media = [part for part in parts if part["type"] != "text"]
        if media:
            name = self._names.get(call_id, call_id)
            self._media.append({"type": "text", "text": f"Files from the result of {name} ({call_id}):"})
            self._media.extend(media)
        return "\n".join(part["text"] for part in parts if part["type"] == "text")

    def _end_results(self) -> None:
        if self._media:
            self.messages.append({"role": "user", "content": self._media})
            self._media = []

    def _reason(self, item: dict[str, Any], loc: str) -> None:
        text = reasoning_text(item)
        block = thinking_block(item)
        provider = self._context.provider
        members = self._reasoning or {}
        if self._target.thinking_blocks and block is not None:
            members = {"thinking_blocks": [*members.get("thinking_blocks", ()), block]}
            if self._target.in_order:
                self.messages.append({"role": "assistant", "content": None, **members})
                return
        elif provider.reasoning_content and text:
            before = members.get("reasoning_content")
            members = {"reasoning_content": f"{before}\n\n{text}" if before else text}
        elif provider.reasoning_details and block is not None and "claude" in self._context.model.lower():
            details = members.get("reasoning_details", [])
            members = {"reasoning_details": [*details, _detail(len(details), block)]}
        elif text or item.get("encrypted_content"):
            self._context.drop(loc)
            return
        self._end_results()
        self._reasoning = members

    def _content(self, content: Any, loc: str, role: str) -> tuple[list[Part], str]:
        """The Chat parts of a content, and what an assistant refused in it."""
        if isinstance(content, str):
            return ([{"type": "text", "text": content}] if content else []), ""
        parts: list[Part] = []
        refusals: list[str] = []
        for index, value in enumerate(required_list(content, loc)):
            where = f"{loc}[{index}]"
            part = required_object(value, where)
            kind = required_text(part.get("type"), f"{where}.type")
            if kind in _TEXTS:
                text = required_text(part.get("text"), f"{where}.text")
                if text:
                    parts.append({"type": "text", "text": text})
            elif kind == "refusal":
                refusals.append(required_text(part.get("refusal"), f"{where}.refusal"))
            else:
                parts.append(self._part(kind, part, where))
        if refusals and role != "assistant":
            parts.append({"type": "text", "text": "\n".join(refusals)})
            refusals = []
        return parts, "\n".join(refusals)

    def _part(self, kind: str, part: Part, loc: str) -> Part:
        if kind in ("input_image", "computer_screenshot"):
            return _image(part, loc)
        if kind in ("input_file", "file"):
            return self._file(part, loc)
        if kind == "input_audio":
            nested = object_or_empty(part.get("input_audio")) or part
            audio = {name: required_text(nested.get(name), f"{loc}.input_audio.{name}") for name in ("data", "format")}
            return {"type": "input_audio", "input_audio": audio}
        raise Untranslatable(
            f"{loc}: a content part of this type has no counterpart at this provider",
            param=f"{loc}.type",
            remedy="Use input_text, input_image or input_file parts.",
        )

    def _file(self, part: Part, loc: str) -> Part:
        name = optional_text(part.get("filename"), f"{loc}.filename")
        data = optional_text(part.get("file_data"), f"{loc}.file_data")
        file_id = optional_text(part.get("file_id"), f"{loc}.file_id")
        if data:
            return {"type": "file", "file": {"filename": name or "document.pdf", "file_data": data}}
        if file_id:
            return {"type": "file", "file": {"file_id": file_id}}
        url = required_text(part.get("file_url"), f"{loc}.file_url")
        if self._target.file_urls:
            return {"type": "document", "source": {"type": "url", "url": url}}
        raise Untranslatable(
            f"{loc}.file_url: this provider does not fetch files from a URL",
            param=f"{loc}.file_url",
            remedy="Send the file's content as file_data.",
        )

    _READERS: ClassVar[dict[str, Callable[..., Any]]] = {
        "message": _message,
        "function_call": _function_call,
        "custom_tool_call": _custom_call,
        "local_shell_call": _local_shell_call,
        "function_call_output": _output,
        "custom_tool_call_output": _output,
        "local_shell_call_output": _local_shell_output,
        "reasoning": _reason,
    }


def signature_of_item(holder: dict[str, Any]) -> dict[str, Any] | None:
    """Gemini's signature of a call or a text: Chat's `extra_content`, kept on the Responses item."""
    if "extra_content" not in holder:
        return None
    signature = signature_in_extra_content(holder)
    return {"google": {"thought_signature": signature}} if signature else None


def _image(part: Part, loc: str) -> Part:
    url = part.get("image_url")
    if url is None and part.get("file_id") is not None:
        raise Untranslatable(
            f"{loc}.file_id: an uploaded image cannot be sent to another provider than the one it was uploaded to",
            param=f"{loc}.file_id",
            remedy="Send the image as a data URL or as a URL.",
        )
    if isinstance(url, dict):  # as Chat writes it
        url = url.get("url")
    image = {"url": required_text(url, f"{loc}.image_url")}
    detail = optional_text(part.get("detail"), f"{loc}.detail")
    if detail:
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}


def _detail(index: int, block: dict[str, Any]) -> dict[str, Any]:
    """A thinking block as OpenRouter takes it back."""
    common = {"format": "anthropic-claude-v1", "index": index}
    if block["type"] == "redacted_thinking":
        return {"type": "reasoning.encrypted", "data": block["data"], **common}
    return {"type": "reasoning.text", "text": block["thinking"], "signature": block["signature"], **common}


def _plain(parts: list[Part]) -> str | list[Part] | None:
    """A single text as a string; None rather than an empty list, which providers refuse."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        text: str = parts[0]["text"]
        return text
    return parts or None


def _joined(before: Any, added: Any) -> Any:
    if not before:
        return added
    if isinstance(before, str) and isinstance(added, str):
        return f"{before}\n{added}"
    return [*_as_parts(before), *_as_parts(added)]


def _as_parts(content: Any) -> list[Part]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
