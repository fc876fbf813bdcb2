"""Answers and streams of Converse as AWS documents them, for the tests that translate, cut, break and read them."""

from pathlib import Path
from typing import Any

import orjson

from hermesllm.aws_event_stream import encode_event, encode_exception, encode_frame

CAPTURED = Path(__file__).parents[3] / "data" / "bedrock_streams"
USAGE = {
    "inputTokens": 30,
    "outputTokens": 12,
    "totalTokens": 67,
    "cacheReadInputTokens": 20,
    "cacheWriteInputTokens": 5,
}


def answer(*content: dict[str, Any], stop: str = "end_turn", **members: Any) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": USAGE,
        "metrics": {"latencyMs": 551},
        **members,
    }


def tool_use(call_id: str, name: str, value: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": value or {}}}


def event(kind: str, **payload: Any) -> bytes:
    return encode_event(kind, orjson.dumps({"p": "abcdefgh", **payload}))


def delta(index: int, **said: Any) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=index, delta=said)


def text(index: int, *parts: str) -> bytes:
    """A block of text, which Bedrock sends without a start."""
    return b"".join(delta(index, text=part) for part in parts) + event("contentBlockStop", contentBlockIndex=index)


def thought(index: int, *parts: str, signature: str = "") -> bytes:
    pieces = [delta(index, reasoningContent={"text": part}) for part in parts]
    if signature:
        pieces.append(delta(index, reasoningContent={"signature": signature}))
    return b"".join(pieces) + event("contentBlockStop", contentBlockIndex=index)


def redacted(index: int, *parts: str) -> bytes:
    pieces = [delta(index, reasoningContent={"redactedContent": part}) for part in parts]
    return b"".join(pieces) + event("contentBlockStop", contentBlockIndex=index)


def call(index: int, call_id: str, name: str, *parts: str) -> bytes:
    start = event("contentBlockStart", contentBlockIndex=index, start={"toolUse": {"toolUseId": call_id, "name": name}})
    pieces = [delta(index, toolUse={"input": part}) for part in parts]
    return start + b"".join(pieces) + event("contentBlockStop", contentBlockIndex=index)


START = event("messageStart", role="assistant")
METADATA = event("metadata", usage=USAGE, metrics={"latencyMs": 551})


def end(reason: str = "end_turn", **members: Any) -> bytes:
    return event("messageStop", stopReason=reason, **members)


def stream(*blocks: bytes, stop: str = "end_turn") -> bytes:
    return b"".join((START, *blocks, end(stop), METADATA))


def exception(name: str, message: str, **members: Any) -> bytes:
    return encode_exception(name, orjson.dumps({"message": message, **members}))


CITATION = {
    "title": "T",
    "sourceContent": [{"text": "green"}],
    "location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 6}},
}
WEB_CITATION = {
    "title": "W",
    "sourceContent": [{"text": "x"}],
    "location": {"web": {"url": "https://a/b", "domain": "a"}},
}

CONVERSE_STREAMS: dict[str, bytes] = {
    "captured text": (CAPTURED / "response.hex").read_bytes(),
    "text": stream(text(0, "Grüße ", "aus 東京 🗼\n\ndata: x")),
    "text up to the limit": stream(text(0, "Hello"), stop="max_tokens"),
    "thinking, redacted thinking, text": stream(
        thought(0, "The user ", "greets.", signature="c2ln"), redacted(1, "cmVkYWN0ZWQ="), text(2, "Hello")
    ),
    "thinking without words": stream(thought(0, signature="c2ln"), text(1, "Hello")),
    "redacted thinking in pieces": stream(redacted(0, "cmVk", "YWN0ZWQ="), text(1, "Hello")),
    "text, then parallel calls": stream(
        text(0, "Let me see."),
        call(1, "tooluse_1", "get_weather", '{"city"', ': "Köln"}'),
        call(2, "tooluse_2", "get_time"),
        stop="tool_use",
    ),
    "text with citations": stream(
        delta(0, text="Grass is green"),
        delta(0, citation=CITATION),
        delta(0, citation=WEB_CITATION),
        event("contentBlockStop", contentBlockIndex=0),
    ),
    "blocks that nobody ends": stream(delta(0, text="a"), delta(3, text="b")),
    "a block that ends twice": stream(text(0, "Hello"), event("contentBlockStop", contentBlockIndex=0)),
    "metadata before the stop": START + text(0, "Hello") + METADATA + end(),
    "no metadata": START + text(0, "Hello") + end(),
    "no start": text(0, "Hello") + end() + METADATA,
    "guardrail": stream(text(0, "Sorry, I cannot."), stop="guardrail_intervened"),
    "nothing said": stream(),
    "events of the future": stream(event("somethingNew", a=1), text(0, "Hello"), encode_frame({}, b"")),
    "stop sequence": START
    + text(0, "Hello")
    + end("stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})
    + METADATA,
}
BROKEN_STREAMS: dict[str, bytes] = {
    "throttled before a word": START + exception("throttlingException", "Too many requests"),
    "throttled at once": exception("throttlingException", "Too many requests"),
    "unavailable in the middle": START + delta(0, text="Hel") + exception("serviceUnavailableException", "Try later"),
    "cut after a block": START + text(0, "Hello"),
    "cut inside a frame": START + text(0, "Hello")[:-20],
    "damaged": START + text(0, "Hello")[:-1] + b"\x00" + METADATA,
    "not JSON": START + encode_event("contentBlockDelta", b"{nope"),
}
