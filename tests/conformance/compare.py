"""What differs between what a case expects and what came, in words."""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.conformance.sse import Event

_SHOWN = 300
_LINES = 40

Path = tuple[str, ...]


class Rules:
    """How loosely to compare. All paths are dotted, with `*` for any index of a list.

    `ignore`: generated values; they must be there and have the type of the expected ones, and a text that the case
    repeats must repeat in the answer as well: all chunks of a stream share one id. `contains`: texts that must contain
    the expected one. `optional`: members that gateways may add or leave out.
    """

    def __init__(self, ignore: Sequence[str] = (), contains: Sequence[str] = (), optional: Sequence[str] = ()) -> None:
        self._ignore, self._contains, self._optional = (
            [tuple(path.split(".")) for path in paths] for paths in (ignore, contains, optional)
        )
        self._seen: dict[tuple[Path, str], str] = {}

    def is_optional(self, path: Path) -> bool:
        return _match(self._optional, path) is not None

    def apply(self, path: Path, expected: Any, actual: Any) -> tuple[bool, str | None]:
        """Whether a rule other than equality holds at `path`, and what is wrong under it."""
        ignored = _match(self._ignore, path)
        if ignored is None and _match(self._contains, path) is None:
            return False, None
        if _kind(expected) != _kind(actual):
            return True, f"expected some {_kind(expected)}, got {_shown(actual)}"
        if not isinstance(expected, str):
            return True, None
        if ignored is None:
            problem = f"expected a text with {_shown(expected)}, got {_shown(actual)}"
            return True, None if expected in actual else problem
        first = self._seen.setdefault((ignored, expected), actual)
        return True, None if first == actual else f"expected {_shown(first)} again, as before, got {_shown(actual)}"

    def masked(self, value: Any, path: Path = ()) -> Any:
        """`value` without what is not compared exactly."""
        if path and (_match(self._ignore, path) or _match(self._contains, path)):
            return f"<some {_kind(value)}>"
        if isinstance(value, dict):
            return {
                name: self.masked(member, (*path, name))
                for name, member in value.items()
                if not self.is_optional((*path, name))
            }
        if isinstance(value, list):
            return [self.masked(item, (*path, str(index))) for index, item in enumerate(value)]
        return value


def _match(patterns: list[Path], path: Path) -> Path | None:
    for pattern in patterns:
        if len(pattern) == len(path) and all(
            wanted == found or (wanted == "*" and found.isdecimal())
            for wanted, found in zip(pattern, path, strict=True)
        ):
            return pattern
    return None


def json_differences(expected: Any, actual: Any, rules: Rules | None = None, path: Path = ()) -> Iterator[str]:
    """One line for each place where two JSON values differ. 1 and 1.0 are the same number, 1 and true are not."""
    rules = rules or Rules()
    ruled, problem = rules.apply(path, expected, actual) if path else (False, None)
    if ruled:
        if problem:
            yield f"{_name(path)}: {problem}"
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected.keys() | actual.keys():
            where = (*path, name)
            if rules.is_optional(where) and (name not in actual or name not in expected):
                continue
            if name not in actual:
                yield f"{_name(where)}: missing, expected {_shown(expected[name])}"
            elif name not in expected:
                yield f"{_name(where)}: not expected, got {_shown(actual[name])}"
            else:
                yield from json_differences(expected[name], actual[name], rules, where)
    elif isinstance(expected, list) and isinstance(actual, list):
        for index, (wanted, found) in enumerate(zip(expected, actual, strict=False)):
            yield from json_differences(wanted, found, rules, (*path, str(index)))
        for index in range(len(actual), len(expected)):
            yield f"{_name((*path, str(index)))}: missing, expected {_shown(expected[index])}"
        for index in range(len(expected), len(actual)):
            yield f"{_name((*path, str(index)))}: not expected, got {_shown(actual[index])}"
    elif _kind(expected) != _kind(actual) or expected != actual:
        yield f"{_name(path)}: expected {_shown(expected)}, got {_shown(actual)}"


def event_differences(expected: list[Event], actual: list[Event], rules: Rules) -> Iterator[str]:
    """What differs between two streams: event by event, or where their lengths differ, as a diff."""
    if len(expected) == len(actual):
        for index, (wanted, found) in enumerate(zip(expected, actual, strict=True)):
            where = f"event {index}"
            if wanted.name != found.name:
                yield f"{where}: expected the name {_shown(wanted.name)}, got {_shown(found.name)}"
            for line in json_differences(wanted.data, found.data, rules):
                yield f"{where} ({wanted.name or 'no name'}): {line}"
        return
    yield f"expected {len(expected)} events, got {len(actual)}"
    wanted_lines, found_lines = (
        [str(Event(event.name, rules.masked(event.data))) for event in side] for side in (expected, actual)
    )
    lines = difflib.unified_diff(wanted_lines, found_lines, "expected", "received", n=1, lineterm="")
    for number, line in enumerate(lines):
        if number > _LINES:
            yield "..."
            return
        yield line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def text_problem(stream: bytes) -> str | None:
    """Why a stream is not UTF-8 text."""
    try:
        stream.decode()
    except UnicodeDecodeError as fault:
        return f"not UTF-8: {fault}"
    return None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


def _name(path: Path) -> str:
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(("$", *path)))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
