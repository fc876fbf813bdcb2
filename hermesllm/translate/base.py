"""What every cell of the translation matrix offers. A translator is made per request and never shared."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from hermesllm.providers import Provider
from hermesllm.usage import Usage


@dataclass(slots=True)
class Context:
    """The target of one exchange, and what its translation had to leave behind.

    `dropped` collects the JSON paths of request members that the provider's format cannot express. `betas` are the
    flags of the client's `anthropic-beta` header, `answer_id` is the id that an answer has in its headers.
    """

    provider: Provider
    model: str
    dropped: list[str] = field(default_factory=list)
    request_id: str | None = None
    betas: tuple[str, ...] = ()
    answer_id: str = ""

    def drop(self, path: str) -> None:
        self.dropped.append(path)

    def rename(self, path: str, own: str) -> None:
        """Gives a dropped member of the provider's request the name it had in the client's."""
        self.dropped[:] = [own if dropped == path else dropped for dropped in self.dropped]


class StreamTranslator(Protocol):
    """Turns the provider's stream into the client's, whatever way its bytes are cut.

    `usage` is what the provider has reported so far, `failed` whether the client was told of an error.
    """

    usage: Usage | None
    failed: bool

    def decode(self, chunk: bytes) -> bytes:
        """Client bytes for the next provider bytes; may be empty. Never raises: a fault becomes an error event."""
        ...

    def flush(self) -> bytes:
        """The rest at the provider's end of stream; an error event when the stream was cut."""
        ...


class Translator(Protocol):
    """One cell of the matrix: client format → provider format and back."""

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        """The provider's request. `body` may be edited in place. Raises InvalidRequest or Untranslatable."""
        ...

    def response(self, body: Any) -> dict[str, Any]:
        """The client's answer for a provider's 2xx answer, which may be any JSON. Raises InvalidUpstreamResponse."""
        ...

    def response_as_stream(self, body: Any) -> bytes:
        """The client's whole stream for a JSON answer, sent though a stream was asked for. Raises as `response`."""
        ...

    def stream(self) -> StreamTranslator:
        """A translator for the stream of this answer."""
        ...


@runtime_checkable
class StreamGatherer(Protocol):
    """A cell some of whose providers stream though no stream was asked for, as ChatGPT subscriptions do."""

    def response_from_stream(self, body: bytes) -> dict[str, Any]:
        """The client's answer for a provider's whole stream. Raises InvalidUpstreamResponse."""
        ...
