"""What the cells that read Gemini streams share: errors in their several shapes, usage, and when the answer is over.

Events of `streamGenerateContent?alt=sse` are whole answers, each with the next parts. Nothing marks the end: a stream
that ends after every candidate has given its finish reason is complete.
"""

from abc import abstractmethod
from typing import Any

import orjson

from hermesllm.error_bodies import error_in
from hermesllm.errors import ErrorReport, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.reading import objects_in
from hermesllm.sse import Event
from hermesllm.translate.base import Context
from hermesllm.translate.event_stream import EventStream, StreamWriter
from hermesllm.translate.gemini_message import blocked_prompt, gave_up
from hermesllm.translate.service_tiers import tier_of_gemini
from hermesllm.usage import Usage


class GeminiStream(EventStream):
    def __init__(self, context: Context, writer: StreamWriter) -> None:
        super().__init__(Format.GEMINI, context, writer)
        self.tier = ""

    def _event(self, event: Event) -> None:
        if not event.data:
            return
        answer = self._answer(event.data)
        if answer is None:
            return
        usage = answer.get("usageMetadata")
        if type(usage) is dict:
            self.usage = Usage.from_gemini(usage)
            if "serviceTier" in usage:
                self.tier = tier_of_gemini(answer)
        candidates = answer.get("candidates")
        if candidates:
            for candidate in objects_in(candidates):
                self._candidate(answer, candidate)
        elif why := blocked_prompt(answer):
            self._blocked(answer, why)

    def _answer(self, data: bytes) -> dict[str, Any] | None:
        """The event's JSON; None where it was an error, which may be an object or a list of one."""
        if data[:1] == b"[":
            try:
                document = orjson.loads(data)
            except orjson.JSONDecodeError:
                raise InvalidUpstreamResponse("The provider sent a stream event that is not JSON.") from None
            report = error_in(Format.GEMINI, document)
        else:
            answer = self._json(data)
            if "error" not in answer:
                return answer
            report = error_in(Format.GEMINI, answer)
        if report is None:
            self._fail("The provider sent a stream event that is neither an answer nor an error.")
        else:
            self._report(report)
        return None

    def _fail_for(self, candidate: dict[str, Any]) -> bool:
        """Tells the client where the model gave up before it said anything."""
        error = gave_up(candidate)
        if error is not None:
            self._report(ErrorReport(status=error.status, message=error.message, code=error.code, remedy=error.remedy))
        return error is not None

    @abstractmethod
    def _candidate(self, answer: dict[str, Any], candidate: dict[str, Any]) -> None:
        """The next piece of one candidate."""

    @abstractmethod
    def _blocked(self, answer: dict[str, Any], why: str) -> None:
        """Gemini refused the prompt: there will be no candidates."""
