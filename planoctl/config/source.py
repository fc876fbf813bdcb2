"""Reads YAML into plain data with the position of every part; nothing in a file may do worse than a ConfigError."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from planoctl.config.findings import ConfigError, DocumentPath, Finding, Report, config_error, shorten

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 250_000  # after expansion of aliases
_MAX_INTEGER_BITS = 63
_LONGEST_NUMBER = 64  # characters; YAML 1.1 has numbers in base 60, and reading a long one takes hours

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS = yaml.constructor.SafeConstructor()
_TAG = "tag:yaml.org,2002:"
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Kinds of plain scalars that YAML 1.1 guesses and that no part of a configuration wants: they stay text.
_TEXT_TAGS = frozenset({f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}merge", f"{_TAG}value"})
_NUMBER_TAGS = frozenset({f"{_TAG}int", f"{_TAG}float"})
_TAB_REMEDY = "indent with spaces: YAML does not allow tabs there"


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed document: mappings with string keys, lists, strings, numbers, booleans and None.

    `marks` gives line and column (from 1) of the key or list item at a path; `repeats` lists keys written twice.
    """

    document: Any
    marks: Mapping[DocumentPath, tuple[int, int]]
    repeats: tuple[DocumentPath, ...] = ()

    def report(self, file: str | None) -> Report:
        report = Report(file, self.marks)
        for path in self.repeats:
            report.warning(
                "duplicate-key", f"Key '{shorten(str(path[-1]))}' is given twice; the last one counts", path,
                "remove one of the two",
            )  # fmt: skip
        return report


def read_file(path: Path) -> str:
    """The text of a file; raises ConfigError if it is not there, too large or not UTF-8."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise config_error("unreadable-file", f"failed to read {file}: {reason}", file=file) from problem
    if len(data) > MAX_FILE_BYTES:
        raise config_error("file-too-large", f"failed to read {file}: larger than {MAX_FILE_BYTES} bytes", file=file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        message = f"failed to read {file}: byte {problem.start} is not UTF-8"
        raise config_error("not-utf-8", message, "save the file as UTF-8", file=file) from problem


def parse(text: str, file: str | None = None) -> Source:
    """Parse YAML text; raises ConfigError with exactly one finding if it is not one well-formed document."""
    try:
        _check_characters(text)
        _check_size(text)
        root = yaml.compose(text, Loader=_LOADER)
        return _Reader().read(root)
    except _Fault as fault:
        raise ConfigError([fault.finding(file)]) from None
    except yaml.MarkedYAMLError as problem:
        raise ConfigError([_syntax_fault(problem, text).finding(file)]) from None
    except yaml.YAMLError as problem:
        raise ConfigError([_Fault("yaml-syntax", f"Not valid YAML: {problem}", 0, 0).finding(file)]) from None


def plain(document: Any) -> Any:
    """A deep copy of parsed data as `parse` would give it; raises ConfigError for what YAML could not have held."""
    try:
        return _Copier().copy(document, 0)
    except _Fault as fault:
        raise ConfigError([fault.finding(None)]) from None


class _Fault(Exception):
    """The one thing wrong with the text; line and column count from 0."""

    def __init__(self, code: str, message: str, line: int, column: int, remedy: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.line, self.column, self.remedy = code, message, line, column, remedy

    def finding(self, file: str | None) -> Finding:
        return Finding("error", self.code, self.message, self.remedy, "", file, self.line + 1, self.column + 1)


def _syntax_fault(problem: yaml.MarkedYAMLError, text: str) -> _Fault:
    mark = problem.problem_mark or problem.context_mark
    detail = ", ".join(part for part in (problem.context, problem.problem) if part)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines() or [""]
    if line >= len(lines):  # an end too early is reported behind the last line
        line, column = len(lines) - 1, len(lines[-1])
    indentation = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
    remedy = _TAB_REMEDY if "\t" in indentation else None
    return _Fault("yaml-syntax", f"Not valid YAML: {shorten(detail)}", line, column, remedy)


def _check_characters(text: str) -> None:
    if (match := _UNPRINTABLE.search(text)) is None:
        return
    before = text[: match.start()]
    column = match.start() - (before.rfind("\n") + 1)
    message = f"Not valid YAML: character U+{ord(match.group()):04X} is not allowed"
    raise _Fault("yaml-syntax", message, before.count("\n"), column, "remove the character")


def _check_size(text: str) -> None:
    """Composing recurses and holds every node, so both are bounded on the event stream before."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if count > 2 * MAX_NODES:
            raise _too_many(event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_many(mark: Any) -> _Fault:
    return _Fault("too-many-nodes", f"More than {MAX_NODES} values, aliases expanded", mark.line, mark.column)


def _too_deep(mark: Any) -> _Fault:
    return _Fault("too-deep", f"Nested more than {MAX_DEPTH} levels deep", mark.line, mark.column)


class _Reader:
    """Turns a node tree into plain data."""

    def __init__(self) -> None:
        self._marks: dict[DocumentPath, tuple[int, int]] = {}
        self._repeats: list[DocumentPath] = []
        self._open: set[int] = set()
        self._nodes = 0

    def read(self, root: yaml.Node | None) -> Source:
        if root is None:
            raise _Fault("empty-file", "The file is empty", 0, 0, "see docs/configuration.md for a first configuration")
        document = self._value(root, ())
        return Source(document, self._marks, tuple(self._repeats))

    def _value(self, node: yaml.Node, path: DocumentPath) -> Any:
        self._nodes += 1
        mark = node.start_mark
        if self._nodes > MAX_NODES:
            raise _too_many(mark)
        self._marks.setdefault(path, (mark.line + 1, mark.column + 1))
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._open:
            raise _Fault("recursive-alias", "An alias refers to a value that contains it", mark.line, mark.column)
        if len(path) >= MAX_DEPTH:
            raise _too_deep(mark)
        self._open.add(id(node))
        try:
            return self._collection(node, path)
        finally:
            self._open.remove(id(node))

    def _collection(self, node: yaml.Node, path: DocumentPath) -> Any:
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        raise _unknown_tag(node)

    def _mapping(self, node: yaml.MappingNode, path: DocumentPath) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                for source in self._merge_sources(value_node, path):
                    merged = source | merged
                continue
            key = _key(key_node)
            if key in own:
                self._repeats.append((*path, key))
            mark = key_node.start_mark
            self._marks[*path, key] = (mark.line + 1, mark.column + 1)
            own[key] = self._value(value_node, (*path, key))
        return merged | own

    def _merge_sources(self, node: yaml.Node, path: DocumentPath) -> Iterable[dict[str, Any]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in nodes:
            value = self._value(source, path)
            if not isinstance(value, dict):
                mark = source.start_mark
                raise _Fault("yaml-syntax", "Not valid YAML: `<<` merges mappings only", mark.line, mark.column)
            yield value


def _key(node: yaml.Node) -> str:
    """A key as written: `1`, `on` and `null` are names here, not values."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    mark = node.start_mark
    raise _Fault("yaml-syntax", "Not valid YAML here: a key must be a plain name", mark.line, mark.column)


def _scalar(node: yaml.ScalarNode) -> Any:
    """The value of a scalar. Numbers that JSON could not hold stay text, so that the schema names them."""
    if node.tag in _TEXT_TAGS or (node.tag in _NUMBER_TAGS and len(node.value) > _LONGEST_NUMBER):
        return node.value
    constructors = {
        f"{_TAG}null": _SCALARS.construct_yaml_null,
        f"{_TAG}bool": _SCALARS.construct_yaml_bool,
        f"{_TAG}int": _SCALARS.construct_yaml_int,
        f"{_TAG}float": _SCALARS.construct_yaml_float,
    }
    if (construct := constructors.get(node.tag)) is None:
        raise _unknown_tag(node)
    try:
        value = construct(node)
    except (ValueError, KeyError, IndexError, OverflowError):
        return node.value
    return value if _representable(value) else node.value


def _representable(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or value.bit_length() <= _MAX_INTEGER_BITS


def _unknown_tag(node: yaml.Node) -> _Fault:
    mark = node.start_mark
    message = f"Not valid here: YAML tag '{shorten(str(node.tag).replace(_TAG, '!!'))}'"
    return _Fault("yaml-tag", message, mark.line, mark.column, "remove the tag")


def _copied_text(text: str) -> str:
    if _SURROGATE.search(text):
        raise _Fault("unsupported-value", "A text is not Unicode", 0, 0)
    return text


class _Copier:
    def __init__(self) -> None:
        self._nodes = 0

    def copy(self, value: Any, depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise _Fault("too-deep", f"Nested more than {MAX_DEPTH} levels deep", 0, 0)
        if self._nodes > MAX_NODES:
            raise _Fault("too-many-nodes", f"More than {MAX_NODES} values", 0, 0)
        if isinstance(value, Mapping):
            return {self._name(key): self.copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.copy(item, depth + 1) for item in value]
        if isinstance(value, str):
            return _copied_text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float) and _representable(value):
            return value
        raise _Fault("unsupported-value", f"A value of type {type(value).__name__} has no place here", 0, 0)

    def _name(self, key: Any) -> str:
        if isinstance(key, bool):
            return str(key).lower()
        if key is None:
            return "null"
        if isinstance(key, str) or (isinstance(key, int) and _representable(key)):
            return _copied_text(str(key))
        raise _Fault("unsupported-value", f"A key of type {type(key).__name__} has no place here", 0, 0)
