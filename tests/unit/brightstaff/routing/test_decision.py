import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from brightstaff.affinity import Affinity, affinity_key
from brightstaff.affinity.memory import MemoryStore
from brightstaff.routing.decision import Decider, Decision, Outcome, Question
from brightstaff.routing.types import Choice, RoutingFailed, Turn
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import ModelProvider, Overrides, RoutingPreference, RuntimeConfig, SelectionPolicy

CODE = RoutingPreference(
    name="code",
    description="write code",
    models=("openai/a", "openai/b"),
    selection_policy=SelectionPolicy(prefer="cheapest"),
)
CHAT = RoutingPreference(name="chat", description="small talk", models=("openai/b",))
TURNS = (Turn("user", "Fix the bug"),)
SESSION_KEY = affinity_key("s-1", "t-1") or ""


def config(timeout_ms: int = 5000, preferences: tuple[RoutingPreference, ...] = (CODE, CHAT)) -> RuntimeConfig:
    return RuntimeConfig(
        version="v0.4.0",
        model_providers=tuple(
            ModelProvider(name=f"openai/{model}", provider_interface="openai", model=model) for model in ("a", "b", "c")
        ),
        routing_preferences=preferences,
        overrides=Overrides(routing_timeout_ms=timeout_ms),
    )


class Chooser:
    """A router that answers `answer`, fails with it, or never answers (None), and keeps what it was asked."""

    def __init__(self, answer: Choice | Exception | None) -> None:
        self.answer = answer
        self.asked: list[tuple[list[str], Sequence[Turn], str | None, Mapping[str, str]]] = []
        self.cancelled = False

    async def choose(
        self,
        preferences: Sequence[RoutingPreference],
        conversation: Sequence[Turn],
        *,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Choice:
        self.asked.append(([each.name for each in preferences], conversation, request_id, headers or {}))
        if self.answer is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        if isinstance(self.answer, Choice):
            return self.answer
        assert self.answer is not None
        raise self.answer


class Backwards:
    """A ranker that turns every order round."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def rank(self, models: Sequence[str], prefer: str) -> list[str]:
        self.asked.append((tuple(models), prefer))
        return list(reversed(models))


class Gateway:
    def __init__(self, answer: Choice | Exception | None, settings: RuntimeConfig | None = None) -> None:
        settings = settings or config()
        self.events: list[str] = []
        self.router, self.ranker = Chooser(answer), Backwards()
        self.sessions = MemoryStore(self.events.append, ttl=600)
        self.decider = Decider(settings, ModelRegistry(settings), self.router, self.ranker, self.sessions)

    async def decide(self, **about: Any) -> Decision:
        return await self.decider.decide(Question(**{"conversation": TURNS, **about}))


async def test_the_models_of_the_chosen_preference_are_ranked_by_its_policy() -> None:
    gateway = Gateway(Choice("code", {"code": 0.9, "chat": 0.1}))
    found = await gateway.decide()
    assert (found.outcome, found.route, found.models) == (Outcome.ROUTED, "code", ("openai/b", "openai/a"))
    assert found.scores == {"code": 0.9, "chat": 0.1}
    assert gateway.ranker.asked == [(("openai/a", "openai/b"), "cheapest")]


async def test_the_router_sees_the_preferences_the_conversation_and_whose_request_it_is() -> None:
    gateway = Gateway(Choice(None))
    await gateway.decide(request_id="r-1", headers={"traceparent": "x"})
    assert gateway.router.asked == [(["code", "chat"], TURNS, "r-1", {"traceparent": "x"})]


@pytest.mark.parametrize("route", [None, "other", "none", ""])
async def test_what_is_no_preference_is_no_route_and_never_a_model_called_none(route: str | None) -> None:
    found = await Gateway(Choice(route)).decide(requested_model="openai/c")
    assert (found.outcome, found.models, found.route) == (Outcome.NO_ROUTE, (), None)


async def test_without_preferences_nobody_is_asked() -> None:
    gateway = Gateway(RuntimeError(), config(preferences=()))
    assert (await gateway.decide(session_id="s-1")).outcome is Outcome.NO_ROUTE
    inline = Gateway(RuntimeError())
    assert (await inline.decide(inline=(), session_id="s-1")).outcome is Outcome.NO_ROUTE
    assert (gateway.router.asked, inline.router.asked, inline.events) == ([], [], [])


async def test_preferences_of_a_request_stand_in_place_of_the_configured_ones() -> None:
    own = RoutingPreference(name="mine", description="d", models=("openai/c", "a"))
    gateway = Gateway(Choice("mine"))
    found = await gateway.decide(inline=(own,))
    assert gateway.router.asked[0][0] == ["mine"]
    assert gateway.ranker.asked == [(("openai/c", "a"), "none")]
    assert (found.route, found.models) == ("mine", ("a", "openai/c"))


async def test_models_of_a_request_that_are_not_configured_are_passed_over_and_preferences_with_them() -> None:
    mixed = RoutingPreference(name="mixed", description="d", models=("openai/x", "openai/c", "evil/model"))
    unknown = RoutingPreference(name="unknown", description="d", models=("openai/x",))
    gateway = Gateway(Choice("mixed"))
    assert (await gateway.decide(inline=(unknown, mixed))).models == ("openai/c",)
    assert gateway.router.asked[0][0] == ["mixed"]
    assert (await gateway.decide(inline=(unknown,))).outcome is Outcome.NO_ROUTE
    assert len(gateway.router.asked) == 1


async def test_a_router_that_does_not_answer_in_time_is_a_failure_and_is_stopped() -> None:
    gateway = Gateway(None, config(timeout_ms=20))
    found = await gateway.decide()
    assert (found.outcome, found.models, found.reason_code) == (Outcome.FAILED, (), "timeout")
    assert "20 ms" in found.reason
    assert gateway.router.cancelled


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (RoutingFailed("the model answered 503", code="http"), "http", "the model answered 503"),
        (ZeroDivisionError("secret detail"), "error", "fault in the router: ZeroDivisionError"),
        (KeyError("x"), "error", "fault in the router: KeyError"),
    ],
)
async def test_a_fault_of_the_router_is_an_outcome_and_no_exception(fault: Exception, code: str, reason: str) -> None:
    found = await Gateway(fault).decide()
    assert (found.outcome, found.reason_code, found.reason) == (Outcome.FAILED, code, reason)


async def test_a_session_stays_with_its_first_decision() -> None:
    gateway = Gateway(Choice("code"))
    first = await gateway.decide(session_id="s-1", tenant="t-1")
    gateway.router.answer = Choice("chat")
    second = await gateway.decide(session_id="s-1", tenant="t-1")
    assert (first.outcome, second.outcome) == (Outcome.ROUTED, Outcome.PINNED)
    assert (second.route, second.models) == (first.route, first.models)
    assert len(gateway.router.asked) == 1


async def test_sessions_of_other_tenants_and_requests_without_one_are_decided_anew() -> None:
    gateway = Gateway(Choice("code"))
    await gateway.decide(session_id="s-1", tenant="t-1")
    for about in ({"session_id": "s-1", "tenant": "t-2"}, {"session_id": "s-1"}, {"session_id": "s-2"}, {}, {}):
        assert (await gateway.decide(**about)).outcome is Outcome.ROUTED


async def test_a_session_without_a_route_is_kept_with_the_model_it_asked_for() -> None:
    gateway = Gateway(Choice(None))
    first = await gateway.decide(session_id="s-1", tenant="t-1", requested_model="openai/c")
    assert (first.outcome, first.models) == (Outcome.NO_ROUTE, ())
    assert await gateway.sessions.get(SESSION_KEY) == Affinity(models=("openai/c",))
    second = await gateway.decide(session_id="s-1", tenant="t-1", requested_model="openai/a")
    assert (second.outcome, second.models, second.route) == (Outcome.PINNED, ("openai/c",), None)


@pytest.mark.parametrize("answer", [Choice(None), RoutingFailed("no"), ValueError()])
async def test_what_is_no_decision_is_not_remembered(answer: Choice | Exception) -> None:
    gateway = Gateway(answer)
    requested = "" if isinstance(answer, Choice) else "openai/c"
    await gateway.decide(session_id="s-1", tenant="t-1", requested_model=requested)
    assert await gateway.sessions.get(SESSION_KEY) is None
    assert len(gateway.sessions) == 0
