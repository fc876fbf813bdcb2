"""How a request ended, in the closed sets of label values."""

from extproc.accounting.observation import Observation

_CLASSES = {str(digit): f"{digit}xx" for digit in range(1, 6)}
_TIMEOUTS = frozenset(
    {
        "upstream_request_timeout",
        "stream_idle_timeout",
        "duration_timeout",
        "upstream_max_stream_duration_reached",
    }
)
_NO_CONNECTION = frozenset(
    {
        "upstream_connection_failure",
        "no_healthy_upstream",
        "dns_resolution_failure",
        "upstream_overflow",
        "no_cluster_found",
    }
)
_BROKEN = frozenset(
    {"upstream_connection_termination", "upstream_remote_reset", "upstream_protocol_error", "local_reset"}
)
_UNREADABLE = "plano_stream_abandoned"
_KNOWN_STATUSES = frozenset({400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 501, 502, 503, 504, 529})


def status_class(status: int) -> str:
    """`1xx` to `5xx`, or `other`."""
    return _CLASSES.get(str(status // 100), "other")


def error_class(seen: Observation) -> str:
    """What kept an answer of a provider from its client; `none` if nothing did, whatever its status."""
    if seen.client_left:
        return "client_disconnect"
    if seen.details == _UNREADABLE:
        return "parse"
    if not seen.flags:
        return "none"
    flags = frozenset(seen.flags)
    if flags & _TIMEOUTS:
        return "timeout"
    if flags & _NO_CONNECTION:
        return "connect"
    if flags & _BROKEN:
        return "other" if seen.first_byte is None else "stream"
    return "none"


def error_type(status: int, wrong: str) -> str:
    """`error.type` of the semantic conventions: empty for a success, `_OTHER` for a status that is not usual."""
    if wrong != "none":
        return wrong
    if 0 < status < 400:
        return ""
    return str(status) if status in _KNOWN_STATUSES else "_OTHER"
