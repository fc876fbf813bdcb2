"""What differs between two configurations, as users think of them: models, aliases, preferences, limits, settings.

Both are compared in their normalised form, so comments, order, defaults and spellings make no difference, except for
lists that are tried in order. For `planoctl diff`, and for the line that `planoctl reload` prints.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from planoctl.config.compare_settings import Secret, Settings, settings, shown
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import ModelProvider, RuntimeConfig
from planoctl.config.schema import Shape

Kind = Literal["added", "removed", "changed", "renamed", "moved"]

NOUNS = {
    "listeners": ("listener", "listeners"),
    "model_providers": ("model", "models"),
    "default_model": ("default model", "default model"),
    "short_names": ("short model name", "short model names"),
    "model_aliases": ("alias", "aliases"),
    "agents": ("agent", "agents"),
    "filters": ("filter", "filters"),
    "endpoints": ("endpoint", "endpoints"),
    "routing_preferences": ("routing preference", "routing preferences"),
    "model_metrics_sources": ("metrics source", "metrics sources"),
    "ratelimits": ("limit", "limits"),
    "prompt_targets": ("prompt target", "prompt targets"),
    "secrets": ("variable", "variables"),
    "settings": ("setting", "settings"),
}

_KINDS: tuple[Kind, ...] = ("added", "removed", "renamed", "changed", "moved")
_IGNORED = ("version",)  # documents of every version are brought to the same form first
_TOLD_APART_BY = {"ratelimits": ("model", "selector"), "model_metrics_sources": ("type", "provider")}
_SAME_IF = {
    "listeners": ("type", "address", "port"),
    "model_providers": ("provider_interface", "model", "base_url"),
    "model_aliases": ("target",),
    "routing_preferences": ("description",),
}
# What follows from other settings, or is told elsewhere.
_UNTOLD = {
    "listeners": ("name",),
    "model_providers": ("name", "internal", "default", "wildcard_prefix", "cluster_name"),
    "routing_preferences": ("name",),
}
_FROM_BASE_URL = ("endpoint", "port", "protocol", "base_url_path_prefix")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that differs; None where there is none. `old` and `new` can be shown: of secrets only the variables."""

    path: str
    old: Any
    new: Any
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """`section` is a key of the configuration or of NOUNS; `was` the former name of what was renamed.

    A changed setting outside of the lists of named things is a `changed` of the section `settings`, by its path.
    """

    kind: Kind
    section: str
    name: str
    settings: tuple[Setting, ...] = ()
    was: str | None = None


def compare(old: RuntimeConfig, new: RuntimeConfig) -> list[Change]:
    """The changes from `old` to `new`, in the order of the configuration's sections."""
    found: list[Change] = []
    shape = Shape.of_document(msgspec.to_builtins(new))
    for field in msgspec.structs.fields(RuntimeConfig):
        section = field.name
        before, after = getattr(old, section), getattr(new, section)
        if section in _IGNORED or before == after:
            continue
        part = shape.child(section, msgspec.to_builtins(after))
        entries = _entries(section, before, old), _entries(section, after, new)
        if entries[0] is None or entries[1] is None:
            found += _single_settings(section, before, after, part)
        else:
            found += _entry_changes(section, entries[0], entries[1], part)
        if section == "model_providers":
            found += _default_model(old, new)
            found += _short_names(old, new)
    return found


def changed_secrets(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    """The variables whose values differ; the values are not told."""
    return [Change("changed", "secrets", f"${name}") for name in old if name in new and old[name] != new[name]]


def summary(changes: Iterable[Change]) -> str:
    """One line such as `2 models added, 1 limit changed`."""
    counts = Counter((change.section, change.kind) for change in changes)
    parts = [
        _counted(section, kind, counts[section, kind])
        for section in dict.fromkeys(section for section, _ in counts)
        for kind in _KINDS
        if (section, kind) in counts
    ]
    return ", ".join(parts) or "nothing changed"


def noun(section: str, count: int) -> str:
    """What users call the entries of a section."""
    one, many = NOUNS.get(section, (f"entry of {section}", f"entries of {section}"))
    return one if count == 1 else many


def _counted(section: str, kind: Kind, count: int) -> str:
    if kind == "moved":
        return f"order of {noun(section, 2)} changed"
    return f"{noun(section, 1)} changed" if section == "default_model" else f"{count} {noun(section, count)} {kind}"


def _entries(section: str, value: Any, config: RuntimeConfig) -> dict[str, Any] | None:
    """The entries of a section of structs by name; None for any other section."""
    if isinstance(value, dict):
        if not all(isinstance(item, msgspec.Struct) for item in value.values()):
            return None
        services = {each.id for each in config.agents} | {each.id for each in config.filters}
        return {name: item for name, item in value.items() if section != "endpoints" or name not in services}
    if not isinstance(value, tuple) or not all(isinstance(item, msgspec.Struct) for item in value):
        return None
    entries: dict[str, Any] = {}
    for item in value:
        if isinstance(item, ModelProvider) and item.internal:
            continue
        name = label = _label(section, item)
        count = 1
        while label in entries:
            count += 1
            label = f"{name} ({count})"
        entries[label] = item
    return entries


def _label(section: str, item: msgspec.Struct) -> str:
    for key in ("name", "id") if section not in _TOLD_APART_BY else ():
        if isinstance(text := getattr(item, key, None), str) and text:
            return text
    keys = _TOLD_APART_BY.get(section, item.__struct_fields__)
    return " ".join(text for key in keys for text in _words(getattr(item, key, None)))


def _words(value: Any) -> list[str]:
    if isinstance(value, msgspec.Struct):
        return [word for key in value.__struct_fields__ for word in _words(getattr(value, key))]
    return [shown(value)] if isinstance(value, str) and value else []


def _entry_changes(section: str, old: dict[str, Any], new: dict[str, Any], shape: Shape) -> list[Change]:
    renamed = _renamed(section, old, new)
    changes = []
    for name, item in old.items():
        now = renamed.get(name, name)
        if now not in new:
            changes.append(Change("removed", section, name))
            continue
        differences = _entry_settings(section, name, item, new[now], shape)
        if now != name:
            changes.append(Change("renamed", section, now, differences, was=name))
        elif differences:
            changes.append(Change("changed", section, name, differences))
    taken = set(renamed.values())
    for name, item in new.items():
        if name not in old and name not in taken:
            changes.append(Change("added", section, name, _added_settings(section, name, item, shape)))
    if section == "routing_preferences":
        changes += _moved(section, old, new, renamed)
    return changes


def _renamed(section: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """New names by old ones, where exactly one entry that is gone is like exactly one that came."""
    keys = _SAME_IF.get(section)
    if keys is None:
        return {}

    def alike(entries: dict[str, Any], others: dict[str, Any]) -> dict[Any, list[str]]:
        found: dict[Any, list[str]] = {}
        for name in entries.keys() - others.keys():
            found.setdefault(tuple(getattr(entries[name], key) for key in keys), []).append(name)
        return found

    gone, came = alike(old, new), alike(new, old)
    return {names[0]: came[key][0] for key, names in gone.items() if len(names) == len(came.get(key, ())) == 1}


def _moved(section: str, old: dict[str, Any], new: dict[str, Any], renamed: dict[str, str]) -> list[Change]:
    before = [name for each in old if (name := renamed.get(each, each)) in new]
    after = [name for name in new if name in before]
    return [] if before == after else [Change("moved", section, "", (Setting("order", before, after),))]


def _entry_settings(section: str, name: str, old: Any, new: Any, shape: Shape) -> tuple[Setting, ...]:
    before, after = (_settings_of(section, name, item, shape) for item in (old, new))
    return tuple(_told(section, _differences(before, after)))


def _added_settings(section: str, name: str, item: Any, shape: Shape) -> tuple[Setting, ...]:
    given = dict(_settings_of(section, name, item, shape).given)
    if given.get("provider_interface") == name.partition("/")[0] and given.get("model") == name.partition("/")[2]:
        del given["provider_interface"], given["model"]
    return tuple(_told(section, [_setting(path, None, value) for path, value in given.items()]))


def _settings_of(section: str, name: str, item: Any, shape: Shape) -> Settings:
    value = msgspec.to_builtins(item)
    keyed = isinstance(getattr(RuntimeConfig(version=""), section, None), dict)
    return settings(item, shape.child(name if keyed else 0, value))


def _told(section: str, found: list[Setting]) -> list[Setting]:
    """Without what follows from the rest: the parts of a base_url, the session that is made up at each load."""
    untold = {*_UNTOLD.get(section, ("id", "name")), "headers.session_id"}
    rest = [each for each in found if each.path not in untold]
    if section == "model_providers" and any(each.path not in _FROM_BASE_URL for each in rest):
        return [each for each in rest if each.path not in _FROM_BASE_URL]
    return rest


def _differences(old: Settings, new: Settings) -> list[Setting]:
    found = []
    for path in dict.fromkeys((*old.every, *new.every)):
        if path in old.every and path in new.every:
            if old.every[path] != new.every[path]:
                found.append(_setting(path, old.every[path], new.every[path]))
        elif path in old.given or path in new.given:
            found.append(_setting(path, old.given.get(path), new.given.get(path)))
    return [each for each in found if each.secret or (each.old, each.new) != (None, None)]


def _setting(path: str, old: Any, new: Any) -> Setting:
    return Setting(path, shown(old), shown(new), secret=isinstance(old, Secret) or isinstance(new, Secret))


def _single_settings(section: str, old: Any, new: Any, shape: Shape) -> list[Change]:
    found = []
    for each in _differences(settings(old, shape), settings(new, shape)):
        path = f"{section}.{each.path}" if each.path else section
        found.append(Change("changed", "settings", path, (replace(each, path=path),)))
    return found


def _default_model(old: RuntimeConfig, new: RuntimeConfig) -> list[Change]:
    before, after = (
        next((entry.name for entry in config.model_providers if entry.default), None) for config in (old, new)
    )
    if before == after:
        return []
    return [Change("changed", "default_model", "", (Setting("default", before, after),))]


def _short_names(old: RuntimeConfig, new: RuntimeConfig) -> list[Change]:
    """Model ids without a provider that mean another entry than before: the first entry that offers one counts."""
    registries = ModelRegistry(old), ModelRegistry(new)
    listed = [{each.name for each in config.model_providers} for config in (old, new)]
    found = []
    for model in dict.fromkeys(each.model for each in old.model_providers if not (each.internal or each.wildcard)):
        before, after = (registry.resolve(model) for registry in registries)
        if before is None or after is None or before.name == after.name:
            continue
        if before.entry.name in listed[1] and after.entry.name in listed[0] | listed[1]:
            setting = Setting("meant", before.name, after.name)
            found.append(Change("changed", "short_names", model, (setting,)))
    return found
