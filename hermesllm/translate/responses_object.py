"""The objects of the Responses API as the gateway writes them: the response with the request's echo, and its items.

Follows OpenAI's reference of the response object; every member its SDK requires is present.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.custom_tools import custom_input
from hermesllm.translate.sealed_reasoning import sealed_thinking
from hermesllm.usage import Usage

# Members of the request that the response repeats, with what stands for those that were not sent.
_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "store": False,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_ECHOED_IF_SENT = ("prompt_cache_key", "safety_identifier", "service_tier", "modalities", "audio")
_ECHOABLE = frozenset({*_ECHOED, *_ECHOED_IF_SENT})
_BASE_PREFIXES = ("resp_", "chatcmpl-", "msg_")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answer has to heed of a Responses request.

    `custom` are the tools that were declared as custom tools and sent as functions, `namespaces` tells which namespace
    a tool came from, `echo` the members that the response object repeats, `locs` the path of the input item that each
    message of the Chat request began with.
    """

    custom: frozenset[str] = frozenset()
    namespaces: Mapping[str, str] = field(default_factory=dict)
    echo: Mapping[str, Any] = field(default_factory=lambda: _PLAIN_ECHO)
    locs: tuple[str, ...] = ()


def echo_of(body: dict[str, Any]) -> dict[str, Any]:
    """The members of the response object that come from the request."""
    echo = _ECHOED | {name: value for name, value in body.items() if value is not None and name in _ECHOABLE}
    echo["reasoning"] = {"effort": None, "summary": None, **object_or_empty(body.get("reasoning"))}
    echo["text"] = {"format": {"type": "text"}, **object_or_empty(body.get("text"))}
    return echo


_PLAIN_ECHO: Mapping[str, Any] = MappingProxyType(echo_of({}))


class Ids:
    """Ids of the items of one response, made from the provider's id so that both sides' logs can be matched."""

    def __init__(self, upstream_id: str = "") -> None:
        self._base = upstream_id
        for prefix in _BASE_PREFIXES:
            self._base = self._base.removeprefix(prefix)
        self._base = self._base or random_hex()
        self._given: set[str] = set()
        self.response = upstream_id if upstream_id.startswith("resp_") else f"resp_{random_hex()}"

    def of(self, prefix: str, position: int) -> str:
        """An id for the item at `position`; the first of a kind is the bare one."""
        found = f"{prefix}_{self._base}"
        return self._unique(found, position)

    def of_call(self, prefix: str, call_id: str, position: int) -> str:
        return self._unique(f"{prefix}_{call_id}", position) if call_id else self.of(prefix, position)

    def _unique(self, wanted: str, position: int) -> str:
        if wanted in self._given:
            wanted = f"{wanted}_{position}"
        self._given.add(wanted)
        return wanted


def response_object(
    response_id: str, model: str, asked: Asked, *, status: str = "in_progress", created: int | None = None
) -> dict[str, Any]:
    """A response without output; `finished` completes it."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": int(time.time()) if created is None else created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **asked.echo,
    }


def finished(
    response: dict[str, Any], output: list[dict[str, Any]], usage: Usage, incomplete: str | None
) -> dict[str, Any]:
    """The response at its end; `incomplete` is the reason of an answer that is not whole."""
    return {
        **response,
        "status": "incomplete" if incomplete else "completed",
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "output": output,
        "usage": usage.to_responses(),
    }


def text_part(
    text: str, annotations: list[dict[str, Any]] | None = None, logprobs: list[Any] | None = None
) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations or [], "logprobs": logprobs or []}


def message_item(item_id: str, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def summary_item(item_id: str, text: str, encrypted_content: str = "") -> dict[str, Any]:
    item: dict[str, Any] = {"id": item_id, "type": "reasoning", "summary": []}
    if text:
        item["summary"] = [{"type": "summary_text", "text": text}]
    if encrypted_content:
        item["encrypted_content"] = encrypted_content
    return item


def thinking_item(item_id: str, block: dict[str, Any]) -> dict[str, Any]:
    """A Claude thinking block as a reasoning item."""
    return summary_item(item_id, text_or_empty(block.get("thinking")), sealed_thinking(block))


def call_item(
    ids: Ids, position: int, asked: Asked, call_id: str, name: str, arguments: str, status: str = "completed"
) -> dict[str, Any]:
    """A call as the kind of item that the client declared its tool for."""
    call_id = call_id or f"call_{random_hex()[:24]}"
    if name in asked.custom:
        item = {
            "id": ids.of_call("ctc", call_id, position),
            "type": "custom_tool_call",
            "status": status,
            "call_id": call_id,
            "name": name,
            "input": custom_input(arguments),
        }
    else:
        item = {
            "id": ids.of_call("fc", call_id, position),
            "type": "function_call",
            "status": status,
            "call_id": call_id,
            "name": name,
            "arguments": arguments,
        }
    if name in asked.namespaces:
        item["namespace"] = asked.namespaces[name]
    return item


def url_annotation(annotation: dict[str, Any]) -> dict[str, Any] | None:
    """A Chat `url_citation` in the flat shape of Responses; None for other annotations."""
    found = object_or_empty(annotation.get("url_citation"))
    url = text_or_empty(found.get("url"))
    if not url:
        return None
    return {
        "type": "url_citation",
        "start_index": found.get("start_index") if isinstance(found.get("start_index"), int) else 0,
        "end_index": found.get("end_index") if isinstance(found.get("end_index"), int) else 0,
        "url": url,
        "title": text_or_empty(found.get("title")),
    }


def url_annotations(annotations: Any) -> list[dict[str, Any]]:
    return [found for each in objects_in(annotations) if (found := url_annotation(each))]


def file_annotation(citation: dict[str, Any]) -> dict[str, Any]:
    """A Messages citation of a document that the client sent itself.

    Responses knows which file it is, but neither the place in it nor the words: `citation` has all of it.
    """
    index = citation.get("document_index", citation.get("search_result_index"))
    names = ("document_title", "title", "source")
    return {
        "type": "file_citation",
        "file_id": text_or_empty(citation.get("file_id")),
        "filename": next((name for each in names if (name := text_or_empty(citation.get(each)))), ""),
        "index": index if isinstance(index, int) else 0,
        "citation": citation,
    }


def file_annotations(citations: Any) -> list[dict[str, Any]]:
    """The `citations` of a Chat message as this gateway writes them, each with its place in the text."""
    return [
        file_annotation(found) for each in objects_in(citations) if (found := object_or_empty(each.get("citation")))
    ]


def output_logprobs(logprobs: Any) -> list[dict[str, Any]]:
    """Chat's `logprobs` as Responses writes them."""
    return [
        {**_logprob(entry), "top_logprobs": [_logprob(other) for other in objects_in(entry.get("top_logprobs"))]}
        for entry in objects_in(object_or_empty(logprobs).get("content"))
    ]


def _logprob(entry: dict[str, Any]) -> dict[str, Any]:
    logprob, found = entry.get("logprob"), entry.get("bytes")
    return {
        "token": text_or_empty(entry.get("token")),
        "logprob": logprob if isinstance(logprob, int | float) else 0.0,
        "bytes": [byte for byte in found if isinstance(byte, int)] if isinstance(found, list) else [],
    }
