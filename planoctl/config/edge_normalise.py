"""Brings the listeners' TLS, credentials and CORS to the form of the rendered document."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planoctl.config.addresses import protobuf_duration
from planoctl.config.environment import UnsetVariable, expand, references
from planoctl.config.findings import DocumentPath, Report, shorten

Document = dict[str, Any]

_TLS_FILES = ("certificate", "private_key", "client_ca")
_SHORT_KEY = 16  # characters: a random key has more, and a short one can be found from its hash


def normalise_edges(document: Document, environment: Mapping[str, str], folder: Path, report: Report) -> frozenset[str]:
    """Replace keys by their SHA-256, relative paths by absolute ones below `folder`; changes `document`.

    Returns the variables that keys came from.
    """
    hashed: set[str] = set()
    for index, listener in enumerate(document["listeners"]):
        path = ("listeners", index)
        _make_absolute(listener.get("tls", {}), _TLS_FILES, folder)
        auth = listener.get("auth", {})
        _make_absolute(auth.get("jwt", {}), ("jwks_file",), folder)
        for at, entry in enumerate(auth.get("keys", [])):
            hashed.update(_hash_key(entry, environment, (*path, "auth", "keys", at), report))
        _convert_max_age(listener.get("cors", {}), (*path, "cors", "max_age"), report)
    return frozenset(hashed)


def _make_absolute(owner: Document, keys: tuple[str, ...], folder: Path) -> None:
    for key in keys:
        if key in owner:
            owner[key] = str((folder / Path(owner[key]).expanduser()).absolute())


def _hash_key(entry: Document, environment: Mapping[str, str], path: DocumentPath, report: Report) -> tuple[str, ...]:
    """Put the hash in place of the key; returns the variables that the key refers to."""
    if ("key" in entry) == ("sha256" in entry):
        report.error("gateway-key", f"The key of '{shorten(entry['name'])}' needs one of key and sha256", path,
                     "write key: $TEAM_A_KEY, or sha256: with the output of `printf %s KEY | sha256sum`")  # fmt: skip
        entry.pop("key", None)
        entry.setdefault("sha256", "")
        return ()
    if "key" not in entry:
        entry["sha256"] = entry["sha256"].strip().lower()
        return ()
    text = entry.pop("key")
    try:
        key = expand(text, environment.get).strip()
    except UnsetVariable:  # the substitution has a finding
        key = ""
    entry["sha256"] = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    if not key:
        report.error("gateway-key", f"The key of '{shorten(entry['name'])}' is empty", (*path, "key"),
                     "give its variable a value")  # fmt: skip
    elif len(key) < _SHORT_KEY:
        report.warning("short-gateway-key", f"The key of '{shorten(entry['name'])}' has {len(key)} characters",
                       (*path, "key"), "take a random one, e.g. the output of `openssl rand -hex 24`")  # fmt: skip
    return references(text)


def _convert_max_age(cors: Document, path: DocumentPath, report: Report) -> None:
    if "max_age" not in cors:
        return
    try:
        cors["max_age"] = protobuf_duration(cors["max_age"])
    except ValueError as problem:
        report.error("invalid-duration", f"'{shorten(cors.pop('max_age'))}' is not a duration: {problem}", path,
                     "write e.g. 10m")  # fmt: skip
