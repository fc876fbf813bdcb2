"""The exceptions of Amazon Bedrock: their names, wherever AWS puts them, and what they mean inside a stream."""

from typing import Any

from hermesllm.errors import ErrorReport
from hermesllm.formats import Format
from hermesllm.reading import object_or_empty, text_or_empty

# A stream tells nothing of an exception but its name, which it spells with a small first letter.
_STATUSES = {
    "accessdeniedexception": 403,
    "internalserverexception": 500,
    "modelerrorexception": 502,
    "modelnotreadyexception": 429,
    "modelstreamerrorexception": 502,
    "modeltimeoutexception": 504,
    "resourcenotfoundexception": 404,
    "servicequotaexceededexception": 429,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
_MESSAGES = ("message", "Message", "originalMessage")


def exception_name(value: Any) -> str | None:
    """The bare name in `ThrottlingException:http://…` (a header) or `com.amazon…#ThrottlingException` (`__type`)."""
    return text_or_empty(value).partition(":")[0].rpartition("#")[2].strip() or None


def exception_report(name: str, document: Any) -> ErrorReport:
    """What an exception in the middle of a stream says. Never raises."""
    document = object_or_empty(document)
    message = next((text for each in _MESSAGES if (text := text_or_empty(document.get(each)).strip())), "")
    return ErrorReport(
        status=_STATUSES.get(name.lower(), 500),
        message=message or f"The provider ended the stream with {name or 'an error that has no text'}.",
        type=name or None,
        origin=Format.CONVERSE,
        code=name or None,
    )
