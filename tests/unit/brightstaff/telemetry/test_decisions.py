"""Spans of routing decisions."""

from typing import Any, cast

import pytest

from brightstaff.routing.decision import Decider, Decision, Outcome, Question
from brightstaff.telemetry.decisions import traced_decision
from brightstaff.telemetry.span import Span
from brightstaff.telemetry.telemetry import Telemetry

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Spans:
    active = True

    def __init__(self) -> None:
        self.taken: list[Span] = []

    def record(self, span: Span) -> None:
        self.taken.append(span)


class Decides:
    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    async def decide(self, _question: Question) -> Decision:
        return self._decision


async def spans(decision: Decision, **options: Any) -> list[Span]:
    taken = Spans()
    headers = {"traceparent": TRACEPARENT}
    question = Question(
        [], requested_model="anthropic/claude", asked_model="clever", path="/v1/messages", headers=headers
    )
    decider, telemetry = cast("Decider", Decides(decision)), cast("Telemetry", taken)
    await traced_decision(decider, question, telemetry, "routing", **options)
    return taken.taken


async def test_a_decision_tells_the_alias_and_what_it_stands_for() -> None:
    (span,) = await spans(Decision(Outcome.ROUTED, ("b", "a"), "code", policy="fastest"))
    told = span.attributes
    assert (told["model.requested"], told["model.alias_resolved"]) == ("clever", "anthropic/claude")
    assert (told["http.target"], told["routing.selection_reason"]) == ("/v1/messages", "fastest of 2 models")


@pytest.mark.parametrize(("outcome", "made"), [(Outcome.PINNED, 0), (Outcome.ROUTED, 1), (Outcome.FAILED, 1)])
async def test_what_a_session_keeps_is_no_decision(outcome: Outcome, made: int) -> None:
    assert len(await spans(Decision(outcome, ("a",)), unless_pinned=True)) == made
    assert len(await spans(Decision(outcome, ("a",)))) == 1
