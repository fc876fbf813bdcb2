"""Which routes a routing model's answer means. Models are asked for `{"route": ["name", …]}` and often vary it."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from brightstaff.orchestrator.answer import UnreadableAnswer

_log = logging.getLogger(__name__)

# What models say for "none of these", unless a route has that very name.
_NO_ROUTE = frozenset({"", "other", "none"})
_END_OF_THOUGHT = "</think>"


def chosen_routes(content: str, names: Sequence[str]) -> list[str]:
    """The routes of `names` that an answer chooses, in the answer's order. Raises UnreadableAnswer."""
    content = content.rpartition(_END_OF_THOUGHT)[2].strip()
    return _known(_answered(_document(content)), names) if content else []


def _document(content: str) -> dict[str, Any]:
    failure: orjson.JSONDecodeError | None = None
    for text in _readings(content):
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            failure = failure or error
            continue
        if isinstance(document, dict):
            return document
    raise UnreadableAnswer(f"Failed to parse JSON: {failure or 'expected an object'}")


def _readings(content: str) -> Iterator[str]:
    """The answer as it is, without what surrounds its object, and with the usual mistakes repaired."""
    yield content
    start, end = content.find("{"), content.rfind("}")
    inner = content[start : end + 1] if 0 <= start < end else content
    yield inner
    yield inner.replace("\\n", "").replace("'", '"')


def _answered(document: dict[str, Any]) -> list[Any]:
    routes = document.get("route")
    if routes is None:
        return []
    if isinstance(routes, str):
        return [routes]
    if not isinstance(routes, list):
        raise UnreadableAnswer("Failed to parse JSON: expected `route` to be a list")
    return routes


def _known(answered: Sequence[Any], names: Sequence[str]) -> list[str]:
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(_folded(name), name)
    found: dict[str, None] = {}
    for answer in answered:
        text = answer if isinstance(answer, str) else repr(answer)
        offered = text if text in names else folded.get(_folded(text))
        if offered is not None:
            found[offered] = None
        elif _folded(text) not in _NO_ROUTE:
            _log.warning("the routing model chose a route that was not offered: %.100r", text)
    return list(found)


def _folded(name: str) -> str:
    return name.strip().casefold()
