"""Streams of the cell "Messages client, Gemini provider": generateContent answers in, Messages events out."""

from typing import Any

from hermesllm.reading import text_or_empty
from hermesllm.translate.anthropic_to_gemini_response import blocks_of, citation_of, refused, shown_text, stop_of
from hermesllm.translate.anthropic_writer import AnthropicWriter
from hermesllm.translate.base import Context
from hermesllm.translate.event_stream import encode
from hermesllm.translate.gemini_message import METADATA, Part, finish_reason_of, sources_of
from hermesllm.translate.gemini_partial_calls import PartialCalls
from hermesllm.translate.gemini_signatures import carrier, thought_mark
from hermesllm.translate.gemini_stream import GeminiStream
from hermesllm.usage import Usage


class AnthropicToGeminiStream(GeminiStream):
    def __init__(self, context: Context) -> None:
        self._writer = AnthropicWriter(context.model)
        super().__init__(context, self._writer)
        self._partial = PartialCalls()
        self._text: list[str] = []
        self._stop: dict[str, Any] = {}
        self._metadata: dict[str, Any] = {}
        self._called = self._spoke = False
        self._after_text = ""  # a signature that waits for the end of the text block it signs
        self._code_calls: list[dict[str, Any]] = []

    def _candidate(self, answer: dict[str, Any], candidate: dict[str, Any]) -> None:
        # Hot path: nothing but more text for the text block that is open.
        if self._writer.open == "text" and "finishReason" not in candidate and len(candidate) <= 2:
            try:
                (part,) = candidate["content"]["parts"]
                text = part["text"]
                if len(part) == 1 and text and not self._after_text and not candidate.get("index"):
                    self._text.append(text)
                    self._writer.text(text)
                    return
            except (KeyError, TypeError, ValueError):
                pass
        if candidate.get("index") not in (None, 0):
            return  # a Messages answer is one; no more were asked for
        self._start(answer)
        for part in self._partial.parts(candidate):
            self._part(part)
        self._metadata.update((name, candidate[name]) for name in METADATA if candidate.get(name))
        if finish_reason_of(candidate) and (self._spoke or not self._fail_for(candidate)):
            self._stop = stop_of(candidate, called=self._called)

    def _start(self, answer: dict[str, Any]) -> None:
        if not self._writer.started:
            self._writer.model = text_or_empty(answer.get("modelVersion")) or self._writer.model
            self._writer.start(self.usage, text_or_empty(answer.get("responseId")) or None)

    def _part(self, part: Part) -> None:
        if not part.kind:
            return
        self._spoke = True
        if part.kind == "thought":
            self._leave_text()
            self._think(part)
        elif part.kind in ("text", "media"):
            self._say(part)
        else:
            self._leave_text()
            self._leave_thought()
            self._block(part)

    def _think(self, part: Part) -> None:
        """Thoughts in a row are one block, up to the part that is signed."""
        if part.value or self._writer.open != "thinking":
            self._writer.thinking(part.value)
        if part.signature:
            self._leave_thought(part.signature)

    def _say(self, part: Part) -> None:
        self._leave_thought()
        text = shown_text(part)
        if text:
            if self._after_text:
                self._leave_text()
            self._text.append(text)
            self._writer.text(text)
            self._after_text = part.signature
        elif part.signature:
            self._leave_text()
            self._after_text = part.signature
            self._leave_text(kind="alone")

    def _block(self, part: Part) -> None:
        if part.signature:
            self._writer.whole_block(carrier("next", part.signature))
        for block in blocks_of(part, self._code_calls):
            if "input" not in block:
                self._writer.whole_block(block)
                continue
            if block["type"] == "tool_use":
                self._called = True
            else:
                self._code_calls.append(block)
            self._writer.tool_use(block["id"], block["name"], block["type"])
            self._writer.arguments(encode(block["input"]).decode())
            self._writer.end_block()

    def _leave_thought(self, signature: str = "") -> None:
        if self._writer.open == "thinking":
            self._writer.signature(thought_mark(signature))
            self._writer.end_block()

    def _leave_text(self, kind: str = "before") -> None:
        signature, self._after_text = self._after_text, ""
        if signature:
            self._writer.whole_block(carrier(kind, signature))

    def _cite(self) -> None:
        sources = sources_of(self._metadata, "".join(self._text)) if self._metadata else []
        if sources and self._writer.open != "text":
            self._writer.text("")
        for source in sources:
            self._writer.delta({"type": "citations_delta", "citation": citation_of(source)})

    def _blocked(self, answer: dict[str, Any], why: str) -> None:
        self._start(answer)
        self._stop = refused(why)

    def _end(self) -> None:
        if not self._stop:
            self._cut()
            return
        self._closed = True
        self._leave_thought()
        self._cite()
        self._leave_text()
        stop = dict(self._stop)
        self._writer.tier = self.tier
        self._writer.finish(stop.pop("stop_reason"), stop.pop("stop_sequence"), self.usage or Usage(), **stop)
