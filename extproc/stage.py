"""The listener stage: one object per ext_proc stream, fed with Envoy's messages in order.

Performance-sensitive: every request passes here (`make bench`).
"""

import logging
from dataclasses import dataclass
from typing import Any

import orjson

from extproc import replies
from extproc.content_encoding import DecodingError, TooLarge, decode_body
from extproc.credentials import CLIENT_CREDENTIALS
from extproc.errors import BodyTooLarge, FiltersUnavailable, MethodNotAllowed, UnknownPath
from extproc.exchange import BodyMode, Exchange
from extproc.local_replies import explain
from extproc.selection import select_candidate
from hermesllm.error_bodies import render_error
from hermesllm.errors import GatewayError, InvalidRequest
from hermesllm.formats import Format, client_endpoint
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import (
    BRIGHTSTAFF,
    CLIENT_HINTS,
    CLUSTER,
    INTERNAL_NAMES,
    INTERNAL_PREFIXES,
    LOCAL_REPLY,
    PROVIDER_HINT,
)
from planoctl.config.inactive import has_filters
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import RuntimeConfig

log = logging.getLogger(__name__)

_ANTHROPIC_SHAPED = frozenset({Format.ANTHROPIC, Format.COUNT_TOKENS})
_JSON_HEADERS = {"content-type": "application/json"}
_REDIRECT_STATUS = 300
_BAD_GATEWAY = 502
_ERROR_STATUS = 400


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A configuration and what is derived from it. Swapped whole; a request keeps the one it started with."""

    config: RuntimeConfig
    registry: ModelRegistry
    filtered: bool

    @classmethod
    def of(cls, config: RuntimeConfig) -> "Snapshot":
        listener = config.model_listener
        return cls(config, ModelRegistry(config), filtered=listener is not None and has_filters(listener))


class ListenerStage:
    """Decides and rewrites one request of a model listener."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._headers: dict[str, str] = {}
        self._format = Format.CHAT
        self._exchange: Exchange | None = None
        self._mode = BodyMode.NONE
        self._status = 0
        self._mark: str | None = None
        self._served_here = False

    def handle(self, data: bytes) -> bytes:
        """The reply to one message, both serialised. Never raises: a fault becomes a 500 in the client's format."""
        message = pb.ProcessingRequest.FromString(data)
        kind = message.WhichOneof("request")
        try:
            match kind:
                case "request_headers":
                    return self._request_headers(message.request_headers)
                case "request_body":
                    return self._request_body(message.request_body.body)
                case "response_headers":
                    return self._response_headers(message.response_headers)
                case "response_body":
                    return self._response_body(message.response_body)
                case _:
                    return self._fault(kind, ValueError(f"unexpected message {kind}"))
        except GatewayError as error:
            return self._refuse(error, kind)
        except Exception as fault:  # noqa: BLE001 — the edge: whatever it is, the client gets an answer, the log the trace
            return self._fault(kind, fault)

    @property
    def _request_id(self) -> str | None:
        return self._headers.get("x-request-id")

    def _request_headers(self, message: pb.HttpHeaders) -> bytes:
        self._headers = headers = _headers(message)
        path = headers.get(":path", "")
        endpoint = client_endpoint(path)
        if endpoint is None:
            self._format = Format.ANTHROPIC if "anthropic-version" in headers else Format.CHAT
            raise UnknownPath(path)
        self._format = endpoint.format
        if headers.get(":method") != "POST":
            raise MethodNotAllowed(headers.get(":method", "")[:20], path)
        if self._snapshot.filtered:  # requests must not slip past a guard that does not stand there yet
            raise FiltersUnavailable
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            raise BodyTooLarge(self._limit)
        if message.end_of_stream:
            raise InvalidRequest("Request parsing error: the request has no body", remedy="Send a JSON object.")
        return replies.CONTINUE_REQUEST_HEADERS

    @property
    def _shape(self) -> str:
        """Whose error shape Envoy's own replies take."""
        return "anthropic" if self._format in _ANTHROPIC_SHAPED else self._format.value

    @property
    def _limit(self) -> int:
        return self._snapshot.config.overrides.max_request_bytes

    def _request_body(self, raw: bytes) -> bytes:
        encoded, raw = raw, self._decoded(raw)
        if len(raw) > self._limit:
            raise BodyTooLarge(self._limit)
        document = _parse(raw)
        hint = self._headers.get(PROVIDER_HINT, "").strip() or None
        candidate = select_candidate(self._snapshot.registry, document.get("model"), hint)
        if self._format is Format.COUNT_TOKENS and not candidate.provider.speaks(Format.COUNT_TOKENS):
            return self._count_here(raw if raw is not encoded else None)
        exchange = Exchange(
            self._format,
            candidate,
            body_limit=self._snapshot.config.overrides.buffer_limit_bytes,
            request_id=self._request_id,
        )
        try:
            request = exchange.request(self._headers, raw, document)
        except GatewayError as error:
            error.provider = error.provider or candidate.provider.id
            error.model = error.model or candidate.model
            raise
        self._exchange = exchange
        removed = [*request.remove_headers, *_internal(self._headers)]
        body = request.body
        if raw is not encoded:
            removed.append("content-encoding")
            body = raw if body is None else body
        metadata = {
            "client_format": self._shape,
            "provider": candidate.provider.id,
            "model": candidate.model,
            "requested_model": str(document.get("model") or "")[:200],
        }
        return replies.request_body(request.set_headers, removed, body, metadata)

    def _count_here(self, body: bytes | None) -> bytes:
        """A provider that cannot count: brightstaff does, with a tokenizer of its own."""
        self._served_here = True
        removed = [name for name in ("content-encoding", *CLIENT_CREDENTIALS) if name in self._headers]
        return replies.request_body({CLUSTER: BRIGHTSTAFF}, removed, body, {"client_format": self._shape})

    def _decoded(self, raw: bytes) -> bytes:
        try:
            return decode_body(self._headers.get("content-encoding", ""), raw, self._limit)
        except TooLarge:
            raise BodyTooLarge(self._limit) from None
        except DecodingError as fault:
            raise InvalidRequest(
                f"Request parsing error: {fault}", remedy="Send the body as plain JSON, or compressed with gzip."
            ) from None

    def _response_headers(self, message: pb.HttpHeaders) -> bytes:
        headers = _headers(message)
        self._status = int(headers.get(":status", "0"))
        self._mark = headers.get(LOCAL_REPLY)
        changes: dict[str, str] = {}
        removed: list[str] = []
        if self._exchange is None:
            own = self._status < _ERROR_STATUS or (self._served_here and self._mark is None)
            self._mode = BodyMode.NONE if own else BodyMode.BUFFERED
            if self._mode is BodyMode.BUFFERED:
                removed.append("content-length")
        else:
            head = self._exchange.response_head(self._status, headers)
            self._mode, changes, removed = head.mode, head.set_headers, head.remove_headers
        if self._format in _ANTHROPIC_SHAPED and self._request_id and "request-id" not in headers:
            changes["request-id"] = self._request_id
        if self._mark is not None:
            removed.append(LOCAL_REPLY)
        if message.end_of_stream and self._mode is not BodyMode.NONE:
            return self._bodiless()
        return replies.response_headers(changes, removed, self._mode)

    def _bodiless(self) -> bytes:
        """The answer in place of a response that has headers only, where the client needs a body."""
        body = self._whole_body(b"")
        return replies.immediate(self._status, _JSON_HEADERS, body, "plano_provider_error")

    def _response_body(self, message: pb.HttpBody) -> bytes:
        exchange = self._exchange
        if self._mode is BodyMode.STREAMED and exchange is not None:
            chunk = exchange.response_chunk(message.body, end=message.end_of_stream)
            if exchange.abandoned:  # the headers are out, so this resets the stream, and the provider's with it
                return replies.immediate(_BAD_GATEWAY, {}, b"", "plano_stream_abandoned")
            return replies.response_chunk(chunk)
        return replies.response_body(self._whole_body(message.body), _JSON_HEADERS if exchange is None else {})

    def _whole_body(self, body: bytes) -> bytes:
        """The client's body for a BUFFERED response. Raises GatewayError."""
        exchange = self._exchange
        if exchange is None:
            return self._render(_local_error(self._status, self._limit))
        if self._mark is not None:
            raise explain(self._mark, self._status, exchange.candidate)
        if self._status >= _REDIRECT_STATUS:
            return exchange.upstream_error(body)
        return exchange.response_body(body)

    def _refuse(self, error: GatewayError, kind: str | None) -> bytes:
        body = self._render(error)
        if self._exchange is not None:
            body = self._exchange.redacted(body)
        if kind == "response_body":
            if self._mode is BodyMode.STREAMED:
                return replies.response_chunk(body)
            return replies.response_body(body, {":status": str(error.status), **_JSON_HEADERS})
        changes = dict(_JSON_HEADERS)
        if isinstance(error, MethodNotAllowed):
            changes["allow"] = "POST"
        if self._format in _ANTHROPIC_SHAPED and self._request_id:
            changes["request-id"] = self._request_id
        return replies.immediate(error.status, changes, body, f"plano_{error.code}")

    def _render(self, error: GatewayError) -> bytes:
        return render_error(self._format, error.report().about(request_id=self._request_id))

    def _fault(self, kind: str | None, fault: Exception) -> bytes:
        log.error("request_id=%s: fault while handling %s", self._request_id, kind, exc_info=fault)
        error = GatewayError("Internal gateway error", remedy="Report it with the request id; the log has the details.")
        return self._refuse(error, kind)


def _headers(message: pb.HttpHeaders) -> dict[str, str]:
    """Headers by lower-case name, one letter per byte; of a repeated header the first value counts."""
    sent = message.headers.headers
    headers = {header.key: header.raw_value.decode("latin-1") for header in sent}
    if len(headers) < len(sent):
        headers = {header.key: header.raw_value.decode("latin-1") for header in reversed(sent)}
    return headers


def _internal(headers: dict[str, str]) -> list[str]:
    return [
        name for name in headers if name.startswith(INTERNAL_PREFIXES) or name in INTERNAL_NAMES or name in CLIENT_HINTS
    ]


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise InvalidRequest(
            f"Request parsing error: the body is not valid JSON: {fault}", remedy="Send one JSON object in UTF-8."
        ) from None
    if not isinstance(document, dict):
        raise InvalidRequest("Request parsing error: the body is not a JSON object", remedy="Send one JSON object.")
    return document


def _local_error(status: int, limit: int) -> GatewayError:
    """Envoy refused the request before it had a provider."""
    if status == BodyTooLarge.status:
        return BodyTooLarge(limit)
    return GatewayError(
        f"The gateway answered {status} before the request had a provider",
        status=status,
        code="gateway_error",
        remedy="Look at the gateway's access log for this request id.",
    )
