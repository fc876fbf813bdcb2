"""The RoutingService over a Unix socket, with grpcio's client."""

import stat
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from brightstaff.app import create_app
from brightstaff.routing.decision import Decision, Outcome, Question
from brightstaff.routing.service import RoutingService, start_service
from brightstaff.routing.types import Turn
from brightstaff.state import State
from brightstaff.telemetry.telemetry import Telemetry
from plano_pb import routing_pb2 as pb
from planoctl.config.runtime import RoutingPreference, RuntimeConfig, SelectionPolicy


class Given:
    """Decides what it is told to, and keeps the questions."""

    def __init__(self) -> None:
        self.decision = Decision(Outcome.NO_ROUTE)
        self.asked: list[Question] = []

    async def decide(self, question: Question) -> Decision:
        self.asked.append(question)
        return self.decision


class Spans(Telemetry):
    def __init__(self) -> None:
        super().__init__(lambda _provider, _model: None, lambda _count: None)
        self.taken: list[bytes] = []

    def record_requests(self, records: Iterable[bytes]) -> None:
        self.taken += records


class Service:
    def __init__(self, target: str) -> None:
        self.deciders = [Given()]
        self.latencies: list[tuple[str, float, bool]] = []
        self.channel = grpc.aio.insecure_channel(target)

    def current(self) -> Any:
        return self.deciders[-1]

    def record(self, model: str, seconds: float, stream: bool) -> None:
        self.latencies.append((model, seconds, stream))

    async def decide(self, request: pb.DecideRequest) -> pb.Decision:
        call = self.channel.unary_unary(
            "/plano.routing.v1.RoutingService/Decide",
            request_serializer=pb.DecideRequest.SerializeToString,
            response_deserializer=pb.Decision.FromString,
        )
        decision: pb.Decision = await call(request)
        return decision

    async def observe(self, *observations: pb.Observation) -> None:
        call = self.channel.unary_unary(
            "/plano.routing.v1.RoutingService/Observe",
            request_serializer=pb.Observations.SerializeToString,
            response_deserializer=pb.Observed.FromString,
        )
        await call(pb.Observations(observations=observations))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    target = f"unix:{tmp_path}/routing.sock"
    made = Service(target)
    server = await start_service(RoutingService(made.current, made.record, lambda _tally: None), target)
    yield made
    await made.channel.close()
    await server.stop(None)


async def test_the_decider_learns_all_that_is_known_of_a_request(service: Service) -> None:
    request = pb.DecideRequest(
        request_id="r-1",
        requested_model="openai/a",
        conversation=[pb.Turn(role="user", text="Hi"), pb.Turn(role="assistant", text="Ho")],
        session_id="s-1",
        tenant="t-1",
        headers={"traceparent": "x"},
    )
    await service.decide(request)
    assert service.deciders[0].asked == [
        Question(
            conversation=[Turn("user", "Hi"), Turn("assistant", "Ho")],
            requested_model="openai/a",
            session_id="s-1",
            tenant="t-1",
            request_id="r-1",
            headers={"traceparent": "x"},
        )
    ]


async def test_no_preferences_of_a_request_and_an_empty_list_are_two_things(service: Service) -> None:
    await service.decide(pb.DecideRequest())
    await service.decide(pb.DecideRequest(inline_preferences=pb.Preferences()))
    assert [question.inline for question in service.deciders[0].asked] == [None, []]


@pytest.mark.parametrize(
    ("sent", "prefer"),
    [("cheapest", "cheapest"), ("fastest", "fastest"), ("none", "none"), ("", "none"), ("x", "none")],
)
async def test_preferences_of_a_request_arrive_with_their_policy(service: Service, sent: str, prefer: Any) -> None:
    preference = pb.Preference(name="n", description="d", models=["a", "b"], prefer=sent)
    await service.decide(pb.DecideRequest(inline_preferences=pb.Preferences(preferences=[preference])))
    policy = SelectionPolicy(prefer=prefer)
    expected = RoutingPreference(name="n", description="d", models=("a", "b"), selection_policy=policy)
    assert service.deciders[0].asked[0].inline == [expected]


@pytest.mark.parametrize(
    ("decision", "answer"),
    [
        (Decision(Outcome.NO_ROUTE), pb.Decision(outcome=pb.Decision.NO_ROUTE)),
        (
            Decision(Outcome.ROUTED, ("b", "a"), "code"),
            pb.Decision(outcome=pb.Decision.ROUTED, models=["b", "a"], route="code", reason="first of 2 models"),
        ),
        (
            Decision(Outcome.ROUTED, ("b", "a"), "code", policy="cheapest"),
            pb.Decision(outcome=pb.Decision.ROUTED, models=["b", "a"], route="code", reason="cheapest of 2 models"),
        ),
        (Decision(Outcome.NO_ROUTE, seconds=0.1), pb.Decision(reason="no preference fits")),
        (
            Decision(Outcome.PINNED, ("a",)),
            pb.Decision(outcome=pb.Decision.PINNED, models=["a"], reason="earlier decision of the session"),
        ),
        (
            Decision(Outcome.FAILED, reason="too late", reason_code="timeout"),
            pb.Decision(outcome=pb.Decision.FAILED, reason="too late", reason_code="timeout"),
        ),
    ],
)
async def test_every_outcome_is_told(service: Service, decision: Decision, answer: pb.Decision) -> None:
    service.deciders[0].decision = decision
    assert await service.decide(pb.DecideRequest()) == answer


async def test_a_new_configuration_decides_from_the_next_request_on(service: Service) -> None:
    await service.decide(pb.DecideRequest(request_id="1"))
    service.deciders.append(Given())
    await service.decide(pb.DecideRequest(request_id="2"))
    assert [[question.request_id for question in decider.asked] for decider in service.deciders] == [["1"], ["2"]]


async def test_observed_latencies_are_recorded(service: Service) -> None:
    await service.observe(pb.Observation(model="a", seconds=0.5, stream=True), pb.Observation(model="b", seconds=2.0))
    assert service.latencies == [("a", 0.5, True), ("b", 2.0, False)]


async def test_traced_requests_that_arrive_twice_make_spans_once() -> None:
    telemetry = Spans()
    made = RoutingService(lambda: pytest.fail("nothing to decide"), lambda *_: None, lambda _tally: None, telemetry)
    for number, record in ((1, b"a"), (1, b"a"), (2, b"b"), (1, b"a")):
        await made.observe(pb.Observations(traced=[record], traced_process=5, traced_number=number), None)
    assert telemetry.taken == [b"a", b"b"]


async def test_the_application_serves_only_its_owner_on_the_socket_and_takes_the_place_of_a_dead_one(
    tmp_path: Path,
) -> None:
    socket = tmp_path / "routing.sock"
    socket.touch()
    app = create_app(State(RuntimeConfig(version="v0.4.0"), tmp_path / "models.sock"), socket)
    async with app.router.lifespan_context(app):
        assert stat.S_IMODE(socket.stat().st_mode) & 0o077 == 0
        client = Service(f"unix:{socket}")
        assert (await client.decide(pb.DecideRequest(request_id="r"))).outcome == pb.Decision.NO_ROUTE
        await client.channel.close()
