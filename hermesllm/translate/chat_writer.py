"""Writes Chat Completions streams: one role chunk, deltas, one finish chunk, the usage if asked for, `[DONE]`.

Hot path: the common deltas are byte templates around the JSON of their text.
"""

import time
from copy import copy
from typing import Any

import orjson

from hermesllm.error_bodies import error_event
from hermesllm.errors import ErrorReport
from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.translate.custom_tools import custom_input
from hermesllm.translate.event_stream import encode
from hermesllm.usage import Usage

_DELTA_END = b'},"finish_reason":null}]}\n\n'
_DONE = b"data: [DONE]\n\n"

dumps = orjson.dumps


class ChatWriter:
    """One stream of `chat.completion.chunk`s with a single choice, or with several that `choice` gives writers of.

    `include_usage` adds the usage chunk. `legacy_functions` writes a tool call as the `function_call` that clients of
    the old `functions` member read. `custom` names the tools whose calls are custom calls, written when they are whole:
    of their input no part is known before the JSON around it is.
    """

    def __init__(
        self,
        model: str,
        *,
        include_usage: bool,
        legacy_functions: bool = False,
        custom: frozenset[str] = frozenset(),
    ) -> None:
        self.model = model
        self.started = False
        self._include_usage = include_usage
        self._legacy_functions = legacy_functions
        self._custom = custom
        self._inputs: dict[int, list[str]] = {}  # of custom calls that are not written yet, by their index
        self._id = f"chatcmpl-{random_hex()}"
        self._created = int(time.time())
        self._index = 0
        self._out: list[bytes] = []
        self._head = self._choice = self._content = self._reasoning = b""

    def take(self) -> bytes:
        written = b"".join(self._out)
        self._out.clear()
        return written

    def start(self, message_id: str | None = None, model: str | None = None) -> None:
        """Opens the stream. All chunks share id, time and model, so these are settled here."""
        if not self.started:
            self.choice(0, message_id, model)

    def choice(self, index: int, message_id: str | None = None, model: str | None = None) -> "ChatWriter":
        """Begins a choice, once, and gives its writer. All of them write the same stream."""
        if not self._head:
            self._id = message_id or self._id
            self.model = model or self.model
            self._head = b'data: {"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,' % (
                dumps(self._id),
                self._created,
                dumps(self.model),
            )
        writer = self if index == 0 else copy(self)
        writer.begin(index)
        return writer

    def begin(self, index: int) -> None:
        """Begins the choice that this writer writes."""
        self.started = True
        self._index = index
        self._inputs = {}
        self._choice = self._head + b'"choices":[{"index":%d,"delta":{' % index
        self._content = self._choice + b'"content":'
        self._reasoning = self._choice + b'"reasoning_content":'
        self._out.append(self._choice + b'"role":"assistant","content":""' + _DELTA_END)

    def text(self, text: str) -> None:
        self._out.append(self._content + dumps(text) + _DELTA_END)

    def scored_text(self, text: str, logprobs: list[dict[str, Any]]) -> None:
        """Text with the log probabilities of its tokens."""
        choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": logprobs, "refusal": None}}
        self._out.append(self._head + b'"choices":[%s]}\n\n' % encode({**choice, "finish_reason": None}))

    def reasoning(self, text: str) -> None:
        self._out.append(self._reasoning + dumps(text) + _DELTA_END)

    def tool_call(self, index: int, call_id: str, name: str, **extra: Any) -> None:
        """The start of a call; `extra` are members beyond the official ones."""
        if name in self._custom:
            self._inputs[index] = []
            call = {"index": index, "id": call_id, "type": "custom", "custom": {"name": name, "input": ""}, **extra}
            self.delta({"tool_calls": [call]})
            return
        function = {"name": name, "arguments": ""}
        if self._legacy_functions:
            self.delta({"function_call": function})
        else:
            call = {"index": index, "id": call_id, "type": "function", "function": function, **extra}
            self.delta({"tool_calls": [call]})

    def arguments(self, index: int, part: str) -> None:
        if index in self._inputs:
            self._inputs[index].append(part)
            return
        if self._legacy_functions:
            self._out.append(self._choice + b'"function_call":{"arguments":%s}' % dumps(part) + _DELTA_END)
            return
        call = b'"tool_calls":[{"index":%d,"function":{"arguments":%s}}]' % (index, dumps(part))
        self._out.append(self._choice + call + _DELTA_END)

    def delta(self, delta: dict[str, Any]) -> None:
        self._out.append(self._choice + encode(delta)[1:-1] + _DELTA_END)

    def finish(self, reason: str, usage: Usage, service_tier: str = "", **extra: Any) -> None:
        """The finish chunk and the end of the stream; `extra` are further members of the finish chunk's choice."""
        self.start()
        self.tell_tier(service_tier)
        self.end_choice(reason, **extra)
        self.end(usage)

    def logprobs(self, logprobs: dict[str, Any]) -> None:
        choice = {"index": self._index, "delta": {}, "logprobs": logprobs, "finish_reason": None}
        self._out.append(self._head + b'"choices":[%s]}\n\n' % dumps(choice))

    def tell_tier(self, service_tier: str) -> None:
        """The service tier, where it is known, told in the chunks that end the stream."""
        if service_tier:
            self._head += b'"service_tier":%s,' % dumps(service_tier)

    def end_choice(self, reason: str, **extra: Any) -> None:
        for position, parts in self._inputs.items():
            self.delta({"tool_calls": [{"index": position, "custom": {"input": custom_input("".join(parts))}}]})
        if self._legacy_functions and reason == "tool_calls":
            reason = "function_call"
        choice = {"index": self._index, "delta": {}, "finish_reason": reason, **extra}
        self._out.append(self._head + b'"choices":[%s]}\n\n' % dumps(choice))

    def end(self, usage: Usage) -> None:
        """The end of the stream, after every choice has ended."""
        if self._include_usage:
            self._out.append(self._head + b'"choices":[],"usage":%s}\n\n' % dumps(usage.to_chat()))
        self._out.append(_DONE)

    def fail(self, report: ErrorReport) -> None:
        self._out.append(error_event(Format.CHAT, report))
