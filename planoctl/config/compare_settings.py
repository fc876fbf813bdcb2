"""A part of a configuration as settings by path (`headers.x-team`), with secrets that compare but do not show."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from planoctl.config.environment import references
from planoctl.config.schema import Shape

HIDDEN = "(hidden)"

_SECRET_NAME = re.compile(
    r"(api|access|private|signing)_?-?key|secret|token|passw|credential|authorization", re.IGNORECASE
)
_USER_INFO = re.compile(r"://[^/@\s]+@")
_QUERY = re.compile(r"(https?://[^?\s]*)\?\S+")
_UNORDERED = frozenset({"retry_on_status", "header_prefixes"})
_SIMPLE = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Secret:
    """Equal to another with the same text; shows the variables that it refers to, never the text."""

    text: str = field(repr=False)

    @property
    def shown(self) -> str:
        return " ".join(f"${name}" for name in dict.fromkeys(references(self.text))) or HIDDEN


@dataclass(frozen=True, slots=True)
class Settings:
    """`every` has all settings, `given` only those that are not the default."""

    every: Mapping[str, Any]
    given: Mapping[str, Any]


def settings(value: Any, shape: Shape) -> Settings:
    """The settings of a section or of one of its entries; `shape` is what the schema says of it."""
    every, given = _plain(value, full=True), _plain(value, full=False)
    return Settings(_leaves(every, shape), _leaves(given, shape))


def shown(value: Any) -> Any:
    """What a value may be shown as: JSON, without secrets, and without the credentials that a URL may carry."""
    if isinstance(value, Secret):
        return value.shown
    if isinstance(value, str):
        return _QUERY.sub(r"\1?…", _USER_INFO.sub("://…@", value))
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return value


def _plain(value: Any, *, full: bool) -> Any:
    """Mappings and lists in place of structs; `full` with their defaults."""
    if isinstance(value, msgspec.Struct):
        omitted = {} if full else _defaults(value)
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return {
            name: _plain(item, full=full)
            for name, item in fields.items()
            if name not in omitted or item != omitted[name]
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(item, full=full) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, full=full) for item in value]
    return value


def _defaults(value: msgspec.Struct) -> dict[str, Any]:
    found = {}
    for each in msgspec.structs.fields(value):
        if each.default is not msgspec.NODEFAULT:
            found[each.name] = each.default
        elif each.default_factory is not msgspec.NODEFAULT:
            found[each.name] = each.default_factory()
    return found


def _leaves(value: Any, shape: Shape, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        if not value and path:
            return {}
        return {
            name: leaf
            for key, item in value.items()
            for name, leaf in _leaves(item, shape.child(key, item), f"{path}.{key}" if path else key).items()
        }
    if isinstance(value, list) and value and (names := _names(value)):
        return {
            name: leaf
            for index, (label, item) in enumerate(zip(names, value, strict=True))
            for name, leaf in _leaves(item, shape.child(index, item), f"{path}[{label}]").items()
        }
    return {path: _leaf(value, shape, path)}


def _names(items: list[Any]) -> list[str] | None:
    """What tells the entries of a list apart, if they are mappings: their name or id, else their place."""
    if not all(isinstance(item, dict) for item in items):
        return None
    for key in ("name", "id"):
        names = [str(item.get(key)) for item in items]
        if len(set(names)) == len(names) and all(isinstance(item.get(key), str) for item in items):
            return names
    return [str(index) for index in range(len(items))]


def _leaf(value: Any, shape: Shape, path: str) -> Any:
    key = path.rpartition(".")[2]
    if isinstance(value, list):
        items = tuple(_leaf(item, shape.child(index, item), path) for index, item in enumerate(value))
        return tuple(sorted(items, key=str)) if key in _UNORDERED else items
    if not isinstance(value, _SIMPLE):
        return str(value)
    guarded = shape.secret or (not shape.schemas and _SECRET_NAME.search(key) is not None)
    return Secret(value) if guarded and isinstance(value, str) else value
