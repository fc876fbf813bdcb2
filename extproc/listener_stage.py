"""The listener stage: one object per ext_proc stream, fed with Envoy's messages in order.

Performance-sensitive: every request passes here (`make bench`).
"""

import logging
import time
from collections.abc import Awaitable
from typing import Any

from extproc import replies
from extproc.authentication import Edge, admit, error_format
from extproc.chain import CARRIED_BYTES, LONGEST, Chain, describe, possible
from extproc.credentials import CLIENT_CREDENTIALS
from extproc.decision import Decided, decide
from extproc.errors import BodyTooLarge, FiltersUnavailable, MethodNotAllowed, RateLimited, UnknownPath, local_error
from extproc.exchange import BodyMode, Exchange
from extproc.header_values import header_values
from extproc.limits.limiting import Limiting
from extproc.limits.limits import Asked
from extproc.local_replies import explain
from extproc.request_body import RequestBody
from extproc.selection import select_candidate
from extproc.services import Services
from extproc.snapshot import Snapshot
from extproc.tracing import RequestSpan
from hermesllm.conversation import ROUTED_FORMATS
from hermesllm.error_bodies import render_error
from hermesllm.errors import GatewayError, InvalidRequest
from hermesllm.formats import Format, client_endpoint
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import (
    ATTEMPT_COUNT,
    ATTEMPTS,
    BRIGHTSTAFF,
    CHAIN,
    CLIENT_HINTS,
    CLUSTER,
    INTERNAL_LISTENER,
    INTERNAL_NAMES,
    INTERNAL_PREFIXES,
    LISTENER,
    LOCAL_REPLY,
    MAX_RETRIES,
    PROVIDER_HINT,
    TRANSLATED,
)
from planoctl.config.registry import Candidate

log = logging.getLogger(__name__)

_ANTHROPIC_SHAPED = frozenset({Format.ANTHROPIC, Format.COUNT_TOKENS})
_JSON_HEADERS = {"content-type": "application/json"}
_REDIRECT_STATUS = 300
_BAD_GATEWAY = 502
_ERROR_STATUS = 400
_LONGEST_NAME = 200
_REQUEST_KINDS = frozenset({"request_headers", "request_body"})


class ListenerStage:
    """Decides and rewrites one request of a model listener."""

    def __init__(self, snapshot: Snapshot, services: Services, block: bytes = b"") -> None:
        """`block`: the header block of Envoy's call, in which the trace context is."""
        self._snapshot = snapshot
        self._services = services
        self._span = None if snapshot.spans is None else RequestSpan(snapshot.spans, block)
        self._headers: dict[str, str] = {}
        self._format = Format.CHAT
        self._exchange: Exchange | None = None
        self._chain: Chain | None = None
        self._decided: Decided | None = None
        self._mode = BodyMode.NONE
        self._status = 0
        self._mark: str | None = None
        self._served_here = False
        self._streams = False
        self._requested = ""
        self._forwarded = 0.0
        self._limiting: Limiting | None = None
        self._edge: Edge | None = None
        self.identity: str | None = None
        """Who the caller is, where the listener knows."""

    def handle(self, message: pb.ProcessingRequest) -> bytes | Awaitable[bytes]:
        """The serialised reply to one message. Never raises: a fault becomes a 500 in the client's format."""
        kind = message.WhichOneof("request")
        try:
            match kind:
                case "request_headers":
                    return self._request_headers(message)
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

    def _request_headers(self, request: pb.ProcessingRequest) -> bytes:
        message = request.request_headers
        self._headers = headers = header_values(message)
        path = headers.get(":path", "")
        endpoint = client_endpoint(path)
        self._format = endpoint.format if endpoint else error_format(path, headers)
        admission = admit(self._snapshot.edges, headers, request)
        self._edge, self.identity = admission.edge, admission.identity
        for name in admission.removed:
            headers.pop(name, None)
        if admission.only:
            return admission.reply_for_service()
        if endpoint is None:
            raise UnknownPath(path)
        if headers.get(":method") != "POST":
            raise MethodNotAllowed(headers.get(":method", "")[:20], path)
        if self._snapshot.filtered:  # requests must not slip past a guard that does not stand there yet
            raise FiltersUnavailable
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            raise BodyTooLarge(self._limit)
        if message.end_of_stream:
            raise InvalidRequest("Request parsing error: the request has no body", remedy="Send a JSON object.")
        return admission.reply()

    @property
    def _shape(self) -> str:
        """Whose error shape Envoy's own replies take."""
        return "anthropic" if self._format in _ANTHROPIC_SHAPED else self._format.value

    @property
    def _internal(self) -> bool:
        """The gateway's own processes ask, not a client."""
        return self._headers.get(LISTENER) == INTERNAL_LISTENER

    @property
    def _limit(self) -> int:
        return self._snapshot.config.overrides.max_request_bytes if self._edge is None else self._edge.limit

    def _request_body(self, encoded: bytes) -> bytes | Awaitable[bytes]:
        body = RequestBody.read(encoded, self._headers.get("content-encoding", ""), self._limit)
        self._streams = body.document.get("stream") is True
        self._requested = body.requested  # the document is about to be edited
        if self._span is not None:
            self._span.asked(self._format, self._headers, body.document)
        if self._format in ROUTED_FORMATS and not self._internal:
            inline = body.take_inline_preferences()
            if inline.preferences or (self._snapshot.config.routing_preferences and not inline.present):
                return self._routed(body)
        return self._forward(body, self._named(body))

    def _named(self, body: RequestBody) -> list[Candidate]:
        """The candidates of the model that the client names."""
        registry = self._snapshot.registry
        hint = self._headers.get(PROVIDER_HINT, "").strip() or None
        model = body.document.get("model")
        return registry.with_fallbacks(model or "", select_candidate(registry, model, hint))

    async def _routed(self, body: RequestBody) -> bytes:
        """As `_request_body`, after asking brightstaff."""
        try:
            named = self._named(body) if body.document.get("model") or self._snapshot.registry.default else []
            self._decided = decided = await decide(
                self._services.routing, self._snapshot, self._format, self._headers, body, named, self._traceparent
            )
            candidates = self._snapshot.registry.chain(decided.models)
            forwarded = self._forward(body, candidates or named or self._named(body))
            return forwarded if isinstance(forwarded, bytes) else await forwarded
        except GatewayError as error:
            return self._refuse(error, "request_body")
        except Exception as fault:  # noqa: BLE001 — the edge, as in `handle`
            return self._fault("request_body", fault)

    @property
    def _traceparent(self) -> str | None:
        """For what brightstaff does for this request."""
        return None if self._span is None else self._span.traceparent

    def _forward(self, body: RequestBody, candidates: list[Candidate]) -> bytes | Awaitable[bytes]:
        """The reply that sends the request on its way to the first of `candidates` that can serve it."""
        if self._format is Format.COUNT_TOKENS:
            able = [candidate for candidate in candidates if candidate.provider.speaks(Format.COUNT_TOKENS)]
            if not able:
                return self._count_here(body)
            candidates = able
        if len(candidates) > 1:
            ordered = self._services.health.ordered(candidates)[:LONGEST]
            exchanges = possible([self._new_exchange(each) for each in ordered], self._headers, body.document)
        else:
            exchanges = [self._new_exchange(candidates[0])]
        if self._snapshot.rules and self._format is not Format.COUNT_TOKENS and not self._internal:
            return self._limited(body, exchanges)
        return self._send(body, exchanges)

    def _limited(self, body: RequestBody, exchanges: list[Exchange]) -> bytes | Awaitable[bytes]:
        """As `_send`, to those of the exchanges that limits leave. Raises RateLimited and LimitsUnavailable."""
        asked = Asked(self._format, body.document, self._headers, body.requested, self.identity)
        limiting = Limiting(self._services.limits, self._snapshot.rules, asked)
        admitted = limiting.admit(exchanges)
        self._limiting = limiting
        if isinstance(admitted, list):
            return self._send(body, admitted)
        return self._answer_later(body, admitted)

    async def _answer_later(self, body: RequestBody, admitted: Awaitable[list[Exchange]]) -> bytes:
        try:
            return self._send(body, await admitted)
        except GatewayError as error:
            return self._refuse(error, "request_body")
        except Exception as fault:  # noqa: BLE001 — the edge, as in `handle`
            return self._fault("request_body", fault)

    def _send(self, body: RequestBody, exchanges: list[Exchange]) -> bytes:
        if len(exchanges) > 1:
            return self._forward_chain(body, Chain(tuple(exchanges)))
        return self._forward_single(body, exchanges[0])

    def _new_exchange(self, candidate: Candidate) -> Exchange:
        limit = self._snapshot.config.overrides.buffer_limit_bytes
        return Exchange(self._format, candidate, body_limit=limit, request_id=self._request_id)

    def _forward_single(self, body: RequestBody, exchange: Exchange) -> bytes:
        request = exchange.request(self._headers, body.raw, body.document)
        self._exchange = exchange
        removed = [*request.remove_headers, *_internal(self._headers), *body.outdated_headers]
        sent = body.replacement if request.body is None else request.body
        self._forwarded = time.monotonic()
        return replies.request_body(request.set_headers, removed, sent, self._metadata(exchange))

    def _forward_chain(self, body: RequestBody, chain: Chain) -> bytes:
        """The body goes on as the client sent it, and the upstream stage makes each attempt's request of it.

        Small ones that want a whole answer are prepared for the first attempt here: mostly it is the only one.
        """
        first = chain.attempt(1)
        self._chain, self._exchange = chain, first
        changes = {CHAIN: "1", MAX_RETRIES: str(len(chain.exchanges) - 1)}
        removed = [name for name in _internal(self._headers) if name not in changes]
        sent = body.replacement
        prepared = not self._streams and len(body.raw) <= CARRIED_BYTES
        if prepared:
            request = first.request(self._headers, body.raw, body.document)
            del request.set_headers[CLUSTER]
            changes |= request.set_headers
            removed += request.remove_headers
            sent = sent if request.body is None else request.body
        metadata = self._metadata(first)
        metadata["models"] = ", ".join(chain.models)
        metadata["chain"] = describe(chain, self._format, self._headers, body.raw if prepared else None)
        clusters = chain.clusters(stream=self._streams, prepared=prepared)
        self._forwarded = time.monotonic()
        return replies.request_body(changes, [*removed, *body.outdated_headers], sent, metadata, clusters)

    def _metadata(self, exchange: Exchange) -> dict[str, str]:
        """For error pages and access logs."""
        metadata = {
            **self._asked(),
            "upstream_format": exchange.upstream.value,
            "provider": exchange.candidate.provider.id,
            "model": exchange.candidate.model,
        }
        if self._limiting is not None and self._limiting.reservation:
            metadata["reservation"] = self._limiting.reservation
        if self._decided is not None:
            metadata |= self._decided.metadata()
        return metadata

    def _asked(self) -> dict[str, str]:
        """What is known of a request before it has somewhere to go, and of one that is refused."""
        metadata = {"client_format": self._shape, "requested_model": self._requested[:_LONGEST_NAME]}
        if self._streams:
            metadata["stream"] = "true"
        if self._internal:
            metadata["internal"] = "true"
        if self._span is not None and self._span.details:
            metadata["traced"] = self._span.details
        return metadata

    def _count_here(self, body: RequestBody) -> bytes:
        """A provider that cannot count: brightstaff does, with a tokenizer of its own."""
        self._served_here = True
        removed = [name for name in (*body.outdated_headers, *CLIENT_CREDENTIALS) if name in self._headers]
        metadata = {**self._asked(), "upstream_format": self._format.value}
        return replies.request_body({CLUSTER: BRIGHTSTAFF}, removed, body.replacement, metadata)

    def _response_headers(self, message: pb.HttpHeaders) -> bytes:
        if not self._headers:  # a filter before this one has answered
            return replies.response_headers({}, (), BodyMode.NONE)
        headers = header_values(message)
        self._status = int(headers.get(":status", "0"))
        self._mark = headers.get(LOCAL_REPLY)
        changes: dict[str, str] = {}
        removed: list[str] = []
        metadata: dict[str, str] | None = None
        if self._exchange is None:
            own = self._status < _ERROR_STATUS or (self._served_here and self._mark is None)
            self._mode = BodyMode.NONE if own else BodyMode.BUFFERED
            if self._mode is BodyMode.BUFFERED:
                removed.append("content-length")
        else:
            metadata = self._attempted(headers, changes, removed)
            translated = self._chain is not None and self._streams and TRANSLATED in headers
            head = self._exchange.passed_head() if translated else self._exchange.response_head(self._status, headers)
            self._mode = head.mode
            changes |= head.set_headers
            removed += head.remove_headers
            if self._limiting is not None:
                metadata = self._limiting.answered(self._exchange, self._status, headers, changes, removed, metadata)
        if self._format in _ANTHROPIC_SHAPED and self._request_id and "request-id" not in headers:
            changes["request-id"] = self._request_id
        if self._mark is not None:
            removed.append(LOCAL_REPLY)
        if message.end_of_stream and self._mode is not BodyMode.NONE:
            return self._bodiless()
        return replies.response_headers(changes, removed, self._mode, metadata)

    def _attempted(self, headers: dict[str, str], changes: dict[str, str], removed: list[str]) -> dict[str, str] | None:
        """Notes which attempt this is the answer of, and what that says about the candidates. Adds the headers."""
        text = headers.get(ATTEMPT_COUNT, "")
        count = int(text) if text.isdecimal() else 1
        if text:
            removed.append(ATTEMPT_COUNT)
            changes[ATTEMPTS] = text
        if self._decided is not None:
            changes |= self._decided.headers()
        health, metadata, chain = self._services.health, None, self._chain
        if chain is not None:
            for failed in chain.exchanges[: count - 1]:
                health.failed(failed.candidate.name)
            self._exchange = served = chain.attempt(count)
            metadata = {
                "provider": served.candidate.provider.id,
                "model": served.candidate.model,
                "upstream_format": served.upstream.value,
                "chain": "",  # no attempt reads it any more, and it may be as long as the request
            }
        exchange = self._exchange
        if exchange is not None:
            if self._mark is not None or self._status >= 500 or self._status in (429, 408):
                health.failed(exchange.candidate.name)
            elif self._status < _REDIRECT_STATUS:
                health.succeeded(exchange.candidate.name)
                if self._snapshot.observed and count == 1:
                    elapsed = time.monotonic() - self._forwarded
                    self._services.latencies.add(exchange.candidate.name, elapsed, stream=self._streams)
        return metadata

    def _bodiless(self) -> bytes:
        """The answer in place of a response that has headers only, where the client needs a body."""
        body = self._whole_body(b"")
        return replies.immediate(self._status, _JSON_HEADERS, body, "plano_provider_error")

    def _response_body(self, message: pb.HttpBody) -> bytes:
        exchange = self._exchange
        if self._mode is BodyMode.STREAMED and exchange is not None:
            before = exchange.usage
            chunk = exchange.response_chunk(message.body, end=message.end_of_stream)
            if message.end_of_stream and self._limiting is not None:
                self._limiting.settle(self._status, exchange.usage)
            if exchange.abandoned:  # the headers are out, so this resets the stream, and the provider's with it
                return replies.immediate(_BAD_GATEWAY, {}, b"", "plano_stream_abandoned")
            usage = exchange.usage
            return replies.response_chunk(chunk, None if usage is before else usage)
        body = self._whole_body(message.body)
        if exchange is None:
            return replies.response_body(body, _JSON_HEADERS)
        return replies.response_body(body, {}, exchange.usage)

    def _whole_body(self, body: bytes) -> bytes:
        """The client's body for a BUFFERED response. Raises GatewayError."""
        exchange = self._exchange
        if exchange is None:
            return self._render(local_error(self._status, self._limit))
        if self._mark is not None:
            raise explain(self._mark, self._status, exchange.candidate)
        if self._status >= _REDIRECT_STATUS:
            return exchange.upstream_error(body)
        translated = exchange.response_body(body)
        if self._limiting is not None:
            self._limiting.settle(self._status, exchange.usage)
        return translated

    def _refuse(self, error: GatewayError, kind: str | None) -> bytes:
        body = self._render(error)
        if self._limiting is not None:
            self._limiting.settle(error.status)
        if self._exchange is not None:
            body = self._exchange.redacted(body)
        if kind == "response_body":
            if self._mode is BodyMode.STREAMED:
                return replies.response_chunk(body)
            return replies.response_body(body, {":status": str(error.status), **_JSON_HEADERS})
        if isinstance(error, RateLimited):
            self._services.metrics.rate_limited(error.model or "", self.identity or "")
        changes = {**_JSON_HEADERS, **error.headers}
        if isinstance(error, MethodNotAllowed):
            changes["allow"] = "POST"
        if self._format in _ANTHROPIC_SHAPED and self._request_id:
            changes["request-id"] = self._request_id
        return replies.immediate(error.status, changes, body, f"plano_{error.code}", self._refused(kind))

    def _refused(self, kind: str | None) -> dict[str, str]:
        """The metadata of a request that goes nowhere; what has gone somewhere has more already."""
        if kind not in _REQUEST_KINDS or client_endpoint(self._headers.get(":path", "")) is None:
            return {}
        if self._span is not None and not self._span.details:
            self._span.asked(self._format, self._headers)
        counts = {"upstream_format": self._format.value} if self._format is Format.COUNT_TOKENS else {}
        return {**self._asked(), **counts}

    def _render(self, error: GatewayError) -> bytes:
        return render_error(self._format, error.report().about(request_id=self._request_id))

    def _fault(self, kind: str | None, fault: Exception) -> bytes:
        log.error("request_id=%s: fault while handling %s", self._request_id, kind, exc_info=fault)
        error = GatewayError("Internal gateway error", remedy="Report it with the request id; the log has the details.")
        return self._refuse(error, kind)


def _internal(headers: dict[str, Any]) -> list[str]:
    return [
        name for name in headers if name.startswith(INTERNAL_PREFIXES) or name in INTERNAL_NAMES or name in CLIENT_HINTS
    ]
