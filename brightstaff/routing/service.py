"""RoutingService over gRPC: what the sidecar asks."""

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from brightstaff.metrics.decisions import record_decision, record_unanswered
from brightstaff.routing.decision import Decider, Decision, Outcome, Question
from brightstaff.routing.types import Turn
from brightstaff.telemetry.batches import Batches
from brightstaff.telemetry.decisions import traced_decision
from brightstaff.telemetry.relay import relay_handler
from brightstaff.telemetry.span import Relayed
from brightstaff.telemetry.telemetry import Telemetry
from plano_pb import routing_pb2 as pb
from planoctl.config.runtime import RoutingPreference, SelectionPolicy

_SERVICE = "plano.routing.v1.RoutingService"
_LARGEST_MESSAGE = 16 * 1024 * 1024
_OUTCOMES = {
    Outcome.NO_ROUTE: pb.Decision.NO_ROUTE,
    Outcome.ROUTED: pb.Decision.ROUTED,
    Outcome.PINNED: pb.Decision.PINNED,
    Outcome.FAILED: pb.Decision.FAILED,
}
_POLICIES = {
    "cheapest": SelectionPolicy(prefer="cheapest"),
    "fastest": SelectionPolicy(prefer="fastest"),
}

Record = Callable[[str, float, bool], None]
"""Takes a model's name, seconds, and whether the answer was a stream."""


class RoutingService:
    """`decider` gives the one of the current configuration; `record` takes observed latencies, `tally` what workers
    have counted, `telemetry` spans.
    """

    def __init__(
        self,
        decider: Callable[[], Decider],
        record: Record,
        tally: Callable[[pb.Tally], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._decider = decider
        self._record = record
        self._tally = tally
        self._telemetry = telemetry
        self._batches = Batches()

    async def decide(self, request: pb.DecideRequest, _context: object) -> pb.Decision:
        decision = await traced_decision(
            self._decider(), _question(request), self._telemetry, "routing", unless_pinned=True
        )
        record_decision("llm", decision)
        return _answer(decision)

    def relay(self, spans: Relayed) -> None:
        """Envoy's spans."""
        if self._telemetry is not None:
            self._telemetry.relay(spans)

    async def observe(self, request: pb.Observations, _context: object) -> pb.Observed:
        for observation in request.observations:
            self._record(observation.model, observation.seconds, observation.stream)
        for reason, count in request.failures.items():
            record_unanswered(reason, count)
        if request.HasField("tally"):
            self._tally(request.tally)
        new = self._batches.is_new(request.traced_process, request.traced_number) if request.traced else False
        if self._telemetry is not None and new:
            self._telemetry.record_requests(request.traced)
        return pb.Observed()


async def start_service(service: RoutingService, target: str) -> grpc.aio.Server:
    """Serve at `target`, an address as gRPC writes them. The caller stops the server."""
    server = grpc.aio.server(
        options=(("grpc.max_receive_message_length", _LARGEST_MESSAGE), ("grpc.so_reuseport", 0)),
    )
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Decide": grpc.unary_unary_rpc_method_handler(
            service.decide,
            request_deserializer=pb.DecideRequest.FromString,
            response_serializer=pb.Decision.SerializeToString,
        ),
        "Observe": grpc.unary_unary_rpc_method_handler(
            service.observe,
            request_deserializer=pb.Observations.FromString,
            response_serializer=pb.Observed.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, handlers), relay_handler(service.relay))
    )
    server.add_insecure_port(target)
    await server.start()
    return server


def _question(request: pb.DecideRequest) -> Question:
    inline = None
    if request.HasField("inline_preferences"):
        inline = [_preference(preference) for preference in request.inline_preferences.preferences]
    return Question(
        conversation=[Turn(turn.role, turn.text) for turn in request.conversation],
        inline=inline,
        requested_model=request.requested_model,
        asked_model=request.asked_model,
        path=request.path,
        session_id=request.session_id,
        tenant=request.tenant,
        request_id=request.request_id or None,
        headers=dict(request.headers),
    )


def _preference(preference: pb.Preference) -> RoutingPreference:
    return RoutingPreference(
        name=preference.name,
        description=preference.description,
        models=tuple(preference.models),
        selection_policy=_POLICIES.get(preference.prefer, SelectionPolicy()),
    )


def _answer(decision: Decision) -> pb.Decision:
    return pb.Decision(
        outcome=_OUTCOMES[decision.outcome],
        route=decision.route or "",
        models=decision.models,
        reason=decision.why,
        reason_code=decision.reason_code,
    )
