"""JSON answers of the cell "Chat Completions client, Responses provider"."""

import time
from typing import Any

from hermesllm.error_bodies import no_answer
from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.reading import count_or_none, object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_responses_request import ChatAsked
from hermesllm.translate.responses_object import output_logprobs
from hermesllm.translate.responses_reader import incomplete_reason, response_failure
from hermesllm.translate.sealed_reasoning import reasoning_text, sealed_reasoning
from hermesllm.translate.stop_reasons import RESPONSES_TO_CHAT
from hermesllm.usage import Usage


def output_of(body: dict[str, Any]) -> list[Any]:
    """The output of a response that gave an answer. Raises InvalidUpstreamResponse for one that did not."""
    report = response_failure(body)
    if report is not None:
        raise InvalidUpstreamResponse(report.message, status=report.status, code=report.code, param=report.param)
    output = body.get("output")
    if not isinstance(output, list):
        raise no_answer(Format.RESPONSES, body)
    return output


def to_chat_completion(body: Any, asked: ChatAsked, context: Context) -> dict[str, Any]:
    """The Chat completion of a Responses object. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    message = _Message()
    for item in objects_in(output_of(body)):
        message.add(item)
    reason = RESPONSES_TO_CHAT.get(incomplete_reason(body)) or ("tool_calls" if message.calls else "stop")
    if asked.legacy_functions and reason == "tool_calls":
        reason = "function_call"
    created = count_or_none(body.get("created_at"))
    response: dict[str, Any] = {
        "id": text_or_empty(body.get("id")) or f"chatcmpl-{random_hex()}",
        "object": "chat.completion",
        "created": int(time.time()) if created is None else created,
        "model": text_or_empty(body.get("model")) or context.model,
        "choices": [
            {
                "index": 0,
                "message": message.render(legacy_functions=asked.legacy_functions),
                "logprobs": {"content": message.logprobs, "refusal": None} if message.logprobs else None,
                "finish_reason": reason,
            }
        ],
        "usage": Usage.from_responses(object_or_empty(body.get("usage"))).to_chat(),
    }
    if isinstance(body.get("service_tier"), str):
        response["service_tier"] = body["service_tier"]
    return response


class _Message:
    """A Chat message made of output items. Items of tools that the provider ran are no calls for the client."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.logprobs: list[dict[str, Any]] = []
        self._text = ""
        self._refusal = ""
        self._annotations: list[dict[str, Any]] = []
        self._reasoning: list[str] = []
        self._thinking_blocks: list[dict[str, Any]] = []

    def add(self, item: dict[str, Any]) -> None:
        kind = item.get("type")
        if kind == "message":
            for part in objects_in(item.get("content")):
                self._part(part)
        elif kind in ("function_call", "custom_tool_call"):
            self.calls.append(_call(item))
        elif kind == "reasoning":
            text = reasoning_text(item)
            if text:
                self._reasoning.append(text)
            signature = sealed_reasoning(item)
            if signature:
                self._thinking_blocks.append({"type": "thinking", "thinking": text, "signature": signature})

    def render(self, *, legacy_functions: bool) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self._text if self._text or not (self.calls or self._refusal) else None,
            "refusal": self._refusal or None,
        }
        if self._annotations:
            message["annotations"] = self._annotations
        if self._reasoning:
            message["reasoning_content"] = "\n\n".join(self._reasoning)
        if self._thinking_blocks:
            message["thinking_blocks"] = self._thinking_blocks
        if self.calls and legacy_functions:
            message["function_call"] = self.calls[0].get("function")
        elif self.calls:
            message["tool_calls"] = self.calls
        return message

    def _part(self, part: dict[str, Any]) -> None:
        if part.get("type") == "refusal":
            self._refusal += text_or_empty(part.get("refusal"))
            return
        start = len(self._text)
        self._text += text_or_empty(part.get("text"))
        self._annotations += [
            found for each in objects_in(part.get("annotations")) if (found := chat_annotation(each, start))
        ]
        self.logprobs += output_logprobs({"content": part.get("logprobs")})


def _call(item: dict[str, Any]) -> dict[str, Any]:
    call_id, name = text_or_empty(item.get("call_id")), text_or_empty(item.get("name"))
    if item.get("type") == "custom_tool_call":
        custom = {"name": name, "input": text_or_empty(item.get("input"))}
        return {"id": call_id, "type": "custom", "custom": custom}
    function = {"name": name, "arguments": text_or_empty(item.get("arguments"))}
    return {"id": call_id, "type": "function", "function": function}


def chat_annotation(annotation: dict[str, Any], start: int) -> dict[str, Any] | None:
    """A Chat `url_citation`, its text beginning at character `start`; None for annotations of files."""
    url = text_or_empty(annotation.get("url"))
    if annotation.get("type") != "url_citation" or not url:
        return None
    places = {
        name: start + place for name in ("start_index", "end_index") if isinstance(place := annotation.get(name), int)
    }
    return {
        "type": "url_citation",
        "url_citation": {"url": url, "title": text_or_empty(annotation.get("title")), **places},
    }
