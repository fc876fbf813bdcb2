"""Conversations for Amazon Bedrock Converse, from Messages blocks: what both clients' requests are built of."""

import hashlib
import re
from collections.abc import Callable
from typing import Any, ClassVar

from hermesllm.bedrock_models import BedrockModel
from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    invalid,
    object_or_empty,
    objects_in,
    optional_object,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.base import Context
from hermesllm.translate.converse_citations import from_citation
from hermesllm.translate.converse_media import MediaReader

Block = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_BLANK = " "  # Converse refuses a turn, or a tool result, without content
_NO_WORDS = "."  # stands in for the text that Converse wants beside a document
_IN_RESULTS = frozenset({"text", "image", "document", "search_result"})
_IN_SYSTEM = frozenset({"text", "guarded_text"})


class ToolNames:
    """Names of tools as Bedrock takes them, and back: a client's may be longer than 64 characters."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def sent(self, name: str) -> str:
        if _NAME.fullmatch(name):
            return name
        sent = _fitting(name, r"[^a-zA-Z0-9_-]")
        self._given[sent] = name
        return sent

    def given(self, sent: str) -> str:
        """The client's name of a tool that the provider names."""
        return self._given.get(sent, sent)


def _fitting(text: str, strange: str) -> str:
    """64 characters of what is allowed; the same text always gives the same, different texts different ones."""
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(strange, '_', text)[:55]}_{mark}"


class ConverseConversation:
    """Messages and system prompt of one Converse request. `calls` are the tools that the history has called."""

    def __init__(self, context: Context, model: BedrockModel, names: ToolNames) -> None:
        self.messages: list[Block] = []
        self.system: list[Block] = []
        self.calls: dict[str, None] = {}
        self._context = context
        self._model = model
        self._names = names
        self._media = MediaReader(context, model)

    def add_system(self, block: Block, loc: str) -> None:
        kind = required_text(block.get("type"), f"{loc}.type")
        if kind not in _IN_SYSTEM:
            raise Untranslatable(f"{loc}: a system prompt for Amazon Bedrock is text only", param=f"{loc}.type")
        self._place(self.system, block, loc)

    def add_system_text(self, text: str) -> None:
        if text:
            self.system.append({"text": text})

    def begin(self, role: str) -> None:
        """The next turn; one of the same role as the last is the same turn for Converse."""
        if not self.messages or self.messages[-1]["role"] != role:
            self.messages.append({"role": role, "content": []})

    def add(self, block: Block, loc: str) -> None:
        """The next block, in the words of the Messages API, of the turn that has begun."""
        self._place(self.messages[-1]["content"], block, loc)

    def end(self) -> None:
        """Puts the turns in the order and shape that Converse accepts."""
        turns, self.messages = self.messages, []
        for turn in turns:
            if turn["content"] or turn["role"] == "user":
                self.begin(turn["role"])
                self.messages[-1]["content"].extend(turn["content"])
        for message in self.messages:
            if message["role"] == "user":
                message["content"] = _user_content(message["content"])

    def mark_cache(self, cache_control: Any, loc: str) -> None:
        """A cache point at the very end, as the Messages API's top-level `cache_control` wants it."""
        if self.messages and self.messages[-1]["content"]:
            self._cache_point(self.messages[-1]["content"], cache_control, loc)

    def cache_point(self, cache_control: Any, loc: str) -> Block | None:
        """The cache point of a `cache_control`; None where the model has none."""
        if not self._model.caches:
            self._context.drop(loc)
            return None
        point: Block = {"type": "default"}
        ttl = object_or_empty(cache_control).get("ttl")
        if ttl == "1h" and self._model.cache_ttl:
            point["ttl"] = ttl
        elif ttl not in (None, "5m"):
            self._context.drop(f"{loc}.ttl")
        return {"cachePoint": point}

    def _place(self, content: list[Block], block: Block, loc: str) -> None:
        kind = required_text(block.get("type"), f"{loc}.type")
        read = self._READERS.get(kind)
        if read is None:
            if kind.endswith("_tool_result") or kind in ("server_tool_use", "mcp_tool_use"):
                self._context.drop(loc)  # what Anthropic itself ran is nothing that Bedrock could take up
                return
            raise Untranslatable(
                f"{loc}: a content block of this type cannot be sent to Amazon Bedrock",
                param=f"{loc}.type",
                remedy="Use text, image, document, tool_use and tool_result blocks.",
            )
        made = read(self, block, loc)
        if made is not None:
            content.append(made)
        cache_control = _cache_control(block)
        if cache_control is not None:
            self._cache_point(content, cache_control, f"{loc}.cache_control")

    def _cache_point(self, content: list[Block], cache_control: Any, loc: str) -> None:
        if content and "cachePoint" in content[-1]:
            return
        if not content:
            self._context.drop(loc)  # there is nothing in front of it to cache
            return
        point = self.cache_point(cache_control, loc)
        if point is not None:
            content.append(point)

    def _text(self, block: Block, loc: str) -> Block | None:
        text = required_text(block.get("text"), f"{loc}.text")
        if text and self._model.claude and block.get("citations"):
            citations = [from_citation(found) for found in objects_in(block["citations"])]
            if citations:
                return {"citationsContent": {"content": [{"text": text}], "citations": citations}}
        return {"text": text} if text else None

    def _guarded_text(self, block: Block, loc: str) -> Block:
        return {"guardContent": {"text": {"text": required_text(block.get("text"), f"{loc}.text")}}}

    def _thinking(self, block: Block, loc: str) -> Block | None:
        signature = text_or_empty(block.get("signature"))
        text = text_or_empty(block.get("thinking"))
        if not self._model.replays_reasoning or not (signature if self._model.claude else text):
            self._context.drop(loc)  # Claude refuses thinking that it has not signed
            return None
        reasoning = {"text": text, "signature": signature} if signature else {"text": text}
        return {"reasoningContent": {"reasoningText": reasoning}}

    def _redacted_thinking(self, block: Block, loc: str) -> Block | None:
        data = required_text(block.get("data"), f"{loc}.data")
        if not data or not self._model.replays_reasoning:
            self._context.drop(loc)
            return None
        return {"reasoningContent": {"redactedContent": data}}

    def _call(self, block: Block, loc: str) -> Block:
        name = self._names.sent(required_text(block.get("name"), f"{loc}.name"))
        self.calls[name] = None
        call_id = _call_id(required_text(block.get("id"), f"{loc}.id"))
        value = optional_object(block.get("input"), f"{loc}.input")
        return {"toolUse": {"toolUseId": call_id, "name": name, "input": value}}

    def _result(self, block: Block, loc: str) -> Block:
        call_id = _call_id(required_text(block.get("tool_use_id"), f"{loc}.tool_use_id"))
        content = block.get("content")
        made: list[Block] = []
        if isinstance(content, str):
            made = [{"text": content}] if content else []
        elif isinstance(content, list):
            for index, value in enumerate(content):
                where = f"{loc}.content[{index}]"
                found = self._result_part(required_object(value, where), where)
                if found is not None:
                    made.append(found)
        elif content is not None:
            raise invalid(f"{loc}.content", "expected a string or a list of content blocks")
        status = "error" if block.get("is_error") is True else "success"
        return {"toolResult": {"toolUseId": call_id, "content": made or [{"text": _BLANK}], "status": status}}

    def _result_part(self, part: Block, loc: str) -> Block | None:
        kind = required_text(part.get("type"), f"{loc}.type")
        if kind not in _IN_RESULTS:
            raise Untranslatable(
                f"{loc}: a tool result for Amazon Bedrock cannot hold a block of this type", param=f"{loc}.type"
            )
        found = self._READERS[kind](self, part, loc)
        return {"text": part["text"]} if found is not None and "citationsContent" in found else found

    def _image(self, block: Block, loc: str) -> Block | None:
        return self._media.image(block, loc)

    def _document(self, block: Block, loc: str) -> Block | None:
        return self._media.document(block, loc)

    def _search_result(self, block: Block, loc: str) -> Block | None:
        return self._media.search_result(block, loc)

    _READERS: ClassVar[dict[str, Callable[..., Block | None]]] = {
        "text": _text,
        "guarded_text": _guarded_text,
        "image": _image,
        "document": _document,
        "search_result": _search_result,
        "tool_use": _call,
        "tool_result": _result,
        "thinking": _thinking,
        "redacted_thinking": _redacted_thinking,
    }


def _cache_control(block: Block) -> Any:
    """The cache mark of a block; one inside a tool result counts for all of it, as Converse marks whole blocks only."""
    own = block.get("cache_control")
    if own is not None or "content" not in block:
        return own
    marks = [mark for part in objects_in(block["content"]) if (mark := part.get("cache_control")) is not None]
    return marks[-1] if marks else None


def _call_id(call_id: str) -> str:
    return call_id if _CALL_ID.fullmatch(call_id) else _fitting(call_id, r"[^a-zA-Z0-9_.:-]")


def _user_content(content: list[Block]) -> list[Block]:
    """Tool results first, each with its cache point; never without content, no document without a text."""
    results: list[Block] = []
    others: list[Block] = []
    target = others
    for block in content:
        if "cachePoint" not in block:
            target = results if "toolResult" in block else others
        target.append(block)
    if any("document" in block for block in others) and not any("text" in block for block in others):
        others.append({"text": _NO_WORDS})
    return results + others or [{"text": _BLANK}]
