"""Writes Chat Completions streams: one role chunk, deltas, one finish chunk, the usage if asked for, `[DONE]`.

Hot path: the common deltas are byte templates around the JSON of their text.
"""

import time
from typing import Any
from uuid import uuid4

import orjson

from hermesllm.error_bodies import error_event
from hermesllm.errors import ErrorReport
from hermesllm.formats import Format
from hermesllm.translate.event_stream import encode
from hermesllm.usage import Usage

_DELTA_END = b'},"finish_reason":null}]}\n\n'
_DONE = b"data: [DONE]\n\n"

dumps = orjson.dumps


class ChatWriter:
    """One stream of `chat.completion.chunk`s with a single choice.

    `include_usage` adds the usage chunk. `legacy_functions` writes a tool call as the `function_call` that clients of
    the old `functions` member read.
    """

    def __init__(self, model: str, *, include_usage: bool, legacy_functions: bool = False) -> None:
        self.model = model
        self.started = False
        self._include_usage = include_usage
        self._legacy_functions = legacy_functions
        self._id = f"chatcmpl-{uuid4().hex}"
        self._created = int(time.time())
        self._out: list[bytes] = []
        self._head = self._choice = self._content = self._reasoning = b""

    def take(self) -> bytes:
        written = b"".join(self._out)
        self._out.clear()
        return written

    def start(self, message_id: str | None = None, model: str | None = None) -> None:
        """Opens the stream. All chunks share id, time and model, so these are settled here."""
        if self.started:
            return
        self.started = True
        self._id = message_id or self._id
        self.model = model or self.model
        self._head = b'data: {"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,' % (
            dumps(self._id),
            self._created,
            dumps(self.model),
        )
        self._choice = self._head + b'"choices":[{"index":0,"delta":{'
        self._content = self._choice + b'"content":'
        self._reasoning = self._choice + b'"reasoning_content":'
        self._out.append(self._choice + b'"role":"assistant","content":""' + _DELTA_END)

    def text(self, text: str) -> None:
        self._out.append(self._content + dumps(text) + _DELTA_END)

    def reasoning(self, text: str) -> None:
        self._out.append(self._reasoning + dumps(text) + _DELTA_END)

    def tool_call(self, index: int, call_id: str, name: str) -> None:
        function = {"name": name, "arguments": ""}
        if self._legacy_functions:
            self.delta({"function_call": function})
        else:
            self.delta({"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]})

    def arguments(self, index: int, part: str) -> None:
        if self._legacy_functions:
            self._out.append(self._choice + b'"function_call":{"arguments":%s}' % dumps(part) + _DELTA_END)
            return
        call = b'"tool_calls":[{"index":%d,"function":{"arguments":%s}}]' % (index, dumps(part))
        self._out.append(self._choice + call + _DELTA_END)

    def delta(self, delta: dict[str, Any]) -> None:
        self._out.append(self._choice + encode(delta)[1:-1] + _DELTA_END)

    def finish(self, reason: str, usage: Usage, **extra: Any) -> None:
        """The finish chunk; `extra` are further members of its choice."""
        self.start()
        if self._legacy_functions and reason == "tool_calls":
            reason = "function_call"
        choice = {"index": 0, "delta": {}, "finish_reason": reason, **extra}
        self._out.append(self._head + b'"choices":[%s]}\n\n' % dumps(choice))
        if self._include_usage:
            self._out.append(self._head + b'"choices":[],"usage":%s}\n\n' % dumps(usage.to_chat()))
        self._out.append(_DONE)

    def fail(self, report: ErrorReport) -> None:
        self._out.append(error_event(Format.CHAT, report))
