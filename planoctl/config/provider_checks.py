"""Checks of one provider entry that need nothing but the entry: its headers and its AWS region."""

from collections.abc import Mapping
from typing import Any

from planoctl.config.clusters import aws_region
from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.header_checks import check_header_names, check_host
from planoctl.config.headers import INTERNAL_NAMES, INTERNAL_PREFIXES

Entry = dict[str, Any]

_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
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


def check_region(entry: Entry, path: DocumentPath, environment: Mapping[str, str], report: Report) -> None:
    """A signature needs a region. `entry` is normalised, and Envoy signs its requests."""
    hosts = (entry.get("http_host") or "", entry.get("endpoint") or "")
    if any(map(aws_region, hosts)) or any(environment.get(name, "").strip() for name in _REGION_VARIABLES):
        return
    report.warning(
        "no-region",
        f"Requests for model {shorten(entry['name'])} are signed for AWS, and no region is named in base_url, "
        f"{' or '.join(_REGION_VARIABLES)}: unless an AWS profile names one, they fail",
        (*path, "base_url"),
        "write base_url: https://bedrock-runtime.<region>.amazonaws.com, or set AWS_REGION",
    )
