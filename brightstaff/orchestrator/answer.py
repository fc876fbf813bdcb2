"""Reading what comes back from a routing model: a Chat completion, of which only the text counts, or an error."""

from typing import Any

import orjson

from hermesllm.reading import object_or_empty, objects_in, text_or_empty

_MOST_OF_A_FOREIGN_ERROR = 512  # bytes


class UnreadableAnswer(Exception):
    """The answer has not a form that is known."""


def answered_text(body: bytes) -> str:
    """The text of the first choice, empty if there is none. Raises UnreadableAnswer for what is no Chat completion."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableAnswer(str(error)) from None
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list):
        raise UnreadableAnswer("expected a chat completion with `choices`")
    if not choices:
        return ""
    content: Any = object_or_empty(object_or_empty(choices[0]).get("message")).get("content")
    if isinstance(content, str):
        return content
    return "".join(text_or_empty(part.get("text")) for part in objects_in(content))


def error_message(body: bytes) -> str:
    """What an error body says: the message of an OpenAI error with its `param` and `type`, else its first 512 bytes."""
    error = _openai_error(body)
    if error is None:
        return body[:_MOST_OF_A_FOREIGN_ERROR].decode(errors="ignore")
    param, kind = error.get("param"), error.get("type")
    text: str = error["message"]
    if isinstance(param, str):
        text += f" (param={param})"
    if isinstance(kind, str):
        text += f" [type={kind}]"
    return text


def _openai_error(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = object_or_empty(object_or_empty(document).get("error"))
    return error if isinstance(error.get("message"), str) else None
