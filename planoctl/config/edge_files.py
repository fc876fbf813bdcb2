"""Can the files of listeners be used: certificates, keys, authorities, key sets? Read before anything starts."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from planoctl.config.findings import DocumentPath, Report
from planoctl.config.runtime import Listener

Document = dict[str, Any]

_SOON = timedelta(days=7)


def check_edge_files(document: Document, report: Report) -> None:
    """Report files that are missing, unreadable, not what they should be, or do not belong together."""
    for index, listener in enumerate(document["listeners"]):
        path = ("listeners", index)
        if "tls" in listener:
            _check_tls(listener["tls"], (*path, "tls"), report)
        jwt = listener.get("auth", {}).get("jwt", {})
        if "jwks_file" in jwt:
            _check_jwks(jwt["jwks_file"], (*path, "auth", "jwt", "jwks_file"), report)


def edge_files(listeners: Sequence[Listener]) -> list[Path]:
    """The files that listeners name: certificates, keys, authorities, key sets."""
    named: list[str | None] = []
    for listener in listeners:
        if listener.tls is not None:
            named += [listener.tls.certificate, listener.tls.private_key, listener.tls.client_ca]
    return [*(Path(name) for name in dict.fromkeys(named) if name), *key_set_files(listeners)]


def key_set_files(listeners: Iterable[Listener]) -> list[Path]:
    """The files of key sets that listeners name. What is in them becomes part of what is rendered."""
    tokens = (listener.auth.jwt for listener in listeners if listener.auth is not None)
    return list(dict.fromkeys(Path(jwt.jwks_file) for jwt in tokens if jwt is not None and jwt.jwks_file))


def _read(name: str, path: DocumentPath, report: Report) -> bytes | None:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        report.error("unreadable-file", f"{name} cannot be read: {reason}", path, "correct the path or its permissions")
        return None


def _check_tls(tls: Document, path: DocumentPath, report: Report) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    chain = _certificates(tls["certificate"], (*path, "certificate"), report)
    pem = _read(tls["private_key"], (*path, "private_key"), report)
    if "client_ca" in tls:
        _certificates(tls["client_ca"], (*path, "client_ca"), report)
    if pem is None:
        return
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        message = f"{tls['private_key']} is not a private key in PEM without a passphrase"
        report.error("invalid-private-key", message, (*path, "private_key"), "name the file with the PRIVATE KEY block")
        return
    if chain and key.public_key() != chain[0].public_key():
        report.error("key-mismatch", "private_key does not belong to the first certificate of certificate", path,
                     "name the key of that certificate; the server's own certificate comes first")  # fmt: skip


def _certificates(name: str, path: DocumentPath, report: Report) -> list[Any]:
    """The certificates of a PEM file; empty, with a finding, if it has none that can be used."""
    from cryptography import x509

    pem = _read(name, path, report)
    if pem is None:
        return []
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        report.error("invalid-certificate", f"{name} holds no certificate in PEM", path,
                     "name a file with CERTIFICATE blocks")  # fmt: skip
        return []
    end = found[0].not_valid_after_utc
    if end < datetime.now(UTC):
        report.error("expired-certificate", f"The certificate in {name} ended on {end:%Y-%m-%d}", path, "renew it")
    elif end < datetime.now(UTC) + _SOON:
        report.warning("expiring-certificate", f"The certificate in {name} ends on {end:%Y-%m-%d}", path, "renew it")
    return found


def _check_jwks(name: str, path: DocumentPath, report: Report) -> None:
    text = _read(name, path, report)
    if text is None:
        return
    try:
        keys = json.loads(text)["keys"]
        usable = isinstance(keys, list) and all(isinstance(key, dict) and "kty" in key for key in keys) and keys
    except (ValueError, TypeError, KeyError):
        usable = False
    if not usable:
        report.error("jwks", f"{name} is not a JSON Web Key Set", path, 'it must hold {"keys": [{"kty": …}, …]}')
        return
    if any("d" in key for key in keys):
        report.warning("private-jwks", f"{name} holds private keys, with which tokens can be made", path,
                       "put only the public keys there")  # fmt: skip
