"""A routing decision as the sidecar uses it: where the request goes, and what is said about it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from extproc.errors import RoutingUnavailable
from extproc.request_body import RequestBody
from extproc.routing import RoutingClient, decide_request
from extproc.snapshot import Snapshot
from hermesllm.formats import Format
from plano_pb import routing_pb2 as pb
from planoctl.config.headers import ROUTE, ROUTING
from planoctl.config.registry import Candidate

log = logging.getLogger(__name__)

_WORDS = {
    pb.Decision.NO_ROUTE: "no-route",
    pb.Decision.ROUTED: "routed",
    pb.Decision.PINNED: "pinned",
    pb.Decision.FAILED: "failed",
}
_LONGEST_REASON = 200
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


@dataclass(frozen=True, slots=True)
class Decided:
    """The outcome: `models` best first, empty where the client's own choice stands."""

    models: tuple[str, ...]
    route: str
    outcome: str
    reason: str = ""

    def headers(self) -> dict[str, str]:
        """For the client. Names of routes are percent-encoded where they are not ASCII."""
        told = {ROUTING: self.outcome}
        return {**told, ROUTE: quote(self.route, safe=_PRINTABLE)} if self.route else told

    def metadata(self) -> dict[str, str]:
        """For the access log."""
        told = {"route": self.route, "routing": self.outcome}
        return {**told, "routing_reason": self.reason[:_LONGEST_REASON]} if self.reason else told


async def decide(
    client: RoutingClient,
    snapshot: Snapshot,
    shape: Format,
    headers: Mapping[str, str],
    body: RequestBody,
    named: Sequence[Candidate],
    traceparent: str | None = None,
) -> Decided:
    """Ask brightstaff. Raises RoutingUnavailable only where the configuration wants failures to fail the request.

    `traceparent`: of the span that the decision belongs to; without one the client's goes on.
    """
    requested = named[0].name if named else ""
    for warning in body.inline.warnings:
        log.warning("request_id=%s: %s", headers.get("x-request-id"), warning)
    request = decide_request(shape, body.document, headers, body.inline, snapshot.config, requested)
    if traceparent is not None:
        request.headers["traceparent"] = traceparent
    decision = await client.decide(request, snapshot.config.overrides.routing_timeout_ms / 1000)
    outcome = _WORDS.get(decision.outcome, "failed")
    if decision.outcome == pb.Decision.FAILED:
        if snapshot.config.routing.on_error == "fail":
            raise RoutingUnavailable(decision.reason)
        outcome = f"failed; reason={decision.reason_code or 'error'}"
    return Decided(tuple(decision.models), decision.route, outcome, decision.reason)
