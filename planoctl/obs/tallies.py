"""Counting calls: over the lifetime of the console, and by model, route, session and error."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from planoctl.obs.calls import Call

Key = TypeVar("Key")

MAX_KEYS = 1000
"""How many models, routes, sessions or errors are told apart; more share one row."""
OTHERS = "(others)"


@dataclass(slots=True)
class Tally:
    """Sums over calls. Tokens of the prompt are `fresh_tokens`, `cache_read` and `cache_write`; cost is in USD."""

    requests: int = 0
    client_errors: int = 0
    server_errors: int = 0
    failures: int = 0
    fresh_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    rate_sum: float = 0.0
    rate_count: int = 0
    last: Call | None = None

    def add(self, call: Call) -> None:
        self.requests += 1
        self.failures += call.failed
        if call.status_code is not None and call.status_code >= 400:
            self.server_errors += call.status_code >= 500
            self.client_errors += call.status_code < 500
        self.fresh_tokens += call.fresh_tokens or 0
        self.cache_read += call.cached_input_tokens or 0
        self.cache_write += call.cache_creation_tokens or 0
        self.output_tokens += call.completion_tokens or 0
        self.reasoning_tokens += call.reasoning_tokens or 0
        self.cost_usd += call.cost_usd or 0.0
        self.unpriced += call.cost_usd is None and (call.prompt_tokens is not None or not call.failed)
        rate = call.tokens_per_second
        if rate is not None:
            self.rate_sum += rate
            self.rate_count += 1
        self.last = call

    @property
    def input_tokens(self) -> int:
        """All tokens of all prompts."""
        return self.fresh_tokens + self.cache_read + self.cache_write

    @property
    def tokens_per_second(self) -> float | None:
        """The mean of the calls' own rates."""
        return self.rate_sum / self.rate_count if self.rate_count else None


class ModelKey(NamedTuple):
    provider: str
    model: str


class ErrorKey(NamedTuple):
    """What errors are grouped by; `status` is None where no answer came."""

    status: int | None
    provider: str
    model: str


@dataclass(slots=True)
class Totals:
    """All calls together and in groups."""

    all: Tally = field(default_factory=Tally)
    models: dict[ModelKey, Tally] = field(default_factory=dict)
    routes: dict[str, Tally] = field(default_factory=dict)
    sessions: dict[str, Tally] = field(default_factory=dict)
    errors: dict[ErrorKey, Tally] = field(default_factory=dict)

    def add(self, call: Call) -> None:
        self.all.add(call)
        _grouped(self.models, ModelKey(call.provider, call.model), ModelKey("", OTHERS)).add(call)
        if call.route_name is not None:
            _grouped(self.routes, call.route_name, OTHERS).add(call)
        if call.session_id is not None:
            _grouped(self.sessions, call.session_id, OTHERS).add(call)
        if call.failed:
            key = ErrorKey(call.status_code, call.provider, call.model)
            _grouped(self.errors, key, ErrorKey(None, "", OTHERS)).add(call)

    def copy(self) -> "Totals":
        """The totals of this moment."""
        return Totals(
            replace(self.all), _copy(self.models), _copy(self.routes), _copy(self.sessions), _copy(self.errors)
        )

    @classmethod
    def of(cls, calls: Iterable[Call]) -> "Totals":
        totals = cls()
        for call in calls:
            totals.add(call)
        return totals


class Percentiles(NamedTuple):
    """Of a set of durations, in milliseconds."""

    p50: float
    p95: float
    p99: float


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value at rank round(share × (n - 1)) of the sorted values; None of none."""
    return sorted(values)[round(share * (len(values) - 1))] if values else None


def percentiles(calls: Iterable[Call], duration: Callable[[Call], float | None]) -> Percentiles | None:
    values = sorted(value for call in calls if (value := duration(call)) is not None)
    if not values:
        return None
    return Percentiles(*(values[round(share * (len(values) - 1))] for share in (0.50, 0.95, 0.99)))


def _grouped(groups: dict[Key, Tally], key: Key, others: Key) -> Tally:
    tally = groups.get(key)
    if tally is None:
        tally = groups.setdefault(key if len(groups) < MAX_KEYS else others, Tally())
    return tally


def _copy(groups: dict[Key, Tally]) -> dict[Key, Tally]:
    return {key: replace(tally) for key, tally in groups.items()}
