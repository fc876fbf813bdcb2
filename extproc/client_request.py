"""What is known of one client's request, from its headers on. Made by the listener stage, never shared."""

from collections.abc import Mapping
from typing import Any

from extproc.authentication import Admission, Edge, admit, error_format
from extproc.captured_answer import CapturedAnswer
from extproc.errors import FiltersUnavailable, MethodNotAllowed, UnknownPath
from extproc.header_values import header_values
from extproc.request_body import RequestBody
from extproc.snapshot import Snapshot
from extproc.tracing import RequestSpan
from hermesllm.error_bodies import render_error
from hermesllm.errors import BodyTooLarge, GatewayError, InvalidRequest
from hermesllm.formats import ClientEndpoint, Format, client_endpoint
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import INTERNAL_LISTENER, LISTENER, PROVIDER_HINT

_ANTHROPIC_SHAPED = frozenset({Format.ANTHROPIC, Format.COUNT_TOKENS})
_LONGEST_NAME = 200


class ClientRequest:
    """`headers` are empty until they are here, and without the gateway's own credential. `identity`: who asks, where
    the listener knows; `requested`: the model that the client names.
    """

    def __init__(self, snapshot: Snapshot, block: bytes) -> None:
        """`block`: the header block of Envoy's call, in which the trace context is."""
        self.headers: dict[str, str] = {}
        self.format = Format.CHAT
        self.streams = False
        self.requested = ""
        self.identity: str | None = None
        self._snapshot = snapshot
        self._span = None if snapshot.spans is None else RequestSpan(snapshot.spans, block)
        self._edge: Edge | None = None
        self._endpoint: ClientEndpoint | None = None

    def admit(self, message: pb.ProcessingRequest) -> Admission:
        """Judge the head. Raises GatewayError for a request that need not send its body."""
        head = message.request_headers
        self.headers = headers = header_values(head)
        path = headers.get(":path", "")
        self._endpoint = endpoint = client_endpoint(path)
        self.format = endpoint.format if endpoint else error_format(path, headers)
        admission = admit(self._snapshot.edges, headers, message)
        self._edge, self.identity = admission.edge, admission.identity
        for name in admission.removed:
            headers.pop(name, None)
        if admission.only:
            return admission
        if endpoint is None:
            raise UnknownPath(path)
        if headers.get(":method") != "POST":
            raise MethodNotAllowed(headers.get(":method", "")[:20], path)
        if self._snapshot.filtered:  # requests must not slip past a guard that does not stand there yet
            raise FiltersUnavailable
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.limit:
            raise BodyTooLarge(self.limit)
        if head.end_of_stream:
            raise InvalidRequest("Request parsing error: the request has no body", remedy="Send a JSON object.")
        return admission

    def read(self, encoded: bytes) -> RequestBody:
        """The body. Raises InvalidRequest and BodyTooLarge."""
        body = RequestBody.read(encoded, self.headers.get("content-encoding", ""), self.limit)
        self.streams = body.document.get("stream") is True
        self.requested = body.requested  # the document will be edited
        if self._span is not None:
            self._span.asked(self.format, self.headers, body.document)
        return body

    @property
    def id(self) -> str | None:
        return self.headers.get("x-request-id")

    @property
    def limit(self) -> int:
        """The largest body, in bytes."""
        return self._snapshot.config.overrides.max_request_bytes if self._edge is None else self._edge.limit

    @property
    def internal(self) -> bool:
        """The gateway's own processes ask, not a client."""
        return self.headers.get(LISTENER) == INTERNAL_LISTENER

    @property
    def anthropic_shaped(self) -> bool:
        """Whether its errors and its headers are those of Anthropic's API."""
        return self.format in _ANTHROPIC_SHAPED

    @property
    def hint(self) -> str | None:
        """The provider or model that a header names."""
        return self.headers.get(PROVIDER_HINT, "").strip() or None

    @property
    def traceparent(self) -> str | None:
        """For what brightstaff does for this request."""
        return None if self._span is None else self._span.traceparent

    @property
    def captured(self) -> bool:
        """Whether somebody wants to know what is answered."""
        return self._span is not None and self._span.captures

    def answer(self, headers: Mapping[str, str]) -> CapturedAnswer | None:
        """Reads along an answer that the client gets with these headers; None where nothing of it can be told."""
        return None if self._span is None else self._span.answer(self.format, headers, self.id)

    def metadata(self) -> dict[str, str]:
        """For error pages and access logs: what is known before the request has somewhere to go."""
        shape = "anthropic" if self.anthropic_shaped else self.format.value
        metadata = {"client_format": shape, "requested_model": self.requested[:_LONGEST_NAME]}
        if self.streams:
            metadata["stream"] = "true"
        if self.internal:
            metadata["internal"] = "true"
        if self._span is not None and self._span.details:
            metadata["traced"] = self._span.details
        return metadata

    def refused_metadata(self) -> Mapping[str, str]:
        """The same of a request that goes nowhere; nothing where it was for no API."""
        if self._endpoint is None:
            return {}
        if self._span is not None and not self._span.details:
            self._span.asked(self.format, self.headers)
        counts = {"upstream_format": self.format.value} if self.format is Format.COUNT_TOKENS else {}
        return {**self.metadata(), **counts}

    def render(self, error: GatewayError) -> bytes:
        """An error as the client's API writes it."""
        return render_error(self.format, error.report().about(request_id=self.id))

    def answer_headers(self, headers: Mapping[str, Any]) -> dict[str, str]:
        """What an answer with `headers` lacks of those that the client's API has."""
        if self.anthropic_shaped and self.id and "request-id" not in headers:
            return {"request-id": self.id}
        return {}
