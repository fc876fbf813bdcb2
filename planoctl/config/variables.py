"""What a document asks of its environment, and which secrets it holds itself: for those who write deployments."""

import re
from collections.abc import Mapping
from typing import Any

from planoctl.config.environment import references
from planoctl.config.findings import DocumentPath, Report
from planoctl.config.schema import Shape, map_scalars

_KEYS = ("access_key", "api_key")
_HEADERS = ("headers", "http_headers")
_CREDENTIAL_HEADER = re.compile(r"(?i)(proxy-)?authorization|cookie|.*(api-?key|token|secret|password)")
_LITERAL_PASSWORD = re.compile(r"//[^/@\s:]*:[^/@\s$]+@")


def variables(document: Any, environment: Mapping[str, str]) -> dict[str, bool]:
    """The variables of a document as written, sorted, and whether a value is required.

    It is not where the reference has a default, or stands in prose; of those in prose only the set ones count.
    """
    found: dict[str, bool] = {}

    def see(value: Any, shape: Shape, _path: DocumentPath) -> Any:
        for name in references(value) if isinstance(value, str) else ():
            if shape.text and name not in environment:
                continue
            optional = shape.text or f"${{{name}:-" in value
            found[name] = found.get(name, False) or not optional
        return value

    map_scalars(document, see)
    return dict(sorted(found.items()))


def stand_ins(document: Any, environment: Mapping[str, str]) -> dict[str, str]:
    """Values for the keys and header values that `environment` lacks, so that a document can be judged without them.

    URLs are left out: manifests need their ports.
    """
    found: dict[str, str] = {}

    def see(value: Any, shape: Shape, path: DocumentPath) -> Any:
        if isinstance(value, str) and shape.secret and (path[-1] in _KEYS or path[-2] in _HEADERS):
            found.update({name: "unset" for name in references(value) if not environment.get(name, "").strip()})
        return value

    map_scalars(document, see)
    return found


def report_literal_secrets(document: Any, report: Report) -> None:
    """An error for each credential that is written into the document instead of a variable."""

    def see(value: Any, shape: Shape, path: DocumentPath) -> Any:
        if isinstance(value, str) and _is_literal(value, shape, path):
            report.error(
                "literal-secret",
                f"The {path[-1]} holds a secret, which a manifest must not",
                path,
                f"put it into a variable and write e.g. {path[-1]}: $MY_SECRET",
            )
        return value

    map_scalars(document, see)


def _is_literal(value: str, shape: Shape, path: DocumentPath) -> bool:
    if _LITERAL_PASSWORD.search(value):
        return True
    if not shape.secret or not value.strip() or references(value):
        return False
    header = len(path) > 1 and path[-2] in _HEADERS
    return path[-1] in _KEYS or (header and _CREDENTIAL_HEADER.fullmatch(str(path[-1])) is not None)
