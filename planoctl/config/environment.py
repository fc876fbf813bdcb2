"""Variables in values: `$NAME`, `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign.

Substitution works on parsed scalars, so that a value may hold any character, and before validation, so that a port or
an address may be a variable. Secrets keep their reference; see `resolve_secrets`.
"""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv.parser import Binding, parse_stream

from planoctl.config.findings import DocumentPath, Finding, Report, config_error, shorten
from planoctl.config.schema import Shape, map_scalars

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_TOKEN = re.compile(rf"\$\$|\$(?P<bare>{_NAME})|\$\{{(?P<name>{_NAME})(?P<has_default>:-(?P<default>[^}}]*))?\}}")
_UNBRACED = re.compile(rf"\$\$|\$(?P<bare>{_NAME})|(?P<name>(?!))(?P<has_default>(?P<default>))")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_KEYS = ("access_key", "api_key", "key")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # bytes that are not UTF-8 arrive as surrogates
_NOT_IN_HEADERS = re.compile("[\r\n\x00\ud800-\udfff]")


def _replaced(change: Callable[[re.Match[str]], str], text: str) -> str:
    """The text with each token changed. Behind the last brace no `${` can close, and looking for it would take long."""
    end = text.rfind("}") + 1
    return _TOKEN.sub(change, text[:end]) + _UNBRACED.sub(change, text[end:])


class UnsetVariable(LookupError):
    """A reference without a value and without a default."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a `.env` file says, and a warning for each of its lines that says nothing."""

    entries: Mapping[str, str] = field(repr=False)
    warnings: tuple[Finding, ...] = ()


def read_env_file(path: Path) -> EnvFile:
    """Read a file of NAME=value lines, without interpolation; raises ConfigError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as problem:
        detail = problem.strerror if isinstance(problem, OSError) and problem.strerror else "it is not UTF-8 text"
        raise config_error("unreadable-env-file", f"failed to read {path}: {detail}", file=str(path)) from None
    entries: dict[str, str] = {}
    warnings: list[Finding] = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is not None and binding.value is not None:
            entries[binding.key] = binding.value
        elif binding.error or binding.key is not None:
            warnings.append(_ignored_line(binding, path))
    return EnvFile(entries, tuple(warnings))


def _ignored_line(binding: Binding, path: Path) -> Finding:
    """The warning about a line. It shows nothing of the line, which may be a key without its name."""
    text = binding.original.string
    line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
    message = "This line is not NAME=value, so it has no effect"
    remedy = "write NAME=value, with quotes around a value that has spaces or quotes in it; # begins a comment"
    return Finding("warning", "ignored-env-line", message, remedy, file=str(path), line=line, column=1)


def merged_environment(environment: Mapping[str, str], env_file: Path | None) -> dict[str, str]:
    """The process environment over the entries of a `.env` file; raises ConfigError if the file cannot be read."""
    entries = {} if env_file is None else read_env_file(env_file).entries
    return {**entries, **environment}


def references(text: str) -> tuple[str, ...]:
    """The names of the variables a text refers to."""
    names: list[str] = []

    def note(match: re.Match[str]) -> str:
        if match.group() != "$$":
            names.append(match["bare"] or match["name"])
        return ""

    _replaced(note, text)
    return tuple(names)


def expand(text: str, lookup: Callable[[str], str | None]) -> str:
    """The text with its references replaced; raises UnsetVariable for one that `lookup` answers with None.

    A default also stands in for an empty value, as in a shell.
    """

    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        name = match["bare"] or match["name"]
        found = lookup(name)
        if match["has_default"] and not found:
            return match["default"] or ""
        if found is None:
            raise UnsetVariable(name)
        return found

    return _replaced(value, text)


@dataclass
class Substitution:
    """Replaces the references of a document; afterwards `secrets` holds the variables of secrets.

    `failed` are the paths whose value is still a reference, and so cannot be judged.
    """

    environment: Mapping[str, str]
    report: Report
    secrets: dict[str, str] = field(default_factory=dict)
    failed: set[DocumentPath] = field(default_factory=set)

    def apply(self, document: Any) -> Any:
        return map_scalars(document, self._change)

    def _change(self, value: Any, shape: Shape, path: DocumentPath) -> Any:
        if not isinstance(value, str):
            return _integral(value, shape)
        if shape.secret:
            self._check_secret(value, path)
            return value
        if "$" not in value:
            return value
        for name in references(value):
            if _NO_TEXT.search(self.environment.get(name, "")):
                self._fail(path, "unusable-variable", f"Environment variable {name} is not UTF-8 text", "correct it")
                return value
        if shape.text:
            return _expand_text(value, self.environment)
        if _broken(value):
            self._fail(path, "malformed-reference", f"Malformed reference in '{shorten(value)}'",
                       "write ${NAME} or ${NAME:-default}, or $$ for a dollar sign")  # fmt: skip
            return value
        try:
            expanded = expand(value, self.environment.get)
        except UnsetVariable:
            for name in dict.fromkeys(references(value)):
                if name not in self.environment:
                    self._fail_unset(name, path)
            return value
        whole = _TOKEN.fullmatch(value)
        return _convert(expanded, shape) if whole else expanded

    def _check_secret(self, value: str, path: DocumentPath) -> None:
        """A secret stays a reference, but every variable in it must have a value."""
        if _broken(value):
            self._fail(path, "malformed-reference", "Malformed reference in a secret",
                       "write ${NAME} or ${NAME:-default}, or $$ for a dollar sign", secret=True)  # fmt: skip
            return
        found = {name: text for name in references(value) if (text := self._secret(name, path)) is not None}
        self.secrets |= found
        for text in found.values():
            self.report.hide(text.strip())
        if path[-1] in _KEYS and not references(value) and value.strip():
            self.report.warning("literal-key", f"The {path[-1]} is written into the file", path,
                                f"put it into the environment and write e.g. {path[-1]}: $MY_API_KEY")  # fmt: skip
        try:
            resolved = expand(value, found.get)
        except UnsetVariable:
            for name in dict.fromkeys(references(value)):
                if name not in found and f"${{{name}:-" not in value:
                    self._fail_unset(name, path, secret=True)
            return
        self.report.hide(resolved.strip())
        if _NOT_IN_HEADERS.search(resolved.strip()):
            self._fail(path, "unusable-secret", "The secret holds a line break, or is not UTF-8 text",
                       "give the variable a value of one line", secret=True)  # fmt: skip

    def _secret(self, name: str, path: DocumentPath) -> str | None:
        """The value of a variable; a blank key is as good as none."""
        value = self.environment.get(name)
        return None if value is None or (path[-1] in _KEYS and not value.strip()) else value

    def _fail_unset(self, name: str, path: DocumentPath, *, secret: bool = False) -> None:
        message = f"Environment variable {name} is {'empty' if name in self.environment else 'not set'}"
        remedy = f"run `export {name}=...` or put {name}=... into .env beside the configuration"
        if path[-1] not in _KEYS:
            remedy += "; write $$ for a literal dollar sign"
        self._fail(path, "unset-variable", message, remedy, secret=secret)

    def _fail(self, path: DocumentPath, code: str, message: str, remedy: str, *, secret: bool = False) -> None:
        if not secret:
            self.failed.add(path)
        self.report.error(code, message, path, remedy)


def resolve_secrets(document: Any, secrets: Mapping[str, str], report: Report) -> Any:
    """A copy of a rendered document in which secrets are values; reports references that `secrets` does not answer."""

    def change(value: Any, shape: Shape, path: DocumentPath) -> Any:
        if not (shape.secret and isinstance(value, str)):
            return value
        try:
            return expand(value, secrets.get).strip()
        except UnsetVariable as unset:
            report.error("unset-variable", f"No value is known for the secret {unset}", path,
                         f"start the gateway with {unset} set")  # fmt: skip
            return value

    return map_scalars(document, change)


def _expand_text(text: str, environment: Mapping[str, str]) -> str:
    """Prose: what has no value is not meant as a reference."""

    def value(match: re.Match[str]) -> str:
        try:
            return expand(match.group(), environment.get)
        except UnsetVariable:
            return match.group()

    return _replaced(value, text)


def _broken(text: str) -> bool:
    return "${" in _replaced(lambda _match: "\x00", text)


def _convert(text: str, shape: Shape) -> Any:
    """The value of a variable as the type the schema wants there; what does not convert is left to the schema."""
    types = shape.types
    if "string" in types:
        return text
    stripped = text.strip()
    if {"integer", "number"} & types and _INTEGER.fullmatch(stripped):
        return int(stripped)
    if "number" in types and re.fullmatch(r"[+-]?[0-9]{0,18}\.[0-9]{1,18}", stripped):
        return float(stripped)
    if "boolean" in types:
        return _BOOLEANS.get(stripped.lower(), text)
    return text


def _integral(value: Any, shape: Shape) -> Any:
    """JSON Schema takes 12000.0 for an integer; the rest of the gateway wants 12000, and nothing beyond 64 bits.

    What is larger becomes text, as in `parse`, which the schema then refuses.
    """
    if isinstance(value, float) and value.is_integer() and "integer" in shape.types and "number" not in shape.types:
        return int(value) if abs(value) < 2**63 else format(value, "g")
    return value
