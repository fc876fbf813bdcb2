"""Metrics of routing decisions, recorded where they are made."""

from prometheus_client import Counter, Histogram

from brightstaff.routing.decision import Decision, Outcome
from planoctl.config.metric_labels import BoundedValues

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_DECISIONS = Counter(
    "brightstaff_router_decisions_total",
    "Routing decisions. `fallback`: no preference fits, or the router failed.",
    ("route", "selected_model", "fallback"),
)
_DURATION = Histogram(
    "brightstaff_router_decision_duration_seconds", "Time for a routing decision.", ("route",), buckets=_SECONDS
)
_FAILURES = Counter("brightstaff_router_failures_total", "Decisions that failed, by reason.", ("route", "reason"))
_SERVICE = Counter("brightstaff_routing_service_requests_total", "Requests to /routing/v1/*.", ("outcome",))
_SESSIONS = Counter("brightstaff_session_cache_events_total", "Session affinity look-ups and stores.", ("outcome",))
_FOLDED = Counter(
    "brightstaff_folded_labels_total", "Label values shown as `other`, because there are too many.", ("label",)
)


def record_folded(label: str) -> None:
    """A value of `label` is shown as `other`."""
    _FOLDED.labels(label).inc()


MODELS = BoundedValues("selected_model", record_folded)
"""With a wildcard, a request's own preferences may name any model."""


def record_decision(path: str, decision: Decision) -> None:
    """`path`: who asked, `llm`, `routing` or `agent`. Nothing is recorded where there was nothing to decide."""
    if decision.outcome is Outcome.NO_ROUTE and not decision.seconds:
        return
    fallback = decision.outcome in (Outcome.NO_ROUTE, Outcome.FAILED)
    failed = decision.outcome is Outcome.FAILED
    selected = MODELS.value(decision.models[0]) if decision.models else "unknown" if failed else "none"
    _DECISIONS.labels(path, selected, str(fallback).lower()).inc()
    _DURATION.labels(path).observe(decision.seconds)
    if failed:
        _FAILURES.labels(path, decision.reason_code or "error").inc()


def record_unanswered(reason: str, count: int) -> None:
    """Decisions that a sidecar asked for in vain: `timeout` or `unavailable`."""
    _FAILURES.labels("llm", reason).inc(count)


def record_service_request(outcome: str) -> None:
    """`decision_served`, `no_candidates`, `policy_error`, `pinned` or `bad_request`."""
    _SERVICE.labels(outcome).inc()


def record_session_event(outcome: str) -> None:
    """`hit`, `miss`, `store`, `error` or `store_error`."""
    _SESSIONS.labels(outcome).inc()
