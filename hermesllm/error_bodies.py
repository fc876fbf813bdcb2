"""Errors on the wire: reading a provider's, writing the client's.

A client must be able to read the provider's own words, and who said them, in the text its SDK prints.
"""

import html
import re
from collections.abc import Callable
from typing import Any

import orjson

from hermesllm.aws_errors import exception_name
from hermesllm.errors import ErrorReport, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, objects_in, text_or_empty

TEXT_LIMIT = 2048  # characters kept of a body that is not JSON
_HTML_LIMIT = 300
_SCAN_LIMIT = 64 * 1024  # no error text is expected behind this much of a body

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_exceeded",
}
# An error inside a stream has no HTTP status: its type has to tell.
_STATUS_OF_TYPE = {
    **{name: status for status, name in reversed(_ANTHROPIC_TYPES.items())},
    **{name: status for status, name in _OPENAI_TYPES.items() if status not in (400, 413)},
    "insufficient_quota": 429,
    "server_error": 500,
    "overloaded_error": 529,
}


def render_error(client: Format, report: ErrorReport) -> bytes:
    """The JSON error body of a client format."""
    return orjson.dumps(_RENDERERS[client](report))


def error_event(client: Format, report: ErrorReport) -> bytes:
    """The event that ends a stream with an error in a client format."""
    if client is Format.RESPONSES:
        return responses_error_event(report)
    return _EVENT_PREFIXES[client] + render_error(client, report) + b"\n\n"


def read_upstream_error(
    upstream: Format, status: int, content_type: str, body: bytes, *, error_type: str | None = None
) -> ErrorReport:
    """What a provider's error answer says, whatever it looks like. Never raises.

    `error_type` is the `x-amzn-errortype` header, where Amazon Bedrock names its exception.
    """
    document = _json(body)
    report = error_in(upstream, document, status)
    if upstream is Format.CONVERSE:
        name = exception_name(error_type) or exception_name(object_or_empty(document).get("__type"))
        report = report or ErrorReport(status=status, message=_words(status, content_type, body), origin=upstream)
        return report.about(type=name or report.type, code=name or report.code)
    if report is not None:
        return report
    return ErrorReport(status=status, message=_words(status, content_type, body), origin=upstream)


def _words(status: int, content_type: str, body: bytes) -> str:
    """What a body that is no JSON error says."""
    return _plain_text(content_type, body) or f"The provider answered HTTP {status} without an error text."


def error_in(upstream: Format, document: Any, status: int | None = None) -> ErrorReport | None:
    """The error that a JSON document of a provider carries; None where it has no error text.

    Without an HTTP status (in a stream) the status follows from the error's code or type.
    """
    if isinstance(document, list):  # Google wraps its errors in a list
        document = next(objects_in(document), None)
    if not isinstance(document, dict):
        return None
    nested = document.get("error")
    error = nested if isinstance(nested, dict) else document
    message = _message(document, error)
    if not message:
        return None
    kind = text_or_empty(error.get("type")) or None
    code = error.get("code")
    if upstream is Format.GEMINI:
        return _google_error(error, message, status or _status_of(None, code))
    return ErrorReport(
        status=status or _status_of(kind, code),
        message=message,
        type=None if error is document and kind == "error" else kind,
        origin=upstream,
        code=str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None,
        param=text_or_empty(error.get("param")) or None,
    )


def _google_error(error: dict[str, Any], message: str, status: int) -> ErrorReport:
    """Google's `status` is its word for what happened; the reason behind it, and the place, are in `details`."""
    reason = place = ""
    for detail in objects_in(error.get("details")):
        reason = reason or text_or_empty(detail.get("reason"))
        violation = next(objects_in(detail.get("fieldViolations")), {})
        place = place or text_or_empty(violation.get("field"))
    kind = text_or_empty(error.get("status")) or None
    if reason and reason not in message:
        message = f"{message} ({reason})"
    return ErrorReport(
        status=status, message=message, type=kind, origin=Format.GEMINI, code=kind or str(status), param=place or None
    )


def no_answer(upstream: Format, document: dict[str, Any]) -> InvalidUpstreamResponse:
    """The error of a 2xx JSON answer that is none; OpenRouter, for one, sends its errors with status 200."""
    report = error_in(upstream, document)
    if report is None:
        return InvalidUpstreamResponse("The provider's answer is not what its API promises.")
    return InvalidUpstreamResponse(report.message, status=report.status, code=report.code, param=report.param)


def _message(document: dict[str, Any], error: dict[str, Any]) -> str:
    candidates = (
        error.get("message"),
        document.get("error"),
        document.get("message"),
        document.get("Message"),
        document.get("detail"),
    )
    message = next((text for candidate in candidates if (text := _said(candidate))), "")
    # OpenRouter's own message is "Provider returned error"; what the provider said is in the metadata.
    raw = text_or_empty(object_or_empty(error.get("metadata")).get("raw"))
    if raw and raw not in message:
        message = f"{message}: {raw[:TEXT_LIMIT]}"
    return message


def _said(value: Any) -> str:
    """The words in a message member: text, FastAPI's list of problems, or an object with either."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("message", "detail", "msg") if value.get(name)), None)
    if isinstance(value, list):
        return "; ".join(said for item in value[:20] if (said := _problem(item)))
    return text_or_empty(value).strip()


def _problem(item: Any) -> str:
    if isinstance(item, str):
        return item.strip()
    if not isinstance(item, dict):
        return ""
    text = text_or_empty(item.get("msg")) or text_or_empty(item.get("message"))
    where = item.get("loc")
    if text and isinstance(where, list):
        return f"{'.'.join(str(part) for part in where if isinstance(part, str | int))}: {text}"
    return text


def _status_of(kind: str | None, code: Any) -> int:
    if isinstance(code, int) and 400 <= code < 600:
        return code
    for name in (code, kind):
        if isinstance(name, str) and name in _STATUS_OF_TYPE:
            return _STATUS_OF_TYPE[name]
    return 502


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _plain_text(content_type: str, body: bytes) -> str:
    text = body[:_SCAN_LIMIT].decode("utf-8", "replace")
    if "html" in content_type.lower() or re.match(r"\s*<(!doctype|html|head|body)\b", text, re.IGNORECASE):
        return _html_text(text)
    return text.strip()[:TEXT_LIMIT].strip()


def _html_text(page: str) -> str:
    """The title of an error page and a short excerpt of what else it says."""
    title = re.search(r"<title[^>]{0,200}>([^<]*)", page, re.IGNORECASE)
    rest = re.sub(r"<(script|style|title)\b.*?(</\1\s*>|\Z)", " ", page, flags=re.IGNORECASE | re.DOTALL)
    parts = (title.group(1) if title else "", re.sub(r"<[^>]*>?", " ", rest))
    heading, excerpt = (" ".join(html.unescape(part).split()) for part in parts)
    excerpt = excerpt[:_HTML_LIMIT].strip()
    if not heading or excerpt.startswith(heading):
        return excerpt
    return f"{heading}: {excerpt}" if excerpt else heading


def _sentence(report: ErrorReport) -> str:
    """The message with provider, model and remedy: SDK exceptions print this text and nothing else."""
    named = [f"{name} {value}" for name, value in (("provider", report.provider), ("model", report.model)) if value]
    mark = f"[{', '.join(named)}]"
    text = report.message if not named or mark in report.message else f"{report.message} {mark}"
    if not report.remedy or report.remedy in report.message:
        return text
    stop = "" if report.message.endswith((".", "!", "?", ":")) else "."
    return f"{text}{stop} {report.remedy}"


def _extras(report: ErrorReport, *names: str) -> dict[str, str]:
    """Members beyond the client's API: who failed, and what to do."""
    return {name: value for name in ("provider", "model", "remedy", *names) if (value := getattr(report, name))}


def _chat_error(report: ErrorReport) -> dict[str, Any]:
    own_type = report.type if report.origin in (Format.CHAT, Format.RESPONSES) else None
    fallback = "server_error" if report.status >= 500 else "invalid_request_error"
    error = {
        "message": _sentence(report),
        "type": own_type or _OPENAI_TYPES.get(report.status, fallback),
        "param": report.param,
        "code": report.code,
        **_extras(report),
    }
    if report.request_id:
        error["request_id"] = report.request_id
    return {"error": error}


def _anthropic_error(report: ErrorReport) -> dict[str, Any]:
    own_type = report.type if report.origin is Format.ANTHROPIC else None
    fallback = "api_error" if report.status >= 500 else "invalid_request_error"
    error: dict[str, Any] = {
        "type": own_type or _ANTHROPIC_TYPES.get(report.status, fallback),
        "message": _sentence(report),
        **_extras(report, "param", "code"),
    }
    return {"type": "error", "error": error, "request_id": report.request_id}


# Codes of a failed response that clients act upon, besides those that follow from the status.
_RESPONSES_CODES = frozenset(
    {
        "server_error", "rate_limit_exceeded", "invalid_prompt", "context_length_exceeded", "insufficient_quota",
        "vector_store_timeout", "invalid_image", "image_content_policy_violation",
    }
)  # fmt: skip


def failed_response_error(report: ErrorReport) -> dict[str, Any]:
    """The `error` of a Responses object whose status is `failed`."""
    code = report.code if report.code in _RESPONSES_CODES else _responses_code(report.status)
    return {"code": code, "message": _sentence(report)}


def _responses_code(status: int) -> str:
    if status == 429:
        return "rate_limit_exceeded"
    return "invalid_prompt" if 400 <= status < 500 and status not in (401, 402, 403, 404, 408) else "server_error"


def responses_error_event(report: ErrorReport, sequence_number: int = 0) -> bytes:
    """The event of a Responses stream that fails before its response has begun.

    The reference has the members at the top, OpenAI's servers also send them as `error`, and SDKs raise for that.
    """
    error = _chat_error(report)["error"]
    members = {name: error[name] for name in ("code", "message", "param")}
    event = {"type": "error", **members, "error": error, "sequence_number": sequence_number}
    return b"event: error\ndata: %s\n\n" % orjson.dumps(event)


_RENDERERS: dict[Format, Callable[[ErrorReport], dict[str, Any]]] = {
    Format.CHAT: _chat_error,
    Format.ANTHROPIC: _anthropic_error,
    Format.RESPONSES: _chat_error,
    Format.COMPLETIONS: _chat_error,
    Format.EMBEDDINGS: _chat_error,
    Format.COUNT_TOKENS: _anthropic_error,
}
_EVENT_PREFIXES = {
    Format.CHAT: b"data: ",
    Format.COMPLETIONS: b"data: ",
    Format.ANTHROPIC: b"event: error\ndata: ",
}
