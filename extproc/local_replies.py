"""Answers that Envoy made itself, because it could get none from the provider: what they mean to the client.

The listener's `local_reply_config` marks them with a header of three fields: response code details, response flags,
transport failure reason.
"""

from dataclasses import dataclass

from extproc.errors import UpstreamUnavailable
from planoctl.config.registry import Candidate


@dataclass(frozen=True, slots=True)
class LocalReply:
    """Envoy's own words for what happened."""

    details: str
    flags: str
    transport: str

    @classmethod
    def parse(cls, mark: str) -> "LocalReply":
        details, _, rest = mark.partition("|")
        if "{" in details and "}" not in details:  # the details of a reset carry a `|` of their own
            details, _, rest = mark.partition("}|")
        flags, _, transport = rest.partition("|")
        return cls(details, flags, transport.strip("-"))


def explain(mark: str, status: int, candidate: Candidate) -> UpstreamUnavailable:
    """The error a client is told for a marked local reply."""
    reply = LocalReply.parse(mark)
    entry, provider = candidate.entry, candidate.provider_name
    endpoint = f"{entry.endpoint}:{entry.port}"
    if "TLS" in reply.transport or "CERTIFICATE" in reply.transport:
        reason = reply.transport.replace("_", " ")[:300]
        return _error(
            502,
            "provider_tls_error",
            candidate,
            f"The TLS connection to {provider} at {endpoint} failed: {reason}",
            "Check the certificate of base_url, http_host, and overrides.upstream_tls_ca_path.",
        )
    flags = set(reply.flags.split(","))
    if "UF" in flags or "UH" in flags or "NC" in flags:
        refused = " (connection refused)" if "refused" in reply.transport.lower() else ""
        nameless = " (its name has no address)" if "UH" in flags and not refused else ""
        place = "base_url names the right host and port" if entry.base_url else "this host may reach it (DNS, firewall)"
        return _error(
            503,
            "provider_unreachable",
            candidate,
            f"Could not connect to {provider} at {endpoint}{refused}{nameless}",
            f"Check that {provider} is up and that {place}.",
        )
    if flags & {"UT", "SI", "UMSDR", "DT"} or status == 504:
        return _error(
            504,
            "provider_timeout",
            candidate,
            f"{provider} at {endpoint} did not answer in time",
            "Try again, or raise the listener's `timeout` if the model needs longer.",
        )
    if flags & {"UC", "UR", "LR", "UPE", "URX"}:
        return _error(
            502,
            "provider_disconnected",
            candidate,
            f"{provider} at {endpoint} closed the connection before it had answered",
            f"Try again; if it happens often, the fault is on the side of {provider} or of the network to it.",
        )
    if "UO" in flags:
        return _error(
            503,
            "too_many_requests_in_flight",
            candidate,
            f"Too many requests to {provider} are in flight at this gateway",
            "Try again shortly, or add gateway replicas.",
        )
    return _error(
        status,
        "gateway_error",
        candidate,
        f"The gateway could not complete the request to {provider} ({reply.details[:200]})",
        "Look at the gateway's access log for this request id.",
    )


def _error(status: int, code: str, candidate: Candidate, message: str, remedy: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        message, status=status, code=code, provider=candidate.provider_name, model=candidate.model, remedy=remedy
    )
