"""Asking brightstaff for a decision. Whatever is wrong with brightstaff, the request itself goes on."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hermesllm.conversation import ROUTING_TURNS, conversation, middle_trimmed
from hermesllm.formats import Format
from plano_pb import routing_pb2 as pb
from planoctl.config.headers import AFFINITY
from planoctl.config.inline_preferences import InlinePreferences
from planoctl.config.runtime import RuntimeConfig

log = logging.getLogger(__name__)

_DECIDE = "/plano.routing.v1.RoutingService/Decide"
_OBSERVE = "/plano.routing.v1.RoutingService/Observe"
_TRACE_HEADERS = ("traceparent", "tracestate")
_REPORT_SECONDS = 1.0
_GRACE_SECONDS = 0.25  # brightstaff's own deadline fires first and says more
_LARGEST_MESSAGE = 16 * 1024 * 1024
_BYTES_PER_TOKEN = 4
_CONTEXT_TOKENS = 8192
_LONGEST_SESSION = 4096
_LONGEST_TOLD = 256


def decide_request(
    client: Format,
    document: dict[str, Any],
    headers: Mapping[str, str],
    inline: InlinePreferences,
    config: RuntimeConfig,
    requested_model: str,
) -> pb.DecideRequest:
    """The question about one request. Texts are trimmed to what the routing model could read of them at most."""
    longest = (config.overrides.orchestrator_model_context_length or _CONTEXT_TOKENS) * _BYTES_PER_TOKEN
    message = pb.DecideRequest(
        request_id=headers.get("x-request-id", ""),
        requested_model=requested_model,
        session_id=headers.get(AFFINITY, "")[:_LONGEST_SESSION],
        path=headers.get(":path", "").partition("?")[0][:_LONGEST_TOLD],
    )
    if isinstance(asked := document.get("model"), str):
        message.asked_model = asked[:_LONGEST_TOLD]
    tenant_header = config.routing.session_cache.tenant_header
    if tenant_header:
        message.tenant = headers.get(tenant_header.lower(), "")[:_LONGEST_SESSION]
    for role, text in conversation(client, document, ROUTING_TURNS):
        message.conversation.add(role=role, text=middle_trimmed(text, longest))
    if inline.present:
        message.inline_preferences.SetInParent()
        for preference in inline.preferences:
            message.inline_preferences.preferences.add(
                name=preference.name,
                description=preference.description,
                models=preference.models,
                prefer=preference.selection_policy.prefer,
            )
    for name in _TRACE_HEADERS:
        if name in headers:
            message.headers[name] = headers[name]
    return message


class RoutingClient:
    """brightstaff's gRPC service at `target`, an address as gRPC writes them. Connects when it is first needed."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._channels: list[Any] = []
        self._ask: Any = None
        self._report: Any = None
        self._failures: Counter[str] = Counter()
        self.waiting = 0
        """Decisions that are under way."""

    async def decide(self, request: pb.DecideRequest, timeout_seconds: float) -> pb.Decision:
        """The decision; one with outcome FAILED if there is none in time."""
        self.waiting += 1
        try:
            return await self._decide(request, timeout_seconds)
        finally:
            self.waiting -= 1

    async def _decide(self, request: pb.DecideRequest, timeout_seconds: float) -> pb.Decision:
        from grpc.aio import AioRpcError

        try:
            decision: pb.Decision = await self._asking()(
                request, timeout=timeout_seconds + _GRACE_SECONDS, wait_for_ready=False
            )
        except AioRpcError as error:
            code = error.code().name.lower()
            reason = "timeout" if code == "deadline_exceeded" else "unavailable"
            self._failures[reason] += 1
            log.warning("request_id=%s: no routing decision: %s: %s", request.request_id, code, error.details())
            return pb.Decision(
                outcome=pb.Decision.FAILED,
                reason=f"the routing service is not available ({code})",
                reason_code=reason,
            )
        return decision

    async def observe(self, observations: pb.Observations) -> bool:
        """Report what was seen, and failures of ours; whether it arrived. If brightstaff is away the failures wait."""
        from grpc.aio import AioRpcError

        failures, self._failures = self._failures, Counter()
        observations.failures.update(failures)
        try:
            await self._reporting()(observations, timeout=_REPORT_SECONDS)
        except AioRpcError as error:
            log.debug("nothing reported: %s", error.details())
            self._failures += failures
            return False
        return True

    def _asking(self) -> Any:
        if self._ask is None:
            self._ask = self._open().unary_unary(
                _DECIDE,
                request_serializer=pb.DecideRequest.SerializeToString,
                response_deserializer=pb.Decision.FromString,
            )
        return self._ask

    def _reporting(self) -> Any:
        """Over a connection of its own: one that failed waits before it is tried again, and decisions must not."""
        if self._report is None:
            self._report = self._open(("grpc.use_local_subchannel_pool", 1)).unary_unary(
                _OBSERVE,
                request_serializer=pb.Observations.SerializeToString,
                response_deserializer=pb.Observed.FromString,
            )
        return self._report

    def _open(self, *options: tuple[str, int]) -> Any:
        import grpc.aio

        channel = grpc.aio.insecure_channel(
            self._target,
            options=(
                ("grpc.max_send_message_length", _LARGEST_MESSAGE),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.enable_http_proxy", 0),
                ("grpc.default_authority", "brightstaff"),
                *options,
            ),
        )
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
