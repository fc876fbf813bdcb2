"""Writes Anthropic Messages streams: blocks strictly one after another, each with one start and one stop.

Hot path: the common deltas are byte templates around the JSON of their text.
"""

from typing import Any

import orjson

from hermesllm.error_bodies import error_event
from hermesllm.errors import ErrorReport
from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.translate.event_stream import encode
from hermesllm.translate.service_tiers import tier_for_anthropic
from hermesllm.usage import Usage

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%s'
_TEXT = b'{"type":"text_delta","text":'
_THINKING = b'{"type":"thinking_delta","thinking":'
_ARGUMENTS = b'{"type":"input_json_delta","partial_json":'
_DELTA_END = b"}}\n\n"
_STOP_BLOCK = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_STOP_MESSAGE = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

dumps = orjson.dumps


class AnthropicWriter:
    """One Messages stream.

    `open` is the type of the block being written, empty between blocks; `tier` OpenAI's name of the service tier.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.started = False
        self.open = ""
        self.tier = ""
        self._index = -1
        self._delta = b""
        self._out: list[bytes] = []

    def take(self) -> bytes:
        written = b"".join(self._out)
        self._out.clear()
        return written

    def start(self, usage: Usage | None = None, message_id: str | None = None) -> None:
        if self.started:
            return
        self.started = True
        message: dict[str, Any] = {
            "id": message_id or f"msg_{random_hex()}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**self._usage(usage or Usage()), "output_tokens": 0},
        }
        self._event({"type": "message_start", "message": message})

    def text(self, text: str) -> None:
        if self.open != "text":
            self._open("text", {"type": "text", "text": ""}, _TEXT)
        self._out.append(self._delta + dumps(text) + _DELTA_END)

    def thinking(self, text: str) -> None:
        if self.open != "thinking":
            self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""}, _THINKING)
        self._out.append(self._delta + dumps(text) + _DELTA_END)

    def signature(self, signature: str) -> None:
        """Signs the thinking block that is open."""
        self.delta({"type": "signature_delta", "signature": signature})

    def tool_use(self, call_id: str, name: str, kind: str = "tool_use") -> None:
        """Opens a call; of `kind` "server_tool_use" for a tool that the provider runs."""
        self._open(kind, {"type": kind, "id": call_id, "name": name, "input": {}}, _ARGUMENTS)

    def arguments(self, part: str) -> None:
        """The next part of the arguments of the tool call that is open."""
        self._out.append(self._delta + dumps(part) + _DELTA_END)

    def whole_block(self, block: dict[str, Any]) -> None:
        """A block that has no deltas, such as `redacted_thinking`."""
        self._open(str(block.get("type")), block, b"")
        self.end_block()

    def delta(self, delta: dict[str, Any]) -> None:
        self._event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def end_block(self) -> None:
        if self.open:
            self._out.append(_STOP_BLOCK % self._index)
            self.open = ""

    def finish(self, stop_reason: str, stop_sequence: str | None, usage: Usage, **extra: Any) -> None:
        """The end of the stream; `extra` are further members that say why, such as `stop_details`."""
        self.start(usage)
        if self._index < 0:  # SDKs expect at least one block
            self._open("text", {"type": "text", "text": ""}, _TEXT)
        self.end_block()
        delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence, **extra}
        self._event({"type": "message_delta", "delta": delta, "usage": self._usage(usage)})
        self._out.append(_STOP_MESSAGE)

    def fail(self, report: ErrorReport) -> None:
        self.end_block()
        self._out.append(error_event(Format.ANTHROPIC, report))

    def _usage(self, usage: Usage) -> dict[str, Any]:
        return usage.to_anthropic() | tier_for_anthropic(self.tier)

    def _open(self, kind: str, block: dict[str, Any], delta: bytes) -> None:
        self.start()
        self.end_block()
        self.open = kind
        self._index += 1
        self._delta = _DELTA % (self._index, delta)
        self._event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _event(self, event: dict[str, Any]) -> None:
        self._out.append(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), encode(event)))
