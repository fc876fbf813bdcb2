"""Do the attributes and the exporters of `tracing` make sense?"""

from typing import Any

from planoctl.config.findings import Report, shorten
from planoctl.config.header_checks import is_header_name
from planoctl.config.span_attributes import is_reserved, is_secret

Document = dict[str, Any]


def check_tracing(document: Document, report: Report) -> None:
    """Report attributes that cannot be set, headers that are never told, and exporters without an address."""
    tracing = document.get("tracing") or {}
    _check_attributes(tracing.get("span_attributes") or {}, report)
    for index, exporter in enumerate(tracing.get("exporters") or ()):
        path = ("tracing", "exporters", index)
        url = exporter.get("url")
        if url is not None and not url.startswith(("http://", "https://", "$")):
            report.error("invalid-exporter-url", f"'{shorten(url)}' is not an HTTP URL", (*path, "url"),
                         "write e.g. http://localhost:4318/v1/traces")  # fmt: skip
        for name, value in (exporter.get("headers") or {}).items():
            if not is_header_name(name) or not value.isascii() or not value.isprintable():
                report.error("invalid-header", f"'{shorten(name)}' is not a header that can be sent",
                             (*path, "headers", name), "write names and values in ASCII")  # fmt: skip
        named = exporter.get("distinct_id_header")
        if named is not None and not is_header_name(named):
            report.error("invalid-header", f"'{shorten(named)}' is not a header name", (*path, "distinct_id_header"),
                         "write e.g. x-user-id")  # fmt: skip
        elif named is not None and is_secret(named.lower()):
            message = f"The header '{shorten(named)}' holds a credential and is never exported"
            report.warning("secret-attribute", message, (*path, "distinct_id_header"), "name another header")


def _check_attributes(attributes: Document, report: Report) -> None:
    path = ("tracing", "span_attributes")
    for key in attributes.get("static") or {}:
        if is_reserved(key):
            report.warning("reserved-attribute", f"The attribute '{shorten(key)}' is the gateway's own and is left out",
                           (*path, "static", key), f"choose another name, e.g. app.{shorten(key)}")  # fmt: skip
    for index, prefix in enumerate(attributes.get("header_prefixes") or ()):
        place = (*path, "header_prefixes", index)
        if not prefix:
            report.warning("every-header", "An empty prefix puts every header on spans", place,
                           "write the beginning of the headers that are meant, e.g. x-acme-")  # fmt: skip
        elif not is_header_name(prefix):
            report.error("invalid-header", f"'{shorten(prefix)}' begins no header name", place, "write e.g. x-acme-")
        elif is_secret(prefix.lower()):
            report.warning("secret-attribute", f"Headers that begin with '{shorten(prefix)}' are never exported", place,
                           "name other headers")  # fmt: skip
