"""Writes answers in the Anthropic Messages format: one JSON body, or a stream of events.

https://docs.claude.com/en/api/messages and …/messages-streaming
"""

import json
from collections.abc import Iterator

from planoctl.mock_provider import answers, anthropic_requests
from planoctl.mock_provider.answers import Answer, Stop, Turn, fragments, pieces
from planoctl.mock_provider.behaviour import split_model
from planoctl.mock_provider.validation import Call, InvalidRequestError, Json, signature

REQUEST_ID_HEADER = "request-id"
_STOP = {Stop.END: "end_turn", Stop.SEQUENCE: "stop_sequence", Stop.LENGTH: "max_tokens", Stop.TOOLS: "tool_use"}
_ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

read = anthropic_requests.read


def body(turn: Turn, answer: Answer) -> Json:
    """The `message` object."""
    return _message(turn) | {
        "content": list(_blocks(answer)),
        "stop_reason": _stop(answer),
        "stop_sequence": answer.stop_sequence,
        "usage": _usage(answer, answer.usage.completion),
    }


def events(turn: Turn, answer: Answer) -> Iterator[bytes]:
    """The stream's events, `message_stop` included."""
    start: Json = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(answer, 1)}
    yield _event("message_start", message=_message(turn) | start)
    for index, block in enumerate(_blocks(answer)):
        yield from _block_events(index, block)
        if index == 0:
            yield _event("ping")
    delta = {"stop_reason": _stop(answer), "stop_sequence": answer.stop_sequence}
    usage = _usage(answer, answer.usage.completion)
    del usage["cache_creation"], usage["service_tier"]
    yield _event("message_delta", delta=delta, usage=usage)
    yield _event("message_stop")


def error(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Json:
    """An error body; this API knows neither `param` nor `code`."""
    del param, code
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock"}


def error_event(message: str) -> bytes:
    """The event that ends a stream which fails midway."""
    return _event("error", error={"type": "overloaded_error", "message": message})


def count_tokens(request: Json, call: Call) -> Json:
    """The answer to a request for a token count; raises `InvalidRequestError`."""
    if "max_tokens" in request:
        raise InvalidRequestError("max_tokens: Extra inputs are not permitted")
    return {"input_tokens": answers.answer(read(request | {"max_tokens": 1_000_000}, call)).usage.prompt}


def models(names: list[str]) -> Json:
    """The list of models, as one page."""
    data = [{"type": "model", "id": name, "display_name": name, "created_at": "2023-11-14T22:13:20Z"} for name in names]
    return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def _message(turn: Turn) -> Json:
    return {"id": f"msg_{turn.digest}", "type": "message", "role": "assistant", "model": split_model(turn.model)[0]}


def _blocks(answer: Answer) -> Iterator[Json]:
    if answer.thinking:
        yield {"type": "thinking", "thinking": answer.thinking, "signature": signature(answer.thinking)}
    if answer.text:
        yield {"type": "text", "text": answer.text}
    for call in answer.tool_calls:
        yield {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": call.arguments}


def _block_events(index: int, block: Json) -> Iterator[bytes]:
    empty: Json
    match block["type"]:
        case "thinking":
            empty = {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "text":
            empty = {"text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case _:
            empty = {"input": {}}
            text = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
            parts = ["", *fragments(text)]  # the real API sends an empty piece first
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    yield _event("content_block_start", index=index, content_block=block | empty)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _stop(answer: Answer) -> str | None:
    return None if answer.stop is None else _STOP[answer.stop]


def _usage(answer: Answer, output_tokens: int) -> Json:
    usage = answer.usage
    return {
        "input_tokens": usage.prompt - usage.cache_read - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _event(kind: str, **members: object) -> bytes:
    data = json.dumps({"type": kind} | members, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
