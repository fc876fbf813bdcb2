"""Routing decisions with their spans, below which the call of the routing model belongs."""

import time
from collections.abc import Mapping
from dataclasses import replace
from secrets import token_hex
from types import MappingProxyType

from brightstaff.routing.decision import Decider, Decision, Outcome, Question
from brightstaff.telemetry.span import SERVICE_OVERRIDE, Span, TraceContext, Value
from brightstaff.telemetry.telemetry import Telemetry

SERVICE = "plano(routing)"

_NO_ATTRIBUTES: Mapping[str, Value] = MappingProxyType({})
_WITHOUT_MODEL = {Outcome.FAILED: "unknown"}


async def traced_decision(
    decider: Decider,
    question: Question,
    telemetry: Telemetry | None,
    name: str,
    attributes: Mapping[str, Value] = _NO_ATTRIBUTES,
    *,
    unless_pinned: bool = False,
) -> Decision:
    """Decide; with a span called `name` if the question comes with a trace and spans are exported.

    `unless_pinned`: no span where an earlier decision stands.
    """
    context = TraceContext.parse(question.headers.get("traceparent", ""))
    if telemetry is None or not telemetry.active or context is None:
        return await decider.decide(question)
    span_id = token_hex(8)
    below = {**question.headers, "traceparent": context.traceparent(span_id)}
    decision = await decider.decide(replace(question, headers=below))
    if not unless_pinned or decision.outcome is not Outcome.PINNED:
        telemetry.record(_span(context, span_id, name, decision, question, attributes))
    return decision


def _span(
    context: TraceContext,
    span_id: str,
    name: str,
    decision: Decision,
    question: Question,
    attributes: Mapping[str, Value],
) -> Span:
    now = time.time()
    chosen = decision.models[0] if decision.models else _WITHOUT_MODEL.get(decision.outcome, "none")
    span = Span(service=SERVICE, name=name, context=context, span_id=span_id, started=now - decision.seconds, ended=now)
    span.attributes = {
        **attributes,
        "component": "routing",
        SERVICE_OVERRIDE: SERVICE,
        "http.method": "POST",
        "model.requested": question.asked_model or question.requested_model,
        "routing.determination_ms": round(decision.seconds * 1000),
        "routing.strategy": str(decision.outcome),
        "routing.pinned": decision.outcome is Outcome.PINNED,
        "route.selected_model": chosen,
    }
    if question.path:
        span.attributes["http.target"] = question.path
    if question.requested_model:
        span.attributes["model.alias_resolved"] = question.requested_model
    if question.request_id:
        span.attributes["request_id"] = question.request_id
    if decision.models:
        span.attributes["routing.models"] = list(decision.models)
    if decision.route:
        span.attributes["plano.route.name"] = decision.route
    if decision.why:
        span.attributes["routing.selection_reason"] = decision.why
    if decision.outcome is Outcome.FAILED:
        span.error = decision.reason or decision.reason_code or "no decision"
    return span
