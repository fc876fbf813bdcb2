"""A trace as a tree: each span below its parent, siblings by their start."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from planoctl.traces.span import (
    STATUS_ERROR,
    Scalar,
    Span,
    Trace,
    end_nanoseconds,
    mapping,
    start_nanoseconds,
)

_CLIENT_ERROR, _SERVER_ERROR = 400, 500
STATUS_KEYS = ("http.status_code", "http.response.status_code")


@dataclass(frozen=True, slots=True)
class Node:
    """A span in its place. `ends`: for each level above it, and its own, whether that is the last of its siblings."""

    span: Span
    ends: tuple[bool, ...]
    has_children: bool


@dataclass(frozen=True, slots=True)
class Period:
    """When something began and ended, in nanoseconds since 1970."""

    start: int
    end: int

    @property
    def milliseconds(self) -> float:
        return (self.end - self.start) / 1e6


def period(spans: Iterable[Span]) -> Period:
    """From the first start to the last end; spans without a start do not count unless there are no others."""
    found = list(spans)
    timed = [span for span in found if start_nanoseconds(span)] or found
    return Period(min(map(start_nanoseconds, timed), default=0), max(map(end_nanoseconds, timed), default=0))


def nodes(trace: Trace) -> Iterator[Node]:
    """The spans from top to bottom. One whose parent is not there is at the top; so is the first of a circle."""
    spans = sorted(trace["spans"], key=start_nanoseconds)
    known = {span["spanId"] for span in spans}
    children: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        parent = span["parentSpanId"]
        children[parent if parent in known and parent != span["spanId"] else ""].append(span)
    reached: set[str] = set()
    tops = _below(children, children[""], reached)
    for span in spans:
        if span["spanId"] not in reached:
            tops += _below(children, [span], reached)
    yield from _placed(tops)


@dataclass(frozen=True, slots=True)
class _Branch:
    span: Span
    children: list["_Branch"]


def _below(children: dict[str, list[Span]], siblings: Sequence[Span], reached: set[str]) -> list[_Branch]:
    """Branches of `siblings`. Without recursion: a trace may be a chain of 500 spans."""
    tops: list[_Branch] = []
    waiting = [(span, tops) for span in reversed(siblings)]
    while waiting:
        span, place = waiting.pop()
        if span["spanId"] in reached:
            continue
        reached.add(span["spanId"])
        branch = _Branch(span, [])
        place.append(branch)
        waiting += [(child, branch.children) for child in reversed(children.get(span["spanId"], ()))]
    return tops


def _placed(tops: list[_Branch]) -> Iterator[Node]:
    waiting: list[tuple[_Branch, tuple[bool, ...]]] = [(top, (top is tops[-1],)) for top in reversed(tops)]
    while waiting:
        branch, ends = waiting.pop()
        yield Node(branch.span, ends, bool(branch.children))
        waiting += [(child, (*ends, child is branch.children[-1])) for child in reversed(branch.children)]


def status_code(attributes: dict[str, Scalar]) -> int | None:
    """The HTTP status of a span; None if it has none."""
    for key in STATUS_KEYS:
        value = str(attributes.get(key, ""))
        if value.isdecimal():
            return int(value)
    return None


def failure(span: Span) -> str | None:
    """What went wrong in a span, in a few words; None if nothing did."""
    attributes = mapping(span["attributes"])
    code = status_code(attributes)
    if code is not None and code >= _CLIENT_ERROR:
        return f"{code} {_reason(code)}"
    for key in ("error.message", "exception.message"):
        if message := str(attributes.get(key, "")):
            return message
    for event in span.get("events", ()):
        if event["name"] == "exception":
            found = mapping(event["attributes"])
            return str(found.get("exception.message") or found.get("exception.type") or "exception")
    status = span.get("status")
    return (status["message"] or "error") if status and status["code"] == STATUS_ERROR else None


def _reason(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Server Error" if code >= _SERVER_ERROR else "Client Error"
