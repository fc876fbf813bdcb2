"""A span before it is encoded for a collector."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = str | bool | int | float | list[str]
Kind = Literal["internal", "client"]

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_IDS = frozenset({"0" * 32, "0" * 16})
_FIXED_SIZE = 4096

SERVICE_OVERRIDE = "service.name.override"
DISTINCT_ID = "plano.distinct_id"
INPUT = "gen_ai.input.messages"
OUTPUT = "gen_ai.output.messages"


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where a span belongs: hexadecimal ids of its trace and its parent."""

    trace_id: str
    parent_id: str
    sampled: bool

    @classmethod
    def parse(cls, traceparent: str) -> "TraceContext | None":
        """Of a W3C `traceparent`; None for one that is not valid."""
        match = _TRACEPARENT.fullmatch(traceparent.strip())
        if match is None:
            return None
        version, trace_id, parent_id, flags, more = match.groups()
        if version == "ff" or (version == "00" and more) or not _NO_IDS.isdisjoint((trace_id, parent_id)):
            return None
        return cls(trace_id, parent_id, sampled=bool(int(flags, 16) & 1))

    def traceparent(self, span_id: str) -> str:
        """For what happens below the span `span_id`."""
        return f"00-{self.trace_id}-{span_id}-{'01' if self.sampled else '00'}"


@dataclass(slots=True)
class Event:
    name: str
    at: float
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relayed:
    """Spans that Envoy made: a serialised ExportTraceServiceRequest with `count` of them."""

    body: bytes
    count: int

    @property
    def size(self) -> int:
        """Bytes it takes while it waits."""
        return len(self.body)


@dataclass(slots=True, kw_only=True)
class Span:
    """Times are in seconds since the epoch. `error`: why it failed, None if it did not."""

    service: str
    name: str
    context: TraceContext
    started: float
    ended: float
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))
    kind: Kind = "internal"
    attributes: dict[str, Value] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    error: str | None = None

    @property
    def size(self) -> int:
        """Bytes it takes while it waits, roughly."""
        return _FIXED_SIZE + sum(len(value) for value in self.attributes.values() if isinstance(value, str))

    @property
    def count(self) -> int:
        return 1
