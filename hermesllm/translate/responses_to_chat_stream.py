"""Streams of the cell "Responses client, Chat Completions provider": chunks in, Responses events out."""

from typing import Any

import orjson

from hermesllm.formats import Format
from hermesllm.reading import count_or_none, object_or_empty, objects_in, text_or_empty
from hermesllm.sse import Event
from hermesllm.translate.base import Context
from hermesllm.translate.chat_message import reasoning_of, signed_thinking, split_content
from hermesllm.translate.event_stream import EventStream
from hermesllm.translate.responses_object import Asked, file_annotations, output_logprobs, url_annotations
from hermesllm.translate.responses_to_chat_input import signature_of_item
from hermesllm.translate.responses_to_chat_response import arguments_text
from hermesllm.translate.responses_writer import Call, ResponsesWriter
from hermesllm.translate.sealed_reasoning import sealed_thinking
from hermesllm.translate.stop_reasons import CHAT_TO_RESPONSES
from hermesllm.usage import Usage

_PLAIN = frozenset({"role", "content", "reasoning", "reasoning_content"})


class ResponsesToChatStream(EventStream):
    def __init__(self, context: Context, asked: Asked) -> None:
        self._writer = ResponsesWriter(context.model, asked)
        super().__init__(Format.CHAT, context, self._writer)
        self._finish: str | None = None
        self._tier = ""
        self._calls: dict[Any, Call] = {}
        self._unnamed: dict[Any, dict[str, Any]] = {}  # calls whose name has not come yet
        self._thought = False  # reasoning was written since the last signed block

    @property
    def final(self) -> dict[str, Any]:
        """The response object, complete at the end of the stream."""
        return self._writer.response

    def _event(self, event: Event) -> None:
        data = event.data
        if data == b"[DONE]":
            self._close()
            return
        if not data:
            return
        chunk = self._json(data)
        # Hot path: nothing but more text for the text that is open.
        if self._writer.open == "text":
            try:
                choice = chunk["choices"][0]
                delta = choice["delta"]
                text = delta["content"]
                plain = len(delta) == 1 and choice["finish_reason"] is None and type(text) is str
                if plain and text and not chunk.get("usage") and "error" not in chunk and not choice.get("logprobs"):
                    self._writer.text(text)
                    return
            except (KeyError, IndexError, TypeError):
                pass
        self._chunk(chunk, is_error=event.name == b"error" or bool(chunk.get("error")))

    def _chunk(self, chunk: dict[str, Any], is_error: bool) -> None:
        if is_error:
            self.provider_error(chunk)
            return
        choice = next(objects_in(chunk.get("choices")), None)
        usage = chunk.get("usage") or (choice or {}).get("usage")  # Moonshot puts it into the choice
        if isinstance(usage, dict):
            self.usage = Usage.from_chat(usage)
        self._tier = text_or_empty(chunk.get("service_tier")) or self._tier
        if choice is not None:
            self._choice(chunk, choice)
        if self._finish is not None and isinstance(usage, dict):
            self._close()

    def _choice(self, chunk: dict[str, Any], choice: dict[str, Any]) -> None:
        if not self._writer.started:
            created = count_or_none(chunk.get("created"))
            self._writer.start(text_or_empty(chunk.get("id")), text_or_empty(chunk.get("model")), created)
        delta = object_or_empty(choice.get("delta"))
        thinking, text = split_content(delta.get("content"))
        thinking = reasoning_of(delta) + thinking
        if thinking:
            self._thought = True
            self._writer.reasoning(thinking)
        logprobs = output_logprobs(choice.get("logprobs"))
        if text and logprobs:
            self._writer.scored_text(text, logprobs)
        elif text:
            self._writer.text(text)
        if not delta.keys() <= _PLAIN:
            self._rarer_members(delta)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason and self._finish is None:
            self._finish = reason

    def _rarer_members(self, delta: dict[str, Any]) -> None:
        if "thinking_blocks" in delta or "reasoning_details" in delta:
            for block in signed_thinking(delta):
                self._sign(block)
        refusal = text_or_empty(delta.get("refusal"))
        if refusal:
            self._writer.refusal(refusal)
        for annotation in url_annotations(delta.get("annotations")) + file_annotations(delta.get("citations")):
            self._writer.annotation(annotation)
        for position, call in enumerate(objects_in(delta.get("tool_calls"))):
            index = call.get("index")
            self._tool_call(call, index if isinstance(index, int) else position)
        signature = signature_of_item(delta)
        if signature:
            self._writer.sign_message(signature)
        if isinstance(delta.get("function_call"), dict):
            self._tool_call({"function": delta["function_call"]}, 0)

    def _sign(self, block: dict[str, Any]) -> None:
        """A signature comes with, or after, the text of the thinking it belongs to."""
        text = text_or_empty(block.get("thinking"))
        if text and not self._thought:
            self._writer.reasoning(text)
        elif block["type"] == "redacted_thinking":
            self._writer.end_item()  # it is an item of its own
        self._writer.seal_reasoning(sealed_thinking(block))
        self._thought = False

    def _tool_call(self, entry: dict[str, Any], key: Any) -> None:
        call_id = text_or_empty(entry.get("id"))
        function = object_or_empty(entry.get("function"))
        part = arguments_text(function.get("arguments"))
        call = self._calls.get(key)
        if call is not None and call_id and call_id != call.item["call_id"]:
            # Some servers use one index for all calls: a new id is a new call, a known id the call it names.
            call = next((other for other in self._calls.values() if other.item["call_id"] == call_id), None)
        if call is None:
            held = self._unnamed.setdefault(key, {"id": "", "name": "", "arguments": "", "signature": None})
            held["id"] = held["id"] or call_id
            held["name"] = held["name"] or text_or_empty(function.get("name"))
            held["arguments"] += part
            held["signature"] = held["signature"] or signature_of_item(entry)
            if not held["name"]:
                return
            call, part = self._start_call(key), held["arguments"]
        elsewhere = call is not self._calls.get(key)
        if part and not (elsewhere and _is_complete(call)):  # a whole call repeated under another index
            self._writer.arguments(call, part)

    def _start_call(self, key: Any) -> Call:
        held = self._unnamed.pop(key)
        extra = {"extra_content": held["signature"]} if held["signature"] else {}
        call = self._writer.call(held["id"], held["name"], **extra)
        earlier = self._calls.get(key)
        if earlier is not None:
            self._calls[earlier.item["call_id"]] = earlier
        self._calls[key] = call
        return call

    def _close(self) -> None:
        self._closed = True
        for key, held in list(self._unnamed.items()):
            if held["arguments"]:
                self._writer.arguments(self._start_call(key), held["arguments"])
        incomplete = CHAT_TO_RESPONSES.get(self._finish or "stop")
        self._writer.finish(incomplete, self.usage or Usage(), self._tier)

    def _end(self) -> None:
        if self._finish is not None:
            self._close()
        else:
            self._cut()


def _is_complete(call: Call) -> bool:
    try:
        orjson.loads("".join(call.arguments))
    except orjson.JSONDecodeError:
        return False
    return True
