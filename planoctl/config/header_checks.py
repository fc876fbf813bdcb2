"""Are header names and Host headers such? For the checks of everything that has some."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from planoctl.config.findings import DocumentPath, Report, shorten

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HOST_HEADER = re.compile(r"[A-Za-z0-9._\[\]:-]+")


def is_header_name(name: str) -> bool:
    return _HEADER_NAME.fullmatch(name) is not None


def check_header_names(names: Iterable[str], path: DocumentPath, report: Report) -> None:
    """Report what cannot be a header name; a pseudo header such as `:path` is none either."""
    for name in names:
        if not is_header_name(name):
            report.error("invalid-header", f"'{shorten(name)}' is not a header name", (*path, name),
                         "write e.g. x-tenant-id")  # fmt: skip


def check_host(owner: Mapping[str, Any], path: DocumentPath, report: Report) -> None:
    """Report an `http_host` that cannot be a Host header."""
    host = owner.get("http_host")
    if host is not None and not _HOST_HEADER.fullmatch(host):
        message = f"'{shorten(host)}' is not a Host header"
        report.error("invalid-header", message, (*path, "http_host"), "write a host name, e.g. api.example.com")
