"""Writes answers in the OpenAI Chat Completions format: one JSON body, or a stream of chunks.

https://platform.openai.com/docs/api-reference/chat/object and …/chat/streaming
"""

import json
from collections.abc import Iterator

from planoctl.mock_provider import openai_requests
from planoctl.mock_provider.answers import Answer, Stop, Turn, fragments, pieces
from planoctl.mock_provider.behaviour import split_model
from planoctl.mock_provider.validation import Json

CREATED = 1_700_000_000
REQUEST_ID_HEADER = "x-request-id"
_FINISH = {Stop.END: "stop", Stop.SEQUENCE: "stop", Stop.LENGTH: "length", Stop.TOOLS: "tool_calls"}
_ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "not_found_error",
    429: "rate_limit_exceeded",
}

read = openai_requests.read


def body(turn: Turn, answer: Answer) -> Json:
    """The `chat.completion` object."""
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None, "annotations": []}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": f"call_{call.id}", "type": "function", "function": {"name": call.name, "arguments": call.json}}
            for call in answer.tool_calls
        ]
    choice = {"message": message, "logprobs": None, "finish_reason": _finish(answer)}
    return _envelope(turn, "chat.completion") | {
        "choices": [{"index": index} | choice for index in range(turn.choices)],
        "usage": usage(answer),
        "service_tier": "default",
    }


def events(turn: Turn, answer: Answer) -> Iterator[bytes]:
    """The stream's events, `[DONE]` included."""
    envelope = _envelope(turn, "chat.completion.chunk")
    if turn.include_usage:
        envelope["usage"] = None
    for index in range(turn.choices):
        for delta in _deltas(answer):
            yield _event(envelope | {"choices": [_choice(index, delta, None)]})
        yield _event(envelope | {"choices": [_choice(index, {}, _finish(answer))]})
    if turn.include_usage:
        yield _event(envelope | {"choices": [], "usage": usage(answer)})
    yield b"data: [DONE]\n\n"


def error(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Json:
    """An error body."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_event(message: str) -> bytes:
    """The event that ends a stream which fails midway."""
    return _event(error(500, message))


def models(names: list[str]) -> Json:
    """The list of models."""
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "mock"} for name in names]
    return {"object": "list", "data": data}


def _deltas(answer: Answer) -> Iterator[Json]:
    yield {"role": "assistant", "content": None if answer.tool_calls else "", "refusal": None}
    for piece in pieces(answer.thinking):
        yield {"reasoning_content": piece}
    for piece in pieces(answer.text):
        yield {"content": piece}
    for index, call in enumerate(answer.tool_calls):
        start = {"id": f"call_{call.id}", "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [{"index": index} | start]}
        for fragment in fragments(call.json):
            yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}


def _choice(index: int, delta: Json, finish: str | None) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _envelope(turn: Turn, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{turn.digest}",
        "object": kind,
        "created": CREATED,
        "model": split_model(turn.model)[0],
        "system_fingerprint": "fp_mock",
    }


def _finish(answer: Answer) -> str | None:
    return None if answer.stop is None else _FINISH[answer.stop]


def usage(answer: Answer) -> Json:
    """The `usage` object."""
    counts = answer.usage
    return {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.prompt + counts.completion,
        "prompt_tokens_details": {"cached_tokens": counts.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _event(data: Json) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
