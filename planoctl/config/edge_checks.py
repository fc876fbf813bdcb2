"""Do the listeners' credentials, caps and CORS make sense?"""

import re
from typing import Any

from planoctl.config.addresses import parse_base_url
from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.header_checks import is_header_name
from planoctl.config.runtime import DEFAULT_MAX_REQUEST_BYTES

Document = dict[str, Any]

_SHA256 = re.compile("[0-9a-f]{64}")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://(?:\*\.)?[A-Za-z0-9._\[\]:-]+(?::\*)?")


def check_edges(document: Document, report: Report) -> None:
    """Check the rendered document; files are left to `check_edge_files`."""
    largest = document.get("overrides", {}).get("max_request_bytes", DEFAULT_MAX_REQUEST_BYTES)
    for index, listener in enumerate(document["listeners"]):
        path = ("listeners", index)
        auth = listener.get("auth", {})
        _check_keys(auth.get("keys", []), (*path, "auth", "keys"), report)
        if "jwt" in auth:
            _check_jwt(auth["jwt"], (*path, "auth", "jwt"), report)
        if "cors" in listener:
            _check_cors(listener["cors"], (*path, "cors"), report)
        _check_client_certificates(listener.get("tls", {}), (*path, "tls"), report)
        if listener.get("max_request_bytes", 0) > largest:
            report.error("out-of-range", f"max_request_bytes is above that of overrides, {largest}",
                         (*path, "max_request_bytes"), "raise overrides.max_request_bytes too")  # fmt: skip


def _check_keys(keys: list[Document], path: DocumentPath, report: Report) -> None:
    owners: dict[str, str] = {}
    for at, entry in enumerate(keys):
        digest, name = entry["sha256"], entry["name"]
        if digest and not _SHA256.fullmatch(digest):
            report.error("gateway-key", "sha256 is not 64 hexadecimal digits", (*path, at, "sha256"),
                         "write the output of `printf %s KEY | sha256sum`")  # fmt: skip
        if owners.setdefault(digest, name) != name and digest:
            message = f"'{shorten(owners[digest])}' and '{shorten(name)}' have the same key"
            report.error("gateway-key", message, (*path, at), "give each caller a key of its own")


def _check_jwt(jwt: Document, path: DocumentPath, report: Report) -> None:
    if ("jwks_url" in jwt) == ("jwks_file" in jwt):
        report.error("jwks", "jwt needs one of jwks_url and jwks_file", path,
                     "write e.g. jwks_url: https://login.example.com/.well-known/jwks.json")  # fmt: skip
        return
    if "jwks_url" in jwt:
        try:
            url = parse_base_url(jwt["jwks_url"].partition("?")[0])
        except ValueError as problem:
            report.error("jwks", f"jwks_url is not an absolute http(s) URL: {problem}", (*path, "jwks_url"),
                         "write e.g. https://login.example.com/.well-known/jwks.json")  # fmt: skip
            return
        if url.scheme == "http" and url.host not in {"localhost", "127.0.0.1", "::1"}:
            report.warning("plain-jwks", "jwks_url has no TLS: who can change its answer can make tokens",
                           (*path, "jwks_url"), "use https")  # fmt: skip
    if not jwt.get("audiences"):
        message = "Without audiences every token of the issuer is accepted, those for other services too"
        report.warning("no-audience", message, path, "add audiences: [the name of this gateway at the issuer]")


def _check_cors(cors: Document, path: DocumentPath, report: Report) -> None:
    for at, origin in enumerate(cors["allow_origins"]):
        if not _ORIGIN.fullmatch(origin):
            report.error("cors-origin", f"'{shorten(origin)}' is not an origin", (*path, "allow_origins", at),
                         "write scheme and host without a path, e.g. https://app.example.com")  # fmt: skip
        elif origin == "*" and cors.get("allow_credentials"):
            report.error("cors-origin", "allow_credentials for every origin lets any page act for its visitors",
                         (*path, "allow_origins", at), "name the origins, or leave allow_credentials out")  # fmt: skip
    for key in ("allow_headers", "expose_headers"):
        for at, name in enumerate(cors.get(key, [])):
            if not is_header_name(name):
                report.error("invalid-header", f"'{shorten(name)}' is not a header name", (*path, key, at),
                             "write e.g. x-user-id")  # fmt: skip


def _check_client_certificates(tls: Document, path: DocumentPath, report: Report) -> None:
    if tls.get("require_client_certificate") and "client_ca" not in tls:
        report.error("no-client-ca", "require_client_certificate needs client_ca", path,
                     "add client_ca: with the authorities that client certificates come from")  # fmt: skip
