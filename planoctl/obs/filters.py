"""What the user wants to see: `model:gpt* status:4xx -session:abc text`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from planoctl.obs.calls import Call

_FIELDS: dict[str, Callable[[Call], tuple[str | None, ...]]] = {
    "model": lambda call: (call.model, call.request_model),
    "provider": lambda call: (call.provider,),
    "session": lambda call: (call.session_id,),
    "route": lambda call: (call.route_name,),
    "request": lambda call: (call.request_id, call.trace_id),
}
_ANY = ("model", "provider", "session", "route", "request")
_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
KEYS = ("model", "provider", "session", "route", "status", "request")


class FilterError(ValueError):
    """A filter that cannot be read; the message says which part, and what can be written."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that all have to hold; none lets every call pass."""

    text: str
    _conditions: tuple[Callable[[Call], bool], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def __call__(self, call: Call) -> bool:
        return all(holds(call) for holds in self._conditions)


EVERYTHING = Filter("")


def parse_filter(text: str) -> Filter:
    """Conditions apart by spaces; raises FilterError.

    `key:value` looks for the value within the field, in any letter case; with a `*` the pattern has to match all of it,
    as with `key=value`; `key:` alone asks for calls without the field. A word without a key may be in any field. `-`
    turns a condition around; quotes hold spaces together.
    """
    words = _WORD.findall(text)
    return Filter(" ".join(words), tuple(_condition(word.replace('"', "")) for word in words))


def exactly(key: str, value: str) -> str:
    """The condition that a field has this value."""
    value = value.replace('"', "*")
    return f'{key}="{value}"' if re.search(r"\s", value) else f"{key}={value}"


def _condition(word: str) -> Callable[[Call], bool]:
    if word.startswith("-") and len(word) > 1:
        inner = _condition(word[1:])
        return lambda call: not inner(call)
    key, separator, value = (*re.split("([:=])", word, maxsplit=1), "", "")[:3]
    if not separator:
        return _fields(_ANY, word)
    if key.lower() == "status":
        return _status(value.lower())
    if key.lower() in _FIELDS:
        return _fields((key.lower(),), value, whole=separator == "=")
    raise FilterError(f"no field {key!r}: use {', '.join(KEYS)}")


def _fields(keys: tuple[str, ...], wanted: str, *, whole: bool = False) -> Callable[[Call], bool]:
    wanted = wanted.lower()
    whole = whole or "*" in wanted
    read = [_FIELDS[key] for key in keys]

    def holds(call: Call) -> bool:
        values = [value.lower() for fields in read for value in fields(call) if value]
        return any(_matches(value, wanted, whole=whole) for value in values) if wanted else not values

    return holds


def _matches(value: str, wanted: str, *, whole: bool) -> bool:
    if not whole:
        return wanted in value
    return fnmatchcase(value, wanted.replace("[", "[[]").replace("?", "[?]"))


def _status(wanted: str) -> Callable[[Call], bool]:
    if wanted in {"error", "err", "failed"}:
        return lambda call: call.failed
    if wanted == "ok":
        return lambda call: not call.failed
    if wanted == "":
        return lambda call: call.status_code is None
    if len(wanted) == 3 and wanted[0].isdecimal() and wanted[1:] == "xx":
        return lambda call: call.status_code is not None and call.status_code // 100 == int(wanted[0])
    if wanted.isascii() and wanted.isdecimal():
        return lambda call: call.status_code == int(wanted)
    raise FilterError(f"no status {wanted!r}: use a number such as 429, 4xx, error or ok")
