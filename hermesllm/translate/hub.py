"""Two cells in a row, through Chat Completions: for pairs of formats without a cell of their own.

The Chat shapes in the middle are this library's: thinking with its signatures, cache usage and signatures of calls
are carried in the members that both cells know.
"""

from typing import Any

from hermesllm.translate.base import StreamTranslator, Translator
from hermesllm.usage import Usage


class HubStream:
    """The provider's stream through the upstream cell into Chat chunks, and through the client cell out of them."""

    def __init__(self, upstream: StreamTranslator, client: StreamTranslator) -> None:
        self._upstream = upstream
        self._client = client

    @property
    def usage(self) -> Usage | None:
        return self._upstream.usage

    @usage.setter
    def usage(self, value: Usage | None) -> None:
        self._upstream.usage = value

    @property
    def failed(self) -> bool:
        return self._upstream.failed or self._client.failed

    @failed.setter
    def failed(self, value: bool) -> None:
        self._upstream.failed = value

    def decode(self, chunk: bytes) -> bytes:
        between = self._upstream.decode(chunk)
        return self._client.decode(between) if between else b""

    def flush(self) -> bytes:
        between = self._upstream.flush()
        out = self._client.decode(between) if between else b""
        return out + self._client.flush()


class Hub:
    """`client` translates between the client's format and Chat, `upstream` between Chat and the provider's."""

    def __init__(self, client: Translator, upstream: Translator) -> None:
        self._client = client
        self._upstream = upstream

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._upstream.request(self._client.request(body))

    def response(self, body: Any) -> dict[str, Any]:
        return self._client.response(self._upstream.response(body))

    def response_as_stream(self, body: Any) -> bytes:
        return self._client.response_as_stream(self._upstream.response(body))

    def stream(self) -> StreamTranslator:
        return HubStream(self._upstream.stream(), self._client.stream())
