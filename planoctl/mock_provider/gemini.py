"""Writes answers in the Gemini format: one JSON body, or a stream of them, as SSE or as one JSON array.

https://ai.google.dev/api/generate-content
"""

import json
from collections.abc import Iterator

from planoctl.mock_provider import gemini_requests
from planoctl.mock_provider.answers import Answer, Stop, Turn, pieces
from planoctl.mock_provider.behaviour import split_model
from planoctl.mock_provider.validation import Json, signature

REQUEST_ID_HEADER = "x-goog-request-id"
_FINISH = {Stop.END: "STOP", Stop.SEQUENCE: "STOP", Stop.LENGTH: "MAX_TOKENS", Stop.TOOLS: "STOP"}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

read = gemini_requests.read


def body(turn: Turn, answer: Answer) -> Json:
    """The `GenerateContentResponse`."""
    return _answer(turn, answer, list(_parts(answer)), last=True)


def events(turn: Turn, answer: Answer) -> Iterator[bytes]:
    """The stream's events, each a whole `GenerateContentResponse`; Google ends their lines with CR LF."""
    for chunk in _chunks(turn, answer):
        yield b"data: " + _json(chunk) + b"\r\n\r\n"


def array(turn: Turn, answer: Answer) -> Iterator[bytes]:
    """The same stream as one JSON array, which is what Google sends without `alt=sse`."""
    opening = b"["
    for chunk in _chunks(turn, answer):
        yield opening + _json(chunk)
        opening = b",\r\n"
    yield b"]\r\n"


def error(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Json:
    """An error body."""
    name = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    details: list[Json] = []
    if code == "invalid_api_key":
        info = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo"} | info)
    if param is not None:
        violation = {"field": param, "description": message}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    return {"error": {"code": status, "message": message, "status": name} | ({"details": details} if details else {})}


def error_event(message: str) -> bytes:
    """The event that ends a stream which fails midway."""
    return b"data: " + _json(error(503, message)) + b"\r\n\r\n"


def models(names: list[str]) -> Json:
    """The list of models."""
    methods = ["generateContent", "countTokens"]
    data = [{"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods} for name in names]
    return {"models": data}


def _chunks(turn: Turn, answer: Answer) -> Iterator[Json]:
    parts = list(_pieces(answer)) or [{"text": ""}]
    for number, part in enumerate(parts):
        yield _answer(turn, answer, [part], last=number == len(parts) - 1)


def _answer(turn: Turn, answer: Answer, parts: list[Json], *, last: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}}
    if last and answer.stop is not None:
        candidate["finishReason"] = _FINISH[answer.stop]
    return {
        "candidates": [candidate | {"index": index} for index in range(turn.choices)],
        "usageMetadata": _usage(answer),
        "modelVersion": split_model(turn.model)[0],
        "responseId": turn.digest,
    }


def _parts(answer: Answer) -> Iterator[Json]:
    if answer.thinking:
        yield {"text": answer.thinking, "thought": True}
    if answer.text:
        yield {"text": answer.text}
    yield from _calls(answer)


def _pieces(answer: Answer) -> Iterator[Json]:
    """The parts as a stream sends them: texts in pieces, calls whole."""
    yield from ({"text": piece, "thought": True} for piece in pieces(answer.thinking))
    yield from ({"text": piece} for piece in pieces(answer.text))
    yield from _calls(answer)


def _calls(answer: Answer) -> Iterator[Json]:
    """The calls; after thinking, the first one carries a signature, as with Gemini 3."""
    for number, call in enumerate(answer.tool_calls):
        part: Json = {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}}
        if answer.thinking and number == 0:
            part["thoughtSignature"] = signature(call.name)
        yield part


def _usage(answer: Answer) -> Json:
    usage = answer.usage
    counts: Json = {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": usage.completion - usage.reasoning,
        "totalTokenCount": usage.prompt + usage.completion,
        "cachedContentTokenCount": usage.cache_read,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.prompt}],
    }
    return counts | ({"thoughtsTokenCount": usage.reasoning} if usage.reasoning else {})


def _json(data: Json) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
