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
_GRACE_SECONDS = 0.25  # brightstaff's own deadline fires first and says more
_LARGEST_MESSAGE = 16 * 1024 * 1024
_BYTES_PER_TOKEN = 4
_CONTEXT_TOKENS = 8192
_LONGEST_SESSION = 4096


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
    )
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
        self._calls: tuple[Any, Any] | None = None
        self._channel: Any = None
        self._failures: Counter[str] = Counter()

    async def decide(self, request: pb.DecideRequest, timeout_seconds: float) -> pb.Decision:
        """The decision; one with outcome FAILED if there is none in time."""
        from grpc.aio import AioRpcError

        try:
            decision: pb.Decision = await self._connected()[0](
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

    @property
    def failed(self) -> bool:
        """Whether there are failures to report."""
        return bool(self._failures)

    async def observe(self, observations: pb.Observations) -> bool:
        """Report what was seen, and failures of ours; whether it arrived. If brightstaff is away the failures wait."""
        from grpc.aio import AioRpcError

        failures = self._failures.copy()
        observations.failures.update(failures)
        try:
            await self._connected()[1](observations, timeout=1.0)
        except AioRpcError as error:
            log.debug("nothing reported: %s", error.details())
            return False
        self._failures -= failures
        return True

    def _connected(self) -> tuple[Any, Any]:
        if self._calls is None:
            import grpc.aio  # 20 MB: only a worker that routes pays for it

            self._channel = grpc.aio.insecure_channel(
                self._target,
                options=(
                    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
                    ("grpc.initial_reconnect_backoff_ms", 100),
                    ("grpc.min_reconnect_backoff_ms", 100),
                    ("grpc.max_reconnect_backoff_ms", 1000),
                    ("grpc.enable_http_proxy", 0),
                    ("grpc.default_authority", "brightstaff"),
                ),
            )
            self._calls = (
                self._channel.unary_unary(
                    _DECIDE,
                    request_serializer=pb.DecideRequest.SerializeToString,
                    response_deserializer=pb.Decision.FromString,
                ),
                self._channel.unary_unary(
                    _OBSERVE,
                    request_serializer=pb.Observations.SerializeToString,
                    response_deserializer=pb.Observed.FromString,
                ),
            )
        return self._calls

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
