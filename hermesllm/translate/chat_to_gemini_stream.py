"""Streams of the cell "Chat Completions client, Gemini provider": generateContent answers in, chunks out."""

from typing import Any

from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.reading import text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_gemini_request import Asked
from hermesllm.translate.chat_to_gemini_response import (
    annotation_of,
    chat_image,
    chat_text,
    gemini_call,
    logprobs_of,
    metadata_of,
)
from hermesllm.translate.chat_writer import ChatWriter
from hermesllm.translate.gemini_message import (
    METADATA,
    Part,
    chat_finish_reason,
    finish_reason_of,
    native_reason,
    refusal_of,
    sources_of,
)
from hermesllm.translate.gemini_partial_calls import PartialCalls
from hermesllm.translate.gemini_signatures import extra_content, thought_mark
from hermesllm.translate.gemini_stream import GeminiStream
from hermesllm.usage import Usage


class _Choice:
    """One candidate on its way to the client."""

    def __init__(self, writer: ChatWriter) -> None:
        self.finish = ""
        self.spoke = False
        self.writer = writer
        self._partial = PartialCalls()
        self._text: list[str] = []
        self._thought: list[str] = []
        self._signature = ""
        self.in_thought = False
        self._thoughts = self._calls = self._images = 0
        self._refusal = ""
        self._native: dict[str, Any] = {}
        self._metadata: dict[str, Any] = {}

    def text(self, text: str) -> None:
        self.spoke = True
        self._text.append(text)
        self.writer.text(text)

    def read(self, candidate: dict[str, Any]) -> None:
        for part in self._partial.parts(candidate):
            self._part(part)
        logprobs = logprobs_of(candidate)
        if logprobs is not None:
            self.writer.logprobs(logprobs)
        self._metadata.update((name, candidate[name]) for name in METADATA if candidate.get(name))
        reason = finish_reason_of(candidate)
        if reason:
            self.finish = reason
            self._refusal = refusal_of(candidate) or self._refusal
            self._native = native_reason(reason)

    def refuse(self, why: str) -> None:
        self.finish, self._refusal = "SAFETY", why

    def close(self) -> None:
        """What is only known at the end, and the finish chunk."""
        self._end_thought()
        self._cite()
        last = {**(extra_content(self._signature) if self._signature else {}), **metadata_of(self._metadata)}
        if self._refusal:
            last["refusal"] = self._refusal
        if last:
            self.writer.delta(last)
        reason = chat_finish_reason(self.finish, called=self._calls > 0)
        self.writer.end_choice(reason, **self._native)

    def _part(self, part: Part) -> None:
        if part.kind == "thought":
            self._think(part)
            return
        self._end_thought()
        if part.kind == "call":
            self.spoke = True
            self._call(part)
        elif part.kind == "media":
            self.spoke = True
            self.writer.delta({"images": [{"index": self._images, **chat_image(part)}]})
            self._images += 1
        elif part.kind:
            text = chat_text(part)
            if text:
                self.text(text)
            self._signature = part.signature or self._signature

    def _think(self, part: Part) -> None:
        """Thoughts in a row are one thought, up to the part that is signed."""
        self.in_thought = self.spoke = True
        if part.value:
            self._thought.append(part.value)
            self.writer.reasoning(part.value)
        if part.signature:
            self._end_thought(part.signature)

    def _end_thought(self, signature: str = "") -> None:
        if self.in_thought:
            block = {"type": "thinking", "thinking": "".join(self._thought), "signature": thought_mark(signature)}
            self.writer.delta({"thinking_blocks": [{"index": self._thoughts, **block}]})
            self._thoughts += 1
            self._thought.clear()
            self.in_thought = False

    def _call(self, part: Part) -> None:
        """Calls come whole."""
        call = gemini_call(part)
        extra = {name: value for name, value in call.items() if name == "extra_content"}
        self.writer.tool_call(self._calls, call["id"], call["function"]["name"], **extra)
        self.writer.arguments(self._calls, call["function"]["arguments"])
        self._calls += 1

    def _cite(self) -> None:
        sources = sources_of(self._metadata, "".join(self._text)) if self._metadata else []
        if sources:
            entries = [{"index": index, **annotation_of(source)} for index, source in enumerate(sources)]
            self.writer.delta({"annotations": entries})


class ChatToGeminiStream(GeminiStream):
    def __init__(self, context: Context, asked: Asked | None = None) -> None:
        asked = asked or Asked()
        self._writer = ChatWriter(
            context.model,
            include_usage=asked.include_usage,
            legacy_functions=asked.legacy_functions,
            custom=asked.custom,
        )
        super().__init__(context, self._writer)
        self._choices: dict[int, _Choice] = {}

    def _candidate(self, answer: dict[str, Any], candidate: dict[str, Any]) -> None:
        index = candidate.get("index", 0)
        choice = self._choices.get(index) if type(index) is int else None
        # Hot path: nothing but the next text.
        if choice is not None and "finishReason" not in candidate and len(candidate) <= 2:
            try:
                (part,) = candidate["content"]["parts"]
                text = part["text"]
                if len(part) == 1 and text and not choice.in_thought:
                    choice.text(text)
                    return
            except (KeyError, TypeError, ValueError):
                pass
        if choice is None:
            choice = self._new_choice(answer, index if type(index) is int else 0)
        choice.read(candidate)
        if choice.finish and not any(each.spoke for each in self._choices.values()):
            self._fail_for(candidate)

    def _new_choice(self, answer: dict[str, Any], index: int) -> _Choice:
        model = text_or_empty(answer.get("modelVersion")) or None
        writer = self._writer.choice(index, text_or_empty(answer.get("responseId")) or None, model)
        choice = self._choices[index] = _Choice(writer)
        return choice

    def _blocked(self, answer: dict[str, Any], why: str) -> None:
        self._new_choice(answer, 0).refuse(why)

    def _end(self) -> None:
        choices = self._choices.values()
        if not choices or not all(choice.finish for choice in choices):
            self._cut()
            return
        try:
            self._writer.tell_tier(self.tier)
            for choice in choices:
                choice.close()
        except InvalidUpstreamResponse as error:
            self._fail(error.message)
            return
        self._closed = True
        self._writer.end(self.usage or Usage())
