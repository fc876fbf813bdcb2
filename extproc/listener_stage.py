"""The listener stage: one object per ext_proc stream, fed with Envoy's messages in order.

Performance-sensitive: every request passes here (`make bench`).
"""

import logging
import time
from collections.abc import Awaitable, Mapping
from types import MappingProxyType

from extproc import replies
from extproc.captured_answer import CapturedAnswer
from extproc.client_request import ClientRequest
from extproc.errors import MethodNotAllowed, RateLimited, local_error
from extproc.exchange import BodyMode, ResponseHead
from extproc.forwarding import Forwarding, served_by
from extproc.header_values import header_values
from extproc.local_replies import explain
from extproc.services import Services
from extproc.snapshot import Snapshot
from hermesllm.errors import GatewayError
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import ATTEMPT_COUNT, ATTEMPTS, LOCAL_REPLY, TRANSLATED

log = logging.getLogger(__name__)

_JSON_HEADERS = {"content-type": "application/json"}
_REDIRECT_STATUS = 300
_BAD_GATEWAY = 502
_ERROR_STATUS = 400
_OVERLOADED = frozenset({408, 429})
_PROVIDER_ERROR = MappingProxyType({"error": "provider_error"})
_REQUEST_KINDS = frozenset({"request_headers", "request_body"})


class ListenerStage:
    """Decides and rewrites one request of a model listener, and its response."""

    def __init__(self, snapshot: Snapshot, services: Services, block: bytes = b"") -> None:
        """`block`: the header block of Envoy's call, in which the trace context is."""
        self._snapshot = snapshot
        self._services = services
        self._request = ClientRequest(snapshot, block)
        self._way = Forwarding(snapshot, services, self._request)
        self._mode = BodyMode.NONE
        self._status = 0
        self._mark: str | None = None
        self._answer: CapturedAnswer | None = None
        self._passed = False  # a STREAMED body that is only read along
        self._failed = False

    def handle(self, message: pb.ProcessingRequest) -> bytes | Awaitable[bytes]:
        """The serialised reply to one message. Never raises: a fault becomes a 500 in the client's format."""
        kind = message.WhichOneof("request")
        try:
            match kind:
                case "request_headers":
                    return self._request_headers(message)
                case "request_body":
                    reply = self._way.forward(self._request.read(message.request_body.body))
                    return reply if isinstance(reply, bytes) else self._guarded(reply, kind)
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

    async def _guarded(self, reply: Awaitable[bytes], kind: str) -> bytes:
        try:
            return await reply
        except GatewayError as error:
            return self._refuse(error, kind)
        except Exception as fault:  # noqa: BLE001 — the edge, as above
            return self._fault(kind, fault)

    def _request_headers(self, message: pb.ProcessingRequest) -> bytes:
        admission = self._request.admit(message)
        return admission.reply_for_service() if admission.only else admission.reply()

    def _response_headers(self, message: pb.HttpHeaders) -> bytes:
        request, way = self._request, self._way
        if not request.headers:  # a filter before this one has answered
            return replies.response_headers({}, (), BodyMode.NONE)
        headers = header_values(message)
        self._status = int(headers.get(":status", "0"))
        self._mark = headers.get(LOCAL_REPLY)
        changes: dict[str, str] = {}
        removed: list[str] = []
        metadata: dict[str, str] | None = None
        if way.exchange is None:
            own = self._status < _ERROR_STATUS or (way.served_here and self._mark is None)
            self._mode = BodyMode.NONE if own else BodyMode.BUFFERED
            if self._mode is BodyMode.BUFFERED:
                removed.append("content-length")
        else:
            metadata = self._attempted(headers, changes, removed)
            translated = way.chain is not None and request.streams and TRANSLATED in headers
            head = way.exchange.passed_head() if translated else way.exchange.response_head(self._status, headers)
            self._mode = head.mode
            if request.captured and self._status < _REDIRECT_STATUS and not message.end_of_stream:
                self._capture(head, headers)
            changes |= head.set_headers
            removed += head.remove_headers
            if way.limiting is not None:
                metadata = way.limiting.answered(way.exchange, self._status, headers, changes, removed, metadata)
        changes |= request.answer_headers(headers)
        if self._mark is not None:
            removed.append(LOCAL_REPLY)
        if message.end_of_stream and self._mode is not BodyMode.NONE:
            return self._bodiless()
        return replies.response_headers(changes, removed, self._mode, metadata)

    def _attempted(
        self, headers: Mapping[str, str], changes: dict[str, str], removed: list[str]
    ) -> dict[str, str] | None:
        """Notes which attempt this is the answer of, and what that says about the candidates. Adds the headers."""
        way = self._way
        text = headers.get(ATTEMPT_COUNT, "")
        count = int(text) if text.isdecimal() else 1
        if text:
            removed.append(ATTEMPT_COUNT)
            changes[ATTEMPTS] = text
        if way.decided is not None:
            changes |= way.decided.headers()
        metadata = None
        if way.chain is not None:
            for failed in way.chain.exchanges[: count - 1]:
                self._services.health.failed(failed.candidate.name)
            way.exchange = served = way.chain.attempt(count)
            metadata = {**served_by(served), "chain": ""}  # no attempt reads it any more, and it may be long
        if way.exchange is not None:
            self._judge(way.exchange.candidate.name, first=count == 1)
        return metadata

    def _capture(self, head: ResponseHead, headers: Mapping[str, str]) -> None:
        """Read along the answer, also one that would not pass here else."""
        kept = {name: value for name, value in headers.items() if name not in head.remove_headers}
        self._answer = self._request.answer(kept | head.set_headers)
        if self._answer is not None and head.mode is BodyMode.NONE:
            self._mode, self._passed = BodyMode.STREAMED, True

    def _told(self, sent: bytes, *, end: bool) -> Mapping[str, str] | None:
        """Metadata of what the client has been answered, once it has been."""
        return None if self._answer is None else self._answer.take(sent, end=end)

    def _judge(self, name: str, *, first: bool) -> None:
        """What the answer says of the candidate that gave it; `first`: none was asked before."""
        health = self._services.health
        if self._mark is not None or self._status >= 500 or self._status in _OVERLOADED:
            health.failed(name)
        elif self._status < _REDIRECT_STATUS:
            health.succeeded(name)
            if self._snapshot.observed and first:
                elapsed = time.monotonic() - self._way.began
                self._services.latencies.add(name, elapsed, stream=self._request.streams)

    def _bodiless(self) -> bytes:
        """The answer in place of a response that has headers only, where the client needs a body."""
        body = self._whole_body(b"")
        return replies.immediate(self._status, _JSON_HEADERS, body, "plano_provider_error", _PROVIDER_ERROR)

    def _response_body(self, message: pb.HttpBody) -> bytes:
        exchange, limiting = self._way.exchange, self._way.limiting
        if self._passed:
            return replies.passed_chunk(self._told(message.body, end=message.end_of_stream))
        if self._mode is BodyMode.STREAMED and exchange is not None:
            before = exchange.usage
            chunk = exchange.response_chunk(message.body, end=message.end_of_stream)
            if message.end_of_stream and limiting is not None:
                limiting.settle(self._status, exchange.usage)
            if exchange.abandoned:  # the headers are out, so this resets the stream, and the provider's with it
                return replies.immediate(_BAD_GATEWAY, {}, b"", "plano_stream_abandoned")
            usage = exchange.usage
            told = self._told(chunk, end=message.end_of_stream)
            if exchange.failed and not self._failed:
                self._failed, told = True, {**(told or {}), **_PROVIDER_ERROR}
            return replies.response_chunk(chunk, None if usage is before else usage, told)
        body = self._whole_body(message.body)
        if exchange is None:
            code = local_error(self._status, self._request.limit).code
            return replies.response_body(body, _JSON_HEADERS, metadata={"error": code})
        told = _PROVIDER_ERROR if self._status >= _REDIRECT_STATUS else self._told(body, end=True)
        return replies.response_body(body, {}, exchange.usage, told)

    def _whole_body(self, body: bytes) -> bytes:
        """The client's body for a BUFFERED response. Raises GatewayError."""
        exchange, limiting = self._way.exchange, self._way.limiting
        if exchange is None:
            return self._request.render(local_error(self._status, self._request.limit))
        if self._mark is not None:
            raise explain(self._mark, self._status, exchange.candidate)
        if self._status >= _REDIRECT_STATUS:
            return exchange.upstream_error(body)
        translated = exchange.response_body(body)
        if limiting is not None:
            limiting.settle(self._status, exchange.usage)
        return translated

    def _refuse(self, error: GatewayError, kind: str | None) -> bytes:
        request, way = self._request, self._way
        body = request.render(error)
        if way.limiting is not None:
            way.limiting.settle(error.status)
        if way.exchange is not None:
            body = way.exchange.redacted(body)
        coded = {"error": error.code}
        if kind == "response_body":
            if self._mode is BodyMode.STREAMED:
                return replies.response_chunk(body, metadata=coded)
            return replies.response_body(body, {":status": str(error.status), **_JSON_HEADERS}, metadata=coded)
        if isinstance(error, RateLimited):
            self._services.metrics.rate_limited(error.model or "", request.identity or "")
        changes = {**_JSON_HEADERS, **error.headers, **request.answer_headers({})}
        if isinstance(error, MethodNotAllowed):
            changes["allow"] = "POST"
        # What has gone somewhere has more metadata already.
        metadata = request.refused_metadata() if kind in _REQUEST_KINDS else {}
        return replies.immediate(error.status, changes, body, f"plano_{error.code}", {**metadata, **coded})

    def _fault(self, kind: str | None, fault: Exception) -> bytes:
        log.error("request_id=%s: fault while handling %s", self._request.id, kind, exc_info=fault)
        error = GatewayError("Internal gateway error", remedy="Report it with the request id; the log has the details.")
        return self._refuse(error, kind)
