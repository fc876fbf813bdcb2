"""What `planoctl up --with-tracing` changes in a configuration: spans go to a collector on this host."""

from typing import Any

from planoctl.config.addresses import parse_collector_url
from planoctl.config.findings import Report, shorten

_EVERY_REQUEST = 100
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def collect_here(document: dict[str, Any], collector: str, report: Report) -> None:
    """Let `document` name `collector` (a URL), and trace every request unless it says how many.

    A collector that the file names gives way, with a warning.
    """
    tracing = document.get("tracing") or {}
    named = tracing.get("opentracing_grpc_endpoint")
    if named and not _same(named, collector):
        report.warning(
            "collector-overridden",
            f"--with-tracing sends spans to {collector}, not to {shorten(named)}",
            ("tracing", "opentracing_grpc_endpoint"),
            "start without --with-tracing to use the collector of the file",
        )
    sampling = tracing.get("random_sampling") or _EVERY_REQUEST
    document["tracing"] = {**tracing, "random_sampling": sampling, "opentracing_grpc_endpoint": collector}


def _same(named: str, collector: str) -> bool:
    try:
        one, other = parse_collector_url(named), parse_collector_url(collector)
    except ValueError:
        return False
    host = one.host == other.host or {one.host, other.host} <= _HERE
    return host and (one.scheme, one.port) == (other.scheme, other.port)
