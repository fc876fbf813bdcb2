"""Checks of one provider entry that need nothing but the entry: its headers."""

from collections.abc import Mapping
from typing import Any

from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.header_checks import check_header_names, check_host
from planoctl.config.headers import INTERNAL_NAMES, INTERNAL_PREFIXES

Entry = dict[str, Any]

# Headers that belong to one connection (RFC 9110, 7.6.1) or that follow from the message itself.
_OF_THE_CONNECTION = frozenset({
    "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def check_headers(entry: Entry, path: DocumentPath, report: Report) -> None:
    """The headers that an entry adds to requests, and its Host header."""
    headers: Mapping[str, str] = entry.get("headers", {})
    check_header_names(headers, (*path, "headers"), report)
    check_host(entry, path, report)
    for name in headers:
        lower = name.strip().lower()
        if lower.startswith(":"):
            continue  # reported: it is no name
        if lower == "host":
            problem, remedy = "is not set here", f"write http_host: {shorten(headers[name])} beside base_url"
        elif lower in _OF_THE_CONNECTION:
            problem, remedy = "belongs to the connection, which Envoy makes", "remove it"
        elif lower.startswith(INTERNAL_PREFIXES) or lower in INTERNAL_NAMES:
            problem, remedy = "is the gateway's own and never reaches a provider", "choose another name, e.g. x-team"
        else:
            continue
        report.error("reserved-header", f"The header '{shorten(name)}' {problem}", (*path, "headers", name), remedy)
