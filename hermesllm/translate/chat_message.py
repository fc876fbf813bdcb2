"""What providers put into a Chat message or delta beyond the official members, read in one place."""

from typing import Any

from hermesllm.reading import object_or_empty, objects_in, text_or_empty


def reasoning_of(message: dict[str, Any]) -> str:
    """The reasoning text; DeepSeek and vLLM call it `reasoning_content`, OpenRouter and Groq `reasoning`."""
    for name in ("reasoning_content", "reasoning"):
        text = message.get(name)
        if isinstance(text, str) and text:
            return text
    return ""


def split_content(content: Any) -> tuple[str, str]:
    """Thinking and text of a `content`: a string, or (Mistral's reasoning models) a list of parts."""
    if isinstance(content, str):
        return "", content
    thinking: list[str] = []
    text: list[str] = []
    for part in objects_in(content):
        if part.get("type") == "thinking":
            thinking.extend(text_or_empty(piece.get("text")) for piece in objects_in(part.get("thinking")))
            thinking.append(text_or_empty(part.get("thinking")))
        elif part.get("type") == "text":
            text.append(text_or_empty(part.get("text")))
    return "".join(thinking), "".join(text)


def signed_thinking(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Claude's thinking blocks as a Chat message carries them: `thinking_blocks`, or OpenRouter's `reasoning_details`.

    Only blocks that Anthropic takes back: thinking with a signature, and redacted thinking.
    """
    if "thinking_blocks" not in message and "reasoning_details" not in message:
        return []
    blocks = []
    for block in objects_in(message.get("thinking_blocks")):
        kind, signature, data = block.get("type"), block.get("signature"), block.get("data")
        if kind == "redacted_thinking" and isinstance(data, str) and data:
            blocks.append({"type": "redacted_thinking", "data": data})
        elif kind == "thinking" and isinstance(signature, str) and signature:
            text = text_or_empty(block.get("thinking"))
            blocks.append({"type": "thinking", "thinking": text, "signature": signature})
    return blocks or _from_details(message.get("reasoning_details"))


def _from_details(details: Any) -> list[dict[str, Any]]:
    """OpenRouter splits one thinking block of a stream into pieces; the signature comes with the last."""
    blocks = []
    text: list[str] = []
    for detail in objects_in(details):
        kind, data, signature = detail.get("type"), detail.get("data"), detail.get("signature")
        if kind == "reasoning.encrypted" and isinstance(data, str) and _is_claudes(detail):
            blocks.append({"type": "redacted_thinking", "data": data})
        elif kind == "reasoning.text":
            text.append(text_or_empty(detail.get("text")))
            if isinstance(signature, str) and signature:
                blocks.append({"type": "thinking", "thinking": "".join(text), "signature": signature})
                text = []
    return blocks


def _is_claudes(detail: dict[str, Any]) -> bool:
    """OpenAI's encrypted reasoning has the same type and would be refused by Anthropic."""
    return text_or_empty(detail.get("format")).startswith("anthropic")


def citation_of(annotation: dict[str, Any], text: str = "") -> dict[str, Any] | None:
    """The Messages citation of a Chat `url_citation`; None for other annotations."""
    found = object_or_empty(annotation.get("url_citation"))
    url = text_or_empty(found.get("url"))
    if not url:
        return None
    start, end = found.get("start_index"), found.get("end_index")
    cited = text[start:end] if isinstance(start, int) and isinstance(end, int) and 0 <= start <= end else ""
    return {
        "type": "web_search_result_location",
        "url": url,
        "title": text_or_empty(found.get("title")) or None,
        "cited_text": cited,
        "encrypted_index": "",
    }
