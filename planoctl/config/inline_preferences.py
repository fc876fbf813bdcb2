"""Routing preferences that a client sends with its request, taken out of the body before a provider sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from hermesllm.conversation import middle_trimmed
from planoctl.config.runtime import RoutingPreference, SelectionPolicy

_KEY = "routing_preferences"
_LEGACY_KEY = "routing_policy"
_RETIRED_METADATA = ("archgw_preference_config", "plano_preference_config")

MAX_PREFERENCES = 64
MAX_MODELS = 64
MAX_NAME_BYTES = 256
MAX_DESCRIPTION_BYTES = 4096
_LEGACY_WARNING_BYTES = 5120

_POLICIES = {
    None: SelectionPolicy(),
    "": SelectionPolicy(),
    "none": SelectionPolicy(),
    "cheapest": SelectionPolicy(prefer="cheapest"),
    "fastest": SelectionPolicy(prefer="fastest"),
}


@dataclass(frozen=True, slots=True)
class InlinePreferences:
    """What a request says about routing. `present` with no `preferences` means: do not route this request.

    `changed`: something was taken out, so the bytes that the document was parsed from must not be sent on.
    """

    present: bool = False
    preferences: tuple[RoutingPreference, ...] = ()
    warnings: tuple[str, ...] = ()
    changed: bool = False


_NOTHING = InlinePreferences()


class _Unusable(Exception):
    """The list has not the shape it needs; the text says where."""


def take_inline_preferences(document: dict[str, Any]) -> InlinePreferences:
    """The routing preferences of a request, whose `document` loses every member that is meant for the gateway only.

    A list that cannot be read counts as absent, with a warning. Warnings name positions, never what the client sent.
    """
    retired = _take_retired_metadata(document)
    if _KEY not in document and _LEGACY_KEY not in document:
        return InlinePreferences(changed=True) if retired else _NOTHING
    given = document.pop(_KEY, None)
    legacy = document.pop(_LEGACY_KEY, None)
    warnings: list[str] = []
    key = _KEY
    try:
        if given is None and legacy is not None:
            key = _LEGACY_KEY
            given = _converted(legacy, warnings)
        if given is None:
            return InlinePreferences(changed=True)
        preferences = _preferences(given, warnings)
    except _Unusable as problem:
        warnings.append(f"{key} is ignored: {problem}")
        return InlinePreferences(warnings=tuple(warnings), changed=True)
    return InlinePreferences(True, preferences, tuple(warnings), changed=True)


def _take_retired_metadata(document: dict[str, Any]) -> bool:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not any(key in metadata for key in _RETIRED_METADATA):
        return False
    rest = {key: value for key, value in metadata.items() if key not in _RETIRED_METADATA}
    if rest:
        document["metadata"] = rest
    else:
        del document["metadata"]
    return True


def _preferences(given: Any, warnings: list[str]) -> tuple[RoutingPreference, ...]:
    by_name: dict[str, RoutingPreference] = {}
    if not isinstance(given, list):
        raise _Unusable("it is not a list")
    if len(given) > MAX_PREFERENCES:
        warnings.append(f"{_KEY} has more than {MAX_PREFERENCES} entries; the rest are ignored")
    for index, entry in enumerate(given[:MAX_PREFERENCES]):
        place = f"{_KEY}[{index}]"
        preference = _preference(entry, place, warnings)
        if preference is None:
            continue
        if preference.name in by_name:
            warnings.append(f"{place} replaces an earlier one of the same name")
        by_name[preference.name] = preference
    return tuple(by_name.values())


def _preference(entry: Any, place: str, warnings: list[str]) -> RoutingPreference | None:
    """One entry, or None where it is well-formed and cannot be used."""
    entry = _object(entry, place)
    name = _string(entry.get("name"), f"{place}.name")
    description = _string(entry.get("description"), f"{place}.description")
    models = _models(entry.get("models"), f"{place}.models", warnings)
    policy = _policy(entry.get("selection_policy"), f"{place}.selection_policy")
    if not name.strip() or _too_long(name):
        warnings.append(f"{place} is ignored: its name must have 1 to {MAX_NAME_BYTES} bytes")
        return None
    if not models:
        warnings.append(f"{place} is ignored: it names no models")
        return None
    return RoutingPreference(
        name=name,
        description=middle_trimmed(description, MAX_DESCRIPTION_BYTES),
        models=models,
        selection_policy=policy,
    )


def _models(given: Any, place: str, warnings: list[str]) -> tuple[str, ...]:
    if not isinstance(given, list):
        raise _Unusable(f"{place} is not a list")
    if len(given) > MAX_MODELS:
        warnings.append(f"{place} has more than {MAX_MODELS} models; the rest are ignored")
    names = [_string(name, f"{place}[{index}]") for index, name in enumerate(given[:MAX_MODELS])]
    return tuple(dict.fromkeys(name for name in names if name and not _too_long(name)))


def _policy(given: Any, place: str) -> SelectionPolicy:
    prefer = None if given is None else _object(given, place).get("prefer")
    policy = _POLICIES.get(prefer) if prefer is None or isinstance(prefer, str) else None
    if policy is None:
        raise _Unusable(f"{place}.prefer is none of cheapest, fastest and none")
    return policy


def _converted(legacy: Any, warnings: list[str]) -> list[dict[str, Any]]:
    """The older form, a list of models with their preferences, as a list of preferences with their models."""
    warnings.append(f"{_LEGACY_KEY} is deprecated: send {_KEY} instead")
    if not isinstance(legacy, list):
        raise _Unusable("it is not a list")
    if _json_size(legacy) > _LEGACY_WARNING_BYTES:
        warnings.append(f"{_LEGACY_KEY} is larger than {_LEGACY_WARNING_BYTES} bytes")
    routes: dict[str, dict[str, Any]] = {}
    for name, description, model in islice(_legacy_entries(legacy), MAX_PREFERENCES * MAX_MODELS):
        route = routes.setdefault(name, {"name": name, "description": description, "models": []})
        route["models"].append(model)
    return list(routes.values())


def _legacy_entries(legacy: list[Any]) -> Iterator[tuple[str, str, str]]:
    for index, entry in enumerate(legacy):
        place = f"{_LEGACY_KEY}[{index}]"
        entry = _object(entry, place)
        model = _string(entry.get("model"), f"{place}.model")
        preferences = entry.get("routing_preferences")
        if not isinstance(preferences, list):
            raise _Unusable(f"{place}.routing_preferences is not a list")
        for at, preference in enumerate(preferences):
            inner = f"{place}.routing_preferences[{at}]"
            preference = _object(preference, inner)
            yield (
                _string(preference.get("name"), f"{inner}.name"),
                _string(preference.get("description"), f"{inner}.description"),
                model,
            )


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Unusable(f"{place} is not an object")
    return value


def _string(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise _Unusable(f"{place} is not a string")
    return value


def _too_long(name: str) -> bool:
    return len(name) > MAX_NAME_BYTES or len(name.encode(errors="replace")) > MAX_NAME_BYTES


def _json_size(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except TypeError:  # nested beyond what the encoder takes
        return _LEGACY_WARNING_BYTES + 1
