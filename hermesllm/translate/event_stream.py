"""The frame of every stream translation: decoding, faults, the end. One cell adds what an event means."""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import orjson

from hermesllm.error_bodies import error_in
from hermesllm.errors import ErrorReport, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.sse import Event, EventTooLarge, SSEDecoder
from hermesllm.translate.base import Context
from hermesllm.usage import Usage

_TRY_AGAIN = "Send the request again, or use another model."


def encode(value: Any) -> bytes:
    """JSON of a value that came from the provider. Raises InvalidUpstreamResponse for nesting beyond the encoder's."""
    try:
        return orjson.dumps(value)
    except TypeError:
        raise InvalidUpstreamResponse("The provider's answer is nested too deeply.") from None


class StreamWriter(Protocol):
    """Collects the events of one client stream in the order its API promises."""

    def take(self) -> bytes:
        """The bytes written since the last call."""
        ...

    def fail(self, report: ErrorReport) -> None:
        """Ends the stream with an error."""
        ...


class ProviderStream:
    """What stream translators of every framing share: JSON objects, and faults that end the client's stream."""

    def __init__(self, context: Context, writer: StreamWriter) -> None:
        self.usage: Usage | None = None
        self.failed = False
        self._context = context
        self._frame = writer
        self._closed = False

    def _json(self, data: bytes) -> dict[str, Any]:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise InvalidUpstreamResponse("The provider sent a stream event that is not JSON.") from None
        if type(document) is not dict:
            raise InvalidUpstreamResponse("The provider sent a stream event that is not a JSON object.")
        return document

    def _cut(self) -> None:
        self._fail("The provider ended the stream before the answer was complete.", code="stream_cut")

    def _fail(self, message: str, code: str = InvalidUpstreamResponse.code) -> None:
        self._report(ErrorReport(status=InvalidUpstreamResponse.status, message=message, code=code, remedy=_TRY_AGAIN))

    def _report(self, report: ErrorReport) -> None:
        """Tells the client of an error, once, and nothing after it."""
        if self._closed:
            return
        context = self._context
        self.failed = self._closed = True
        self._frame.fail(report.about(provider=context.provider.id, model=context.model, request_id=context.request_id))


class EventStream(ProviderStream, ABC):
    """A StreamTranslator for providers that answer with server-sent events of JSON objects."""

    def __init__(self, upstream: Format, context: Context, writer: StreamWriter) -> None:
        super().__init__(context, writer)
        self._upstream = upstream
        self._decoder = SSEDecoder()

    def decode(self, chunk: bytes) -> bytes:
        if self._closed:
            return b""
        try:
            self._read(self._decoder.decode(chunk))
        except EventTooLarge as error:
            self._read(error.events)
            self._fail(f"The provider's answer cannot be read: {error}.")
        return self._frame.take()

    def flush(self) -> bytes:
        if self._closed:
            return b""
        last = self._decoder.flush()
        try:
            for event in last:
                self._event(event)
        except InvalidUpstreamResponse:
            self._cut()  # half an event is what a cut leaves behind
        if not self._closed:
            self._end()
        return self._frame.take()

    @abstractmethod
    def _event(self, event: Event) -> None:
        """Writes what an event of the provider means to the client. Raises InvalidUpstreamResponse."""

    @abstractmethod
    def _end(self) -> None:
        """The provider's stream is over: closes the client's, or calls `_cut` where the answer was not complete."""

    def provider_error(self, event: dict[str, Any]) -> None:
        """Tells the client what an error event of the provider says."""
        report = error_in(self._upstream, event)
        if report is None:
            self._fail("The provider reported an error without a text.")
        else:
            self._report(report)

    def _read(self, events: list[Event]) -> None:
        try:
            for event in events:
                self._event(event)
                if self._closed:
                    return
        except InvalidUpstreamResponse as error:
            self._fail(error.message)
