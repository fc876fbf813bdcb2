"""What is wrong with a configuration, and where: findings, the report that collects them, and the one error raised."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

DocumentPath = tuple[str | int, ...]
Severity = Literal["error", "warning"]

MOST_FINDINGS = 200

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_USERINFO = re.compile(r"(?<=//)[^/@\s'\"]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
_SHOWN_CHARACTERS = 100
_SHORTEST_MASKED_SECRET = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, or one thing worth knowing. `line` and `column` count from 1."""

    severity: Severity
    code: str
    message: str
    remedy: str | None = None
    path: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        lines = [f"{self.severity}: {self.message} [{self.code}]"]
        lines.append(f"  at {place + ', ' if place else ''}{self.path or 'root'}")
        if self.remedy:
            lines.append(f"  fix: {self.remedy}")
        return "\n".join(lines)


class ConfigError(Exception):
    """A configuration that cannot be used. Its text lists every finding and shows no secret."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


def config_error(code: str, message: str, remedy: str | None = None, *, file: str | None = None) -> ConfigError:
    """An error with a single finding about a whole file."""
    return ConfigError([Finding("error", code, message, remedy, file=file)])


def format_path(path: DocumentPath) -> str:
    """`("model_providers", 2, "base_url")` as `model_providers[2].base_url`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{shorten(repr(part))}]"
    return text


def shorten(text: str) -> str:
    """A text as messages show it: on one line, and not too long."""
    text = _CONTROL.sub(" ", text)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def show(value: Any) -> str:
    """A value as messages show it: scalars shortened, containers by kind alone, as there may be secrets inside."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return shorten(repr(value))


class Report:
    """Collects findings about one document.

    `marks` gives line and column of each path of the document as written. Steps that move things register where they
    came from, so that a finding always names the place in the user's file.
    """

    def __init__(self, file: str | None = None, marks: Mapping[DocumentPath, tuple[int, int]] | None = None) -> None:
        self._file = file
        self._marks = marks or {}
        self._found: dict[tuple[str, str, str], tuple[Finding, tuple[int, int]]] = {}
        self._told: Counter[Severity] = Counter()
        self._omitted: Counter[Severity] = Counter()
        self._moves: list[Mapping[DocumentPath, DocumentPath]] = []
        self._secrets: set[str] = set()
        self._damaged: set[str] = set()

    def error(self, code: str, message: str, path: DocumentPath = (), remedy: str | None = None) -> None:
        self._add("error", code, message, path, remedy, None)

    def warning(self, code: str, message: str, path: DocumentPath = (), remedy: str | None = None) -> None:
        self._add("warning", code, message, path, remedy, None)

    def error_at_key(self, code: str, message: str, path: DocumentPath, key: str, remedy: str | None = None) -> None:
        """An error of the mapping at `path`, shown at the line of its `key`."""
        self._add("error", code, message, path, remedy, (*path, key))

    def moved(self, origins: Mapping[DocumentPath, DocumentPath]) -> None:
        """Register one step: present path prefix → its path before this step."""
        self._moves.append(origins)

    def hide(self, secret: str) -> None:
        """Never show this text in a message."""
        if len(secret) >= _SHORTEST_MASKED_SECRET:
            self._secrets.add(secret)

    def damage(self, section: str) -> None:
        """Parts of this top-level section were unusable: what is missing in it may be a consequence."""
        self._damaged.add(section)

    def intact(self, *sections: str) -> bool:
        return self._damaged.isdisjoint(sections)

    def origin(self, path: DocumentPath) -> DocumentPath:
        """Where a path of the document in its present state stands in the document as written."""
        for origins in reversed(self._moves):
            for length in range(len(path), 0, -1):
                if (source := origins.get(path[:length])) is not None:
                    path = source + path[length:]
                    break
        return path

    def place(self, path: DocumentPath) -> str:
        """Where a path stands in the user's file, for a message about another place: `a[0] (line 3)`."""
        written = self.origin(path)
        line, _ = self._mark(written)
        return format_path(written) + (f" (line {line})" if line else "")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, in the order of the file; of a flood the first MOST_FINDINGS, and how many more there are."""
        ordered = sorted(self._found.values(), key=lambda entry: entry[1])
        rest = (self._more(severity, count) for severity, count in self._omitted.items())
        return (*(finding for finding, _ in ordered), *rest)

    @property
    def failed(self) -> bool:
        return self._told["error"] > 0

    def full(self, severity: Severity) -> bool:
        """Whether one more finding would only be counted."""
        return self._told[severity] >= MOST_FINDINGS

    def omit(self, severity: Severity) -> None:
        """Count a finding without telling it."""
        self._omitted[severity] += 1

    def _more(self, severity: Severity, count: int) -> Finding:
        message = f"{count} more {severity}{'' if count == 1 else 's'}, which are not shown"
        return Finding(severity, "more-findings", message, "correct those that are shown first", file=self._file)

    def _add(
        self,
        severity: Severity,
        code: str,
        message: str,
        path: DocumentPath,
        remedy: str | None,
        mark_path: DocumentPath | None,
    ) -> None:
        if self.full(severity):
            self.omit(severity)
            return
        written = self.origin(path)
        line, column = self._mark(self.origin(mark_path) if mark_path else written)
        finding = Finding(
            severity,
            code,
            self._mask(message),
            self._mask(remedy) if remedy else None,
            format_path(written),
            self._file,
            line,
            column,
        )
        key = (code, finding.path, finding.message)
        if key not in self._found:
            self._found[key] = (finding, (line or 0, column or 0))
            self._told[severity] += 1

    def _mark(self, path: DocumentPath) -> tuple[int | None, int | None]:
        """The position of a path, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if (mark := self._marks.get(path[:length])) is not None:
                return mark
        return None, None

    def _mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _USERINFO.sub("***@", text)
