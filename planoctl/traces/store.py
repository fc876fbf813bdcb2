"""The latest traces, in memory and bounded. Spans are grouped by the request they belong to.

Envoy and a service may give the spans of one request different trace ids, so groups follow parent links and trace ids
alike: whatever shares either is one group (spec 02 §9.3).
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from planoctl.traces.span import Span


@dataclass(frozen=True, slots=True)
class Limits:
    """What the store keeps at most: groups, spans of each, and bytes of JSON in all."""

    traces: int = 50
    spans_per_trace: int = 500
    size: int = 64 * 1024 * 1024


@dataclass(eq=False, slots=True)
class _Group:
    """`rooted`: a span without a parent is in it, which gave it its id. `awaited`: parents that have not arrived."""

    id: str
    rooted: bool = False
    spans: dict[str, bytes] = field(default_factory=dict)
    traces: set[str] = field(default_factory=set)
    awaited: set[str] = field(default_factory=set)
    size: int = 0


class TraceStore:
    """Groups of spans, each span as JSON. Not safe for threads: the collector uses it from its event loop."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._groups: OrderedDict[_Group, None] = OrderedDict()
        self._of_span: dict[str, _Group] = {}
        self._of_parent: dict[str, _Group] = {}
        self._of_trace: dict[str, _Group] = {}
        self._size = 0

    def add(self, span: Span) -> bytes | None:
        """Store a span; returns its JSON, or None if it is stored already. What does not fit is not stored."""
        if span["spanId"] in self._of_span:
            return None
        encoded = orjson.dumps(span)
        if len(encoded) > self.limits.size:
            return encoded
        group = self._group_for(span)
        self._groups.move_to_end(group)
        if len(group.spans) < self.limits.spans_per_trace and group.size + len(encoded) <= self.limits.size:
            self._register(span, encoded, group)
            self._shrink()
        return encoded

    def traces(self) -> Iterator[tuple[str, list[bytes]]]:
        """Id and spans of each group, the one that was added to last first; spans in the order of their arrival."""
        for group in reversed(self._groups):
            yield group.id, list(group.spans.values())

    def encoded(self) -> Iterator[bytes]:
        """Every span as JSON, in an order in which another store forms the same groups of them, oldest first."""
        for group in self._groups:
            yield from group.spans.values()

    @property
    def span_count(self) -> int:
        return len(self._of_span)

    @property
    def trace_count(self) -> int:
        return len(self._groups)

    @property
    def registrations(self) -> int:
        """Entries of all indexes; with nothing stored there are none."""
        return len(self._of_span) + len(self._of_parent) + len(self._of_trace)

    def _group_for(self, span: Span) -> _Group:
        """The group of the span's parent, of its children, or of its trace; these become one if they were several."""
        linked = (
            self._of_span.get(span["parentSpanId"]),
            self._of_parent.get(span["spanId"]),
            self._of_trace.get(span["traceId"]),
        )
        found = list(dict.fromkeys(group for group in linked if group is not None))
        if not found:
            self._make_room()
            group = _Group(span["traceId"])
            self._groups[group] = None
            return group
        for other in found[1:]:
            self._merge(other, found[0])
        return found[0]

    def _register(self, span: Span, encoded: bytes, group: _Group) -> None:
        span_id, parent, trace = span["spanId"], span["parentSpanId"], span["traceId"]
        group.spans[span_id] = encoded
        group.size += len(encoded)
        self._size += len(encoded)
        self._of_span[span_id] = group
        group.traces.add(trace)
        self._of_trace[trace] = group
        if self._of_parent.pop(span_id, None) is not None:
            group.awaited.discard(span_id)
        if not parent:
            group.id, group.rooted = (group.id if group.rooted else trace), True
        elif parent not in self._of_span:
            group.awaited.add(parent)
            self._of_parent[parent] = group

    def _merge(self, source: _Group, target: _Group) -> None:
        """Move everything of `source` to `target`; spans above the limit are forgotten."""
        del self._groups[source]
        if source.rooted and not target.rooted:
            target.id, target.rooted = source.id, True
        for span_id, encoded in source.spans.items():
            if len(target.spans) < self.limits.spans_per_trace:
                target.spans[span_id] = encoded
                target.size += len(encoded)
                self._of_span[span_id] = target
            else:
                del self._of_span[span_id]
                self._size -= len(encoded)
        for index, keys in ((self._of_trace, source.traces), (self._of_parent, source.awaited)):
            index.update(dict.fromkeys(keys, target))
        target.traces |= source.traces
        target.awaited |= source.awaited

    def _make_room(self) -> None:
        while len(self._groups) >= self.limits.traces:
            self._evict(next(iter(self._groups)))

    def _shrink(self) -> None:
        while self._size > self.limits.size:
            self._evict(next(iter(self._groups)))

    def _evict(self, group: _Group) -> None:
        del self._groups[group]
        self._size -= group.size
        for index, keys in (
            (self._of_span, group.spans),
            (self._of_trace, group.traces),
            (self._of_parent, group.awaited),
        ):
            for key in keys:
                index.pop(key, None)
