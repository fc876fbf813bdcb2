"""The way of one client's request to a provider, or to several in turn. Made by the listener stage, never shared."""

import time
from collections.abc import Awaitable

from extproc import replies
from extproc.chain import CARRIED_BYTES, LONGEST, Chain, describe, possible
from extproc.client_request import ClientRequest
from extproc.credentials import CLIENT_CREDENTIALS
from extproc.decision import Decided, decide
from extproc.exchange import Exchange
from extproc.limits.limiting import Limiting
from extproc.limits.limits import Asked
from extproc.request_body import RequestBody
from extproc.selection import select_candidate
from extproc.services import Services
from extproc.snapshot import Snapshot
from hermesllm.conversation import ROUTED_FORMATS
from hermesllm.formats import Format
from planoctl.config.headers import (
    BRIGHTSTAFF,
    CHAIN,
    CLIENT_HINTS,
    CLUSTER,
    INTERNAL_NAMES,
    INTERNAL_PREFIXES,
    MAX_RETRIES,
)
from planoctl.config.registry import Candidate


class Forwarding:
    """`exchange` is the one with the provider that is asked first, `chain` all of them if there are several.

    `served_here`: the gateway answers itself. `began`: when the request went on, by the monotonic clock.
    """

    def __init__(self, snapshot: Snapshot, services: Services, request: ClientRequest) -> None:
        self.exchange: Exchange | None = None
        self.chain: Chain | None = None
        self.decided: Decided | None = None
        self.limiting: Limiting | None = None
        self.served_here = False
        self.began = 0.0
        self._snapshot = snapshot
        self._services = services
        self._request = request

    def forward(self, body: RequestBody) -> bytes | Awaitable[bytes]:
        """The reply that sends the request on its way. Raises GatewayError, also when awaited."""
        if self._request.format in ROUTED_FORMATS and not self._request.internal:
            inline = body.take_inline_preferences()
            if inline.preferences or (self._snapshot.config.routing_preferences and not inline.present):
                return self._routed(body)
        return self._to(self._named(body), body)

    def _named(self, body: RequestBody) -> list[Candidate]:
        """The candidates of the model that the client names."""
        registry = self._snapshot.registry
        model = body.document.get("model")
        return registry.with_fallbacks(model or "", select_candidate(registry, model, self._request.hint))

    async def _routed(self, body: RequestBody) -> bytes:
        """After asking brightstaff."""
        request, registry = self._request, self._snapshot.registry
        named = self._named(body) if body.document.get("model") or registry.default else []
        self.decided = decided = await decide(
            self._services.routing, self._snapshot, request.format, request.headers, body, named, request.traceparent
        )
        forwarded = self._to(registry.chain(decided.models) or named or self._named(body), body)
        return forwarded if isinstance(forwarded, bytes) else await forwarded

    def _to(self, candidates: list[Candidate], body: RequestBody) -> bytes | Awaitable[bytes]:
        """To the first of the candidates that can serve it."""
        request, counting = self._request, self._request.format is Format.COUNT_TOKENS
        if counting:
            candidates = [candidate for candidate in candidates if candidate.provider.speaks(Format.COUNT_TOKENS)]
            if not candidates:
                return self._count_here(body)
        if len(candidates) > 1:
            ordered = self._services.health.ordered(candidates)[:LONGEST]
            exchanges = possible([self._new_exchange(each) for each in ordered], request.headers, body.document)
        else:
            exchanges = [self._new_exchange(candidates[0])]
        if self._snapshot.rules and not counting and not request.internal:
            return self._limited(body, exchanges)
        return self._send(body, exchanges)

    def _new_exchange(self, candidate: Candidate) -> Exchange:
        limit = self._snapshot.config.overrides.buffer_limit_bytes
        return Exchange(self._request.format, candidate, body_limit=limit, request_id=self._request.id)

    def _limited(self, body: RequestBody, exchanges: list[Exchange]) -> bytes | Awaitable[bytes]:
        """To those of the exchanges that limits leave. Raises RateLimited and LimitsUnavailable."""
        request = self._request
        asked = Asked(request.format, body.document, request.headers, request.requested, request.identity)
        limiting = Limiting(self._services.limits, self._snapshot.rules, asked)
        admitted = limiting.admit(exchanges)
        self.limiting = limiting
        return self._send(body, admitted) if isinstance(admitted, list) else self._send_later(body, admitted)

    async def _send_later(self, body: RequestBody, admitted: Awaitable[list[Exchange]]) -> bytes:
        return self._send(body, await admitted)

    def _send(self, body: RequestBody, exchanges: list[Exchange]) -> bytes:
        if len(exchanges) > 1:
            return self._send_chain(body, Chain(tuple(exchanges)))
        return self._send_single(body, exchanges[0])

    def _send_single(self, body: RequestBody, exchange: Exchange) -> bytes:
        headers = self._request.headers
        request = exchange.request(headers, body.raw, body.document)
        self.exchange = exchange
        removed = [*request.remove_headers, *_internal(headers), *body.outdated_headers]
        sent = body.replacement if request.body is None else request.body
        self.began = time.monotonic()
        return replies.request_body(request.set_headers, removed, sent, self._metadata(exchange))

    def _send_chain(self, body: RequestBody, chain: Chain) -> bytes:
        """The body goes on as the client sent it, and the upstream stage makes each attempt's request of it.

        Small ones that want a whole answer are prepared for the first attempt here: mostly it is the only one.
        """
        client = self._request
        first = chain.attempt(1)
        self.chain, self.exchange = chain, first
        changes = {CHAIN: "1", MAX_RETRIES: str(len(chain.exchanges) - 1)}
        removed = [name for name in _internal(client.headers) if name not in changes]
        sent = body.replacement
        prepared = not client.streams and len(body.raw) <= CARRIED_BYTES
        if prepared:
            request = first.request(client.headers, body.raw, body.document)
            del request.set_headers[CLUSTER]
            changes |= request.set_headers
            removed += request.remove_headers
            sent = sent if request.body is None else request.body
        metadata = self._metadata(first)
        metadata["models"] = ", ".join(chain.models)
        metadata["chain"] = describe(chain, client.format, client.headers, body.raw if prepared else None)
        clusters = chain.clusters(stream=client.streams, prepared=prepared)
        self.began = time.monotonic()
        return replies.request_body(changes, [*removed, *body.outdated_headers], sent, metadata, clusters)

    def _metadata(self, exchange: Exchange) -> dict[str, str]:
        """For error pages and access logs."""
        metadata = {**self._request.metadata(), **served_by(exchange)}
        if self.limiting is not None and self.limiting.reservation:
            metadata["reservation"] = self.limiting.reservation
        if self.decided is not None:
            metadata |= self.decided.metadata()
        return metadata

    def _count_here(self, body: RequestBody) -> bytes:
        """No provider that can count: brightstaff does, with a tokenizer of its own."""
        self.served_here = True
        request = self._request
        removed = [name for name in (*body.outdated_headers, *CLIENT_CREDENTIALS) if name in request.headers]
        metadata = {**request.metadata(), "upstream_format": request.format.value}
        return replies.request_body({CLUSTER: BRIGHTSTAFF}, removed, body.replacement, metadata)


def served_by(exchange: Exchange) -> dict[str, str]:
    """The metadata that tells who answers."""
    return {
        "upstream_format": exchange.upstream.value,
        "provider": exchange.candidate.provider.id,
        "model": exchange.candidate.model,
    }


def _internal(headers: dict[str, str]) -> list[str]:
    return [
        name for name in headers if name.startswith(INTERNAL_PREFIXES) or name in INTERNAL_NAMES or name in CLIENT_HINTS
    ]
