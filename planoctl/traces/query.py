"""Which traces somebody asks for: the options of `planoctl trace query`, parsed, checked and applied (spec 02 §9)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from planoctl.traces.span import Attribute, Span, Trace, start_nanoseconds, text

LAST, ANY = "last", "any"
SHORT_ID = 8
_LONG_ID = 32
_HEX = re.compile(r"[0-9a-fA-F]+")
_WHERE_KEY = re.compile(r"[A-Za-z0-9_.:-]+")
_WINDOW = re.compile(r"([0-9]{1,9})([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_GLOB_SPECIAL = re.compile(r"([\[\]?])")


class QueryError(ValueError):
    """A question that makes no sense; the text is for the user."""


class NoSuchTrace(QueryError):
    """The collector has no trace of this id."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to show. `target`: last, any, or an id of 8 or 32 hex digits. `limit` 0 is none; `since` is in seconds."""

    target: str = LAST
    filters: tuple[str, ...] = ()
    wheres: tuple[tuple[str, str], ...] = ()
    since: int | None = None
    limit: int = 0
    listing: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """What matched. `unmatched`: filters that match no attribute, and were left out."""

    traces: list[Trace]
    unmatched: tuple[str, ...] = ()


def parse_query(
    target: str | None,
    *,
    filters: Iterable[str] = (),
    wheres: Iterable[str] = (),
    since: str | None = None,
    limit: int | None = None,
    listing: bool = False,
) -> Query:
    """The query that these options mean; raises QueryError."""
    if limit is not None and limit < 0:
        raise QueryError("Limit must be greater than or equal to 0.")
    if target is None:
        target = ANY if listing or since is not None or limit else LAST
    elif target not in (LAST, ANY):
        if listing:
            raise QueryError("Target and --list cannot be used together.")
        target = _trace_id(target)
    return Query(target, _patterns(filters), _conditions(wheres), _seconds(since), limit or 0, listing)


def select(traces: Sequence[Trace], query: Query, *, now: int) -> Selection:
    """The traces a query means, newest first as they came; `now` in nanoseconds. Raises QueryError."""
    keys = {attribute["key"] for trace in traces for span in trace["spans"] for attribute in span["attributes"]}
    known = keys | {a["key"] for trace in traces for span in trace["spans"] for a in span.get("resource", ())}
    unknown = [key for key, _ in query.wheres if key not in known]
    if traces and unknown:
        raise QueryError(f"Unknown --where key(s): {', '.join(dict.fromkeys(unknown))}")
    if query.target not in (LAST, ANY) and not any(_named(trace, query.target) for trace in traces):
        raise NoSuchTrace(f"There is no trace {query.target}.")
    matching = tuple(pattern for pattern in query.filters if any(_matches(key, pattern) for key in keys))
    found = [trace for trace in _within(traces, query.since, now) if _holds(trace, query.wheres)]
    if query.target == LAST:
        found = found[:1]
    elif query.target != ANY:
        found = [trace for trace in found if _named(trace, query.target)]
    found = found[: query.limit or None]
    unmatched = tuple(pattern for pattern in query.filters if pattern not in matching)
    return Selection([_filtered(trace, matching) for trace in found], unmatched)


def _trace_id(target: str) -> str:
    if len(target) not in (SHORT_ID, _LONG_ID):
        raise QueryError("Trace ID must be 8 or 32 hex characters.")
    if not _HEX.fullmatch(target) or not target.strip("0"):
        kind = "Short trace ID must be 8" if len(target) == SHORT_ID else "Trace ID must be 32"
        raise QueryError(f"{kind} hex characters.")
    return target.lower()


def _patterns(filters: Iterable[str]) -> tuple[str, ...]:
    patterns = [pattern.strip() for given in filters for pattern in given.split(",")]
    if not all(patterns):
        raise QueryError("Filter contains empty tokens.")
    return tuple(dict.fromkeys(patterns))


def _conditions(wheres: Iterable[str]) -> tuple[tuple[str, str], ...]:
    split = [(given, *(part.strip() for part in given.partition("=")[::2])) for given in wheres]
    wrong = [given for given, key, value in split if not _WHERE_KEY.fullmatch(key) or not value]
    if wrong:
        raise QueryError(f"Invalid --where filter(s): {', '.join(wrong)}. Use key=value.")
    return tuple((key, value) for _, key, value in split)


def _seconds(since: str | None) -> int | None:
    if since is None:
        return None
    match = _WINDOW.fullmatch(since.strip())
    if match is None or int(match[1]) == 0:
        raise QueryError(f"Invalid --since {since!r}. Use a number and a unit: 30s, 5m, 2h or 1d.")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def _named(trace: Trace, identifier: str) -> bool:
    """By the id of the group, or by that of one of its spans: a request may have several."""
    ids = {trace["trace_id"], *(span["traceId"] for span in trace["spans"])}
    return any(found.startswith(identifier) for found in ids)


def _within(traces: Sequence[Trace], since: int | None, now: int) -> Iterator[Trace]:
    for trace in traces:
        if since is None:
            yield trace
        else:
            first = now - since * 1_000_000_000
            spans = [span for span in trace["spans"] if start_nanoseconds(span) >= first]
            if spans:
                yield {**trace, "spans": spans}


def _holds(trace: Trace, wheres: tuple[tuple[str, str], ...]) -> bool:
    """Whether each condition holds on some span, not necessarily on the same one."""
    values = {(a["key"], text(a["value"])) for span in trace["spans"] for a in _all_attributes(span)}
    return all(condition in values for condition in wheres)


def _all_attributes(span: Span) -> Iterator[Attribute]:
    yield from span.get("resource", ())
    yield from span["attributes"]


def _filtered(trace: Trace, patterns: tuple[str, ...]) -> Trace:
    if not patterns:
        return trace
    spans: list[Span] = []
    for span in trace["spans"]:
        kept = [a for a in span["attributes"] if any(_matches(a["key"], pattern) for pattern in patterns)]
        spans.append({**span, "attributes": kept})
    return {**trace, "spans": spans}


def _matches(key: str, pattern: str) -> bool:
    """`*` is any run of characters; nothing else is special."""
    return fnmatchcase(key, _GLOB_SPECIAL.sub(r"[\1]", pattern))
