"""JSON answers of the cell "Chat Completions client, Gemini provider"."""

import time
from typing import Any

from hermesllm.ids import random_hex
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_gemini_request import Asked
from hermesllm.translate.custom_tools import chat_call
from hermesllm.translate.gemini_message import (
    Part,
    Source,
    blocked_prompt,
    call_arguments,
    call_id_of,
    candidates_of,
    chat_finish_reason,
    data_url,
    finish_reason_of,
    native_reason,
    parts_of,
    read_part,
    refusal_of,
    sources_of,
)
from hermesllm.translate.gemini_signatures import extra_content, thought_mark
from hermesllm.translate.service_tiers import tier_for_openai, tier_of_gemini
from hermesllm.usage import Usage


def to_chat_completion(body: Any, asked: Asked, context: Context) -> dict[str, Any]:
    """The Chat completion of a generateContent answer. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    candidates = candidates_of(body)
    choices = [_choice(position, candidate, asked) for position, candidate in enumerate(candidates)]
    return {
        "id": text_or_empty(body.get("responseId")) or f"chatcmpl-{random_hex()}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": text_or_empty(body.get("modelVersion")) or context.model,
        "choices": choices or [_refused(blocked_prompt(body))],
        "usage": Usage.from_gemini(object_or_empty(body.get("usageMetadata"))).to_chat(),
        **tier_for_openai(tier_of_gemini(body)),
    }


def _refused(why: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "refusal": why}
    return {"index": 0, "message": message, "logprobs": None, "finish_reason": "content_filter"}


def _choice(position: int, candidate: dict[str, Any], asked: Asked) -> dict[str, Any]:
    message = _message(candidate, asked)
    reason = finish_reason_of(candidate)
    called = "tool_calls" in message or "function_call" in message
    finish = chat_finish_reason(reason, called=called)
    index = candidate.get("index")
    return {
        "index": index if type(index) is int else position,
        "message": message,
        "logprobs": logprobs_of(candidate),
        "finish_reason": "function_call" if finish == "tool_calls" and "function_call" in message else finish,
        **native_reason(reason),
    }


class _Message:
    """What the parts of one candidate say, gathered as the members of a Chat message."""

    def __init__(self, custom: frozenset[str]) -> None:
        self._custom = custom
        self.text = ""
        self.thoughts: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.images: list[dict[str, Any]] = []
        self.signature = ""
        self._thought_is_open = False

    def add(self, part: Part) -> None:
        was_open, self._thought_is_open = self._thought_is_open, False
        if part.kind == "thought":
            self._thought(part, joins=was_open)
        elif part.kind == "call":
            self.calls.append(gemini_call(part, self._custom))
        elif part.kind == "media":
            self.images.append(chat_image(part))
        elif part.kind:
            self.text += chat_text(part)
            self.signature = part.signature or self.signature

    def _thought(self, part: Part, *, joins: bool) -> None:
        """Thoughts in a row are one thought, up to the part that is signed."""
        if joins:
            block = self.thoughts[-1]
            block["thinking"] += part.value
        else:
            block = {"type": "thinking", "thinking": part.value}
            self.thoughts.append(block)
        block["signature"] = thought_mark(part.signature)
        self._thought_is_open = not part.signature


def _message(candidate: dict[str, Any], asked: Asked) -> dict[str, Any]:
    said = _Message(asked.custom)
    for part in parts_of(candidate):
        said.add(read_part(part))
    refusal = refusal_of(candidate) or None
    silent = not said.text and bool(said.calls or said.images or refusal)
    message: dict[str, Any] = {"role": "assistant", "content": None if silent else said.text, "refusal": refusal}
    annotations = [annotation_of(source) for source in sources_of(candidate, said.text)]
    if annotations:
        message["annotations"] = annotations
    reasoning = "".join(block["thinking"] for block in said.thoughts)
    if reasoning:
        message["reasoning_content"] = reasoning
    if said.thoughts:
        message["thinking_blocks"] = said.thoughts
    if said.signature:
        message.update(extra_content(said.signature))
    if said.images:
        message["images"] = said.images
    if said.calls and asked.legacy_functions:
        message["function_call"] = said.calls[0]["function"]
    elif said.calls:
        message["tool_calls"] = said.calls
    message.update(metadata_of(candidate))
    return message


def metadata_of(candidate: dict[str, Any]) -> dict[str, Any]:
    """What Google wants shown or heeded beyond the answer, under names of its own: search entry point, ratings."""
    names = {"groundingMetadata": "grounding_metadata", "safetyRatings": "safety_ratings"}
    return {name: candidate[native] for native, name in names.items() if candidate.get(native)}


def gemini_call(part: Part, custom: frozenset[str] = frozenset()) -> dict[str, Any]:
    name, arguments = text_or_empty(part.value.get("name")), call_arguments(part.value)
    call = chat_call(call_id_of(part.value, "call_"), name, arguments, custom)
    return {**call, **extra_content(part.signature)} if part.signature else call


def chat_image(part: Part) -> dict[str, Any]:
    """A generated image, in the member that OpenRouter has for it."""
    image = {"type": "image_url", "image_url": {"url": data_url(part.value)}}
    return {**image, **extra_content(part.signature)} if part.signature else image


def chat_text(part: Part) -> str:
    """Text, or what Google's own code tool did, as Markdown."""
    if part.kind == "code":
        language = text_or_empty(part.value.get("language")).lower()
        return f"\n```{language}\n{text_or_empty(part.value.get('code'))}\n```\n"
    if part.kind == "code_result":
        return f"\n```\n{text_or_empty(part.value.get('output'))}\n```\n"
    return text_or_empty(part.value)


def annotation_of(source: Source) -> dict[str, Any]:
    cited = {"url": source.url, "title": source.title, "start_index": source.start, "end_index": source.end}
    return {"type": "url_citation", "url_citation": cited}


def logprobs_of(candidate: dict[str, Any]) -> dict[str, Any] | None:
    """Chat's `logprobs` of a candidate; None where it has none."""
    result = object_or_empty(candidate.get("logprobsResult"))
    chosen = list(objects_in(result.get("chosenCandidates")))
    if not chosen:
        return None
    tops = result.get("topCandidates")
    steps = tops if isinstance(tops, list) else []
    content = []
    for position, token in enumerate(chosen):
        step = object_or_empty(steps[position]) if position < len(steps) else {}
        content.append({**_token(token), "top_logprobs": [_token(each) for each in objects_in(step.get("candidates"))]})
    return {"content": content, "refusal": None}


def _token(candidate: dict[str, Any]) -> dict[str, Any]:
    text = text_or_empty(candidate.get("token"))
    value = candidate.get("logProbability")
    logprob = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "replace"))}
