"""Writes answers in the Amazon Bedrock Converse format: one JSON body, or a binary stream of events.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

import json
from collections.abc import Iterator

from hermesllm.aws_event_stream import encode_event, encode_exception
from planoctl.mock_provider import converse_requests
from planoctl.mock_provider.answers import Answer, Stop, Turn, fragments, pieces
from planoctl.mock_provider.validation import Json, signature

REQUEST_ID_HEADER = "x-amzn-requestid"
MEDIA_TYPE = "application/vnd.amazon.eventstream"
_METRICS = {"latencyMs": 7}
_STOP = {Stop.END: "end_turn", Stop.SEQUENCE: "stop_sequence", Stop.LENGTH: "max_tokens", Stop.TOOLS: "tool_use"}
_EXCEPTIONS = {
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}

read = converse_requests.read


def body(turn: Turn, answer: Answer) -> Json:
    """The body of a Converse answer."""
    del turn
    return {
        "output": {"message": {"role": "assistant", "content": list(_blocks(answer))}},
        "stopReason": _stop(answer),
        "usage": _usage(answer),
        "metrics": _METRICS,
    }


def events(turn: Turn, answer: Answer) -> Iterator[bytes]:
    """The frames of a ConverseStream answer."""
    del turn
    yield _event("messageStart", {"role": "assistant"})
    for index, block in enumerate(_blocks(answer)):
        place = {"contentBlockIndex": index}
        if "toolUse" in block:
            names = {name: block["toolUse"][name] for name in ("toolUseId", "name")}
            yield _event("contentBlockStart", place | {"start": {"toolUse": names}})
        for delta in _deltas(block):
            yield _event("contentBlockDelta", place | {"delta": delta})
        yield _event("contentBlockStop", place)
    yield _event("messageStop", {"stopReason": _stop(answer)})
    yield _event("metadata", {"usage": _usage(answer), "metrics": _METRICS})


def error(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Json:
    """An error body; what went wrong is named in a header, see `error_headers`."""
    del status, param, code
    return {"message": message}


def error_headers(status: int) -> dict[str, str]:
    """The header that names the exception."""
    name = _EXCEPTIONS.get(status, "ValidationException" if status < 500 else "InternalServerException")
    return {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}


def error_event(message: str) -> bytes:
    """The frame that ends a stream which fails midway."""
    payload = {"message": message, "originalStatusCode": 500, "originalMessage": message}
    return encode_exception("modelStreamErrorException", json.dumps(payload).encode())


def garbage() -> bytes:
    """A frame whose checksum is wrong."""
    frame = bytearray(_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "garbage"}}))
    frame[-1] ^= 0xFF
    return bytes(frame)


def _blocks(answer: Answer) -> Iterator[Json]:
    if answer.thinking:
        text = {"text": answer.thinking, "signature": signature(answer.thinking)}
        yield {"reasoningContent": {"reasoningText": text}}
    if answer.text:
        yield {"text": answer.text}
    for call in answer.tool_calls:
        yield {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.name, "input": call.arguments}}


def _deltas(block: Json) -> Iterator[Json]:
    if "text" in block:
        yield from ({"text": piece} for piece in pieces(block["text"]))
    elif "toolUse" in block:
        text = json.dumps(block["toolUse"]["input"], ensure_ascii=False)
        yield from ({"toolUse": {"input": fragment}} for fragment in fragments(text))
    else:
        said = block["reasoningContent"]["reasoningText"]
        yield from ({"reasoningContent": {"text": piece}} for piece in pieces(said["text"]))
        yield {"reasoningContent": {"signature": said["signature"]}}


def _stop(answer: Answer) -> str | None:
    return None if answer.stop is None else _STOP[answer.stop]


def _usage(answer: Answer) -> Json:
    usage = answer.usage
    return {
        "inputTokens": usage.prompt - usage.cache_read - usage.cache_write,
        "outputTokens": usage.completion,
        "totalTokens": usage.prompt + usage.completion,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write,
    }


def _event(kind: str, payload: Json) -> bytes:
    """A frame; `p` is the padding with which Bedrock hides the length of what the model says."""
    padding = "abcdefghijklmnopqrstuvwxyz"[: 3 + len(str(payload)) % 20]
    text = json.dumps(payload | {"p": padding}, ensure_ascii=False, separators=(",", ":"))
    return encode_event(kind, text.encode())
