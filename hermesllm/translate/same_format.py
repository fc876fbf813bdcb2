"""What the cells on the diagonal share: the answer is already what the client wants, so nothing of it is touched."""

from typing import Any

from hermesllm.error_bodies import no_answer
from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.translate.base import StreamTranslator
from hermesllm.translate.whole_stream import stream_from_response
from hermesllm.usage import Usage

# The member that makes a JSON document an answer.
_ANSWERS = {Format.CHAT: "choices", Format.ANTHROPIC: "content", Format.RESPONSES: "output"}


class VerbatimStream:
    """The provider's stream as it is."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.failed = False

    def decode(self, chunk: bytes) -> bytes:
        return chunk

    def flush(self) -> bytes:
        return b""


class SameFormat:
    """The answering half of a Translator whose client and provider speak `spoken`.

    The asking half replaces the top-level members it changes, so that a caller can see by identity which ones did.
    """

    def __init__(self, spoken: Format) -> None:
        self._spoken = spoken
        self._include_usage = False

    def response(self, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise InvalidUpstreamResponse("The provider's answer is not a JSON object.")
        return body

    def response_as_stream(self, body: Any) -> bytes:
        answer = self.response(body)
        if not isinstance(answer.get(_ANSWERS.get(self._spoken, "")), list):
            raise no_answer(self._spoken, answer)
        return stream_from_response(self._spoken, answer, include_usage=self._include_usage)

    def stream(self) -> StreamTranslator:
        return VerbatimStream()
