"""The upstream stage: makes one attempt's request from the client's, inside the cluster of the attempt's candidate.

Envoy hands it the client's body each time, but the headers as the attempt before left them.
"""

import logging

import orjson

from extproc import replies
from extproc.chain import Attempt, attempt
from extproc.errors import ConfigurationChanged
from extproc.exchange import BodyMode, Exchange
from extproc.header_values import header_values
from extproc.snapshot import Snapshot
from hermesllm.error_bodies import render_error
from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import ATTEMPT_ATTRIBUTE, CLUSTER, METADATA_NAMESPACE, TRANSLATED

log = logging.getLogger(__name__)

_ATTRIBUTES = "envoy.filters.http.ext_proc"
_JSON_HEADERS = {"content-type": "application/json"}


class UpstreamStage:
    """Rewrites one attempt's request, and of its response what is a stream; the listener stage does the rest.

    It holds the head of a stream back until the first bytes of the body are there: an attempt that breaks off before
    that has not answered, and the next may.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._attempt: Attempt | None = None
        self._present: frozenset[str] = frozenset()
        self._exchange: Exchange | None = None
        self._mode = BodyMode.NONE
        self._head: bytes | None = None

    def handle(self, message: pb.ProcessingRequest) -> bytes | tuple[bytes, ...]:
        """The serialised replies to one message. Never raises."""
        try:
            match message.WhichOneof("request"):
                case "request_headers":
                    return self._request_headers(message)
                case "request_body":
                    return self._request_body(message.request_body.body)
                case "response_headers":
                    return self._response_headers(message.response_headers)
                case _:
                    return self._response_body(message.response_body)
        except GatewayError as error:
            return self._refuse(error)
        except Exception:  # the edge: whatever it is, the client gets an answer, the log the trace
            log.exception("fault in the upstream stage")
            return self._refuse(GatewayError("Internal gateway error", remedy="The sidecar's log has the details."))

    def _request_headers(self, message: pb.ProcessingRequest) -> bytes:
        metadata = message.metadata_context.filter_metadata[METADATA_NAMESPACE].fields
        count = int(message.attributes[_ATTRIBUTES].fields[ATTEMPT_ATTRIBUTE].number_value)
        self._attempt = attempt(metadata["chain"].string_value, count, self._snapshot.registry)
        if self._attempt is None:
            raise ConfigurationChanged
        self._present = frozenset(header.key for header in message.request_headers.headers.headers)
        return replies.CONTINUE_REQUEST_HEADERS

    def _request_body(self, sent: bytes) -> bytes:
        current = self._attempt
        if current is None:
            raise ConfigurationChanged
        raw = sent if current.body is None else current.body
        exchange = self._exchange = Exchange(
            current.client,
            current.candidate,
            body_limit=self._snapshot.config.overrides.buffer_limit_bytes,
            request_id=current.headers.get("x-request-id"),
        )
        request = exchange.request(current.headers, raw, orjson.loads(raw))
        changes = request.set_headers
        del changes[CLUSTER]
        for name in ("anthropic-version", "anthropic-beta"):  # the client's own, if an earlier attempt has changed them
            if name in current.headers and name not in request.remove_headers:
                changes.setdefault(name, current.headers[name])
        removed = [name for name in self._present & current.own if name not in changes]
        body = request.body
        if body is None and current.body is not None:
            body = raw
        return replies.attempt_body(changes, removed, body, len(raw if body is None else body))

    def _response_headers(self, message: pb.HttpHeaders) -> bytes | tuple[bytes, ...]:
        """Holds the head of a stream back. Everything else is left to the listener stage."""
        exchange = self._exchange
        headers = header_values(message)
        status = int(headers.get(":status", "0"))
        if exchange is None or message.end_of_stream or not 200 <= status < 300:
            return replies.attempt_response_headers({}, [TRANSLATED])
        try:
            head = exchange.response_head(status, headers)
        except GatewayError:  # the listener stage finds the same, and may say so
            return replies.attempt_response_headers({}, [TRANSLATED])
        self._mode = head.mode
        if head.mode is BodyMode.BUFFERED:
            self._head = replies.attempt_response_headers({}, [TRANSLATED])
        else:
            changes = {name: value for name, value in head.set_headers.items() if name == "content-type"}
            self._head = replies.attempt_response_headers({**changes, TRANSLATED: "1"}, head.remove_headers)
        return ()

    def _response_body(self, message: pb.HttpBody) -> bytes | tuple[bytes, ...]:
        if self._mode is BodyMode.STREAMED and self._exchange is not None:
            before = self._exchange.usage
            chunk = self._exchange.response_chunk(message.body, end=message.end_of_stream)
            usage = self._exchange.usage
            reply = replies.response_chunk(chunk, None if usage is before else usage)
        else:
            reply = replies.CONTINUE_RESPONSE_BODY
        if self._head is None:
            return reply
        head, self._head = self._head, None
        return (head, reply)

    def _refuse(self, error: GatewayError) -> bytes:
        client = Format.CHAT if self._attempt is None else self._attempt.client
        body = render_error(client, error.report())
        return replies.immediate(error.status, _JSON_HEADERS, body, f"plano_{error.code}")
