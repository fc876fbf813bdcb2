"""What Gemini's answers say, for the readers of both clients: parts, reasons, refusals, sources."""

from typing import Any, NamedTuple

from hermesllm.error_bodies import no_answer
from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.event_stream import encode
from hermesllm.translate.stop_reasons import GEMINI_TO_CHAT

METADATA = ("groundingMetadata", "citationMetadata", "safetyRatings")  # of a candidate, beside its content
_PLAIN_REASONS = frozenset({"STOP", "MAX_TOKENS"})
# Google's default for a reason or a block that it does not name.
_UNSPECIFIED = ("", "FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED")
_GAVE_UP = {
    "MALFORMED_FUNCTION_CALL": "The model wrote a function call that cannot be read.",
    "UNEXPECTED_TOOL_CALL": "The model called a tool that it was not given.",
    "TOO_MANY_TOOL_CALLS": "The model called too many tools.",
    "MISSING_THOUGHT_SIGNATURE": "The conversation lacks a thought signature that the model wants back.",
}


class Part(NamedTuple):
    """A part of an answer. `kind` is thought, text, call, media, code, code_result, or empty for what is unknown."""

    kind: str
    value: Any
    signature: str


def read_part(part: dict[str, Any]) -> Part:
    signature = text_or_empty(part.get("thoughtSignature"))
    text = part.get("text")
    if isinstance(text, str):
        return Part("thought" if part.get("thought") is True else "text", text, signature)
    for member, kind in _KINDS:
        value = part.get(member)
        if isinstance(value, dict):
            return Part(kind, value, signature)
    return Part("text" if signature else "", "", signature)


_KINDS = (
    ("functionCall", "call"),
    ("inlineData", "media"),
    ("executableCode", "code"),
    ("codeExecutionResult", "code_result"),
)


def parts_of(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    return list(objects_in(object_or_empty(candidate.get("content")).get("parts")))


def call_id_of(call: dict[str, Any], prefix: str) -> str:
    return text_or_empty(call.get("id")) or f"{prefix}{random_hex()[:24]}"


def call_arguments(call: dict[str, Any]) -> str:
    """The arguments text of a call. Raises InvalidUpstreamResponse."""
    return encode(object_or_empty(call.get("args"))).decode()


def data_url(media: dict[str, Any]) -> str:
    media_type = text_or_empty(media.get("mimeType")) or "application/octet-stream"
    return f"data:{media_type};base64,{text_or_empty(media.get('data'))}"


def finish_reason_of(candidate: dict[str, Any]) -> str:
    """Gemini's finish reason; empty where the candidate goes on."""
    reason = text_or_empty(candidate.get("finishReason"))
    return "" if reason in _UNSPECIFIED else reason


def chat_finish_reason(reason: str, *, called: bool) -> str:
    wanted = GEMINI_TO_CHAT.get(reason, "stop")
    return "tool_calls" if wanted == "stop" and called else wanted


def native_reason(reason: str) -> dict[str, Any]:
    """Gemini's own word where Chat's says less, in the member that OpenRouter has for it."""
    return {} if reason in _PLAIN_REASONS or not reason else {"native_finish_reason": reason}


def gave_up(candidate: dict[str, Any]) -> InvalidUpstreamResponse | None:
    """The error of a candidate that ended without an answer, and not for what it would have said."""
    reason = finish_reason_of(candidate)
    if not reason or reason in GEMINI_TO_CHAT:
        return None
    message = text_or_empty(candidate.get("finishMessage")) or _GAVE_UP.get(reason, "The model gave no answer.")
    return InvalidUpstreamResponse(
        f"{message} (Gemini's finish reason: {reason})",
        code=reason.lower(),
        remedy="Send the request again, or use another model.",
    )


def refusal_of(candidate: dict[str, Any]) -> str:
    """Why an answer was filtered, in words; empty where it was not, or Gemini does not say."""
    if GEMINI_TO_CHAT.get(finish_reason_of(candidate)) != "content_filter":
        return ""
    return text_or_empty(candidate.get("finishMessage"))


def blocked_prompt(body: dict[str, Any]) -> str:
    """Why Gemini refused the prompt itself; empty where it did not."""
    feedback = object_or_empty(body.get("promptFeedback"))
    reason = text_or_empty(feedback.get("blockReason"))
    if reason in _UNSPECIFIED:
        return ""
    words = text_or_empty(feedback.get("blockReasonMessage"))
    return words or f"Gemini blocked the prompt: {reason}"


def candidates_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The candidates of a JSON answer; none where the prompt was blocked. Raises InvalidUpstreamResponse."""
    candidates = list(objects_in(body.get("candidates")))
    if candidates:
        if not any(parts_of(candidate) for candidate in candidates) and (error := gave_up(candidates[0])):
            raise error
        return candidates
    if not blocked_prompt(body):
        raise no_answer(Format.GEMINI, body)
    return []


class Source(NamedTuple):
    """A web page behind the answer's characters from `start` to `end`."""

    url: str
    title: str
    start: int
    end: int
    cited: str


def sources_of(candidate: dict[str, Any], text: str) -> list[Source]:
    """The pages that the answer `text` rests on: grounding by Google's search, and recitations."""
    found: list[Source] = []
    if "groundingMetadata" not in candidate and "citationMetadata" not in candidate:
        return found
    metadata = object_or_empty(candidate.get("groundingMetadata"))
    pages = [object_or_empty(chunk.get("web")) for chunk in objects_in(metadata.get("groundingChunks"))]
    for support in objects_in(metadata.get("groundingSupports")):
        start, end = _span(object_or_empty(support.get("segment")), text)
        indices = support.get("groundingChunkIndices")
        known = [
            pages[index]
            for index in (indices if isinstance(indices, list) else ())
            if type(index) is int and 0 <= index < len(pages)
        ]
        found.extend(_source(page, start, end, text) for page in known)
    if not found:
        found = [_source(page, 0, len(text), text) for page in pages]
    for citation in objects_in(object_or_empty(candidate.get("citationMetadata")).get("citations")):
        start, end = _span(citation, text)
        found.append(_source(citation, start, end, text))
    return [source for source in found if source.url]


def _source(page: dict[str, Any], start: int, end: int, text: str) -> Source:
    return Source(text_or_empty(page.get("uri")), text_or_empty(page.get("title")), start, end, text[start:end])


def _span(segment: dict[str, Any], text: str) -> tuple[int, int]:
    """Characters of a segment, which Gemini counts in bytes of UTF-8 from the start of its part."""
    start = _characters(text, segment.get("startIndex"), 0)
    words = text_or_empty(segment.get("text"))
    if not words:
        return start, max(start, _characters(text, segment.get("endIndex"), len(text)))
    if not text.startswith(words, start):
        start = max(text.find(words), 0)
    return start, min(start + len(words), len(text))


def _characters(text: str, offset: Any, default: int) -> int:
    if type(offset) is not int or offset < 0:
        return default
    if text.isascii():
        return min(offset, len(text))
    return len(text.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore"))
