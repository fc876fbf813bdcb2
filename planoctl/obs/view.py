"""What there is to show at one moment: the calls a filter lets pass, and the sums over them. Draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from planoctl.obs.calls import Call
from planoctl.obs.filters import EVERYTHING, Filter
from planoctl.obs.store import CallStore
from planoctl.obs.tallies import ErrorKey, ModelKey, Percentiles, Tally, Totals, percentile, percentiles


@dataclass(frozen=True, slots=True)
class Moment:
    """What a store held at one moment: its calls, oldest first, and its totals."""

    calls: tuple[Call, ...]
    totals: Totals
    version: int

    @classmethod
    def of(cls, store: CallStore) -> "Moment":
        """A copy: what is drawn line by line later has to be of one moment."""
        return cls(store.snapshot(), store.totals.copy(), store.version)


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a table of groups. `share` is of the calls that were grouped, `p95` of latency in milliseconds."""

    key: ModelKey | ErrorKey | str
    tally: Tally
    share: float
    p95: float | None


@dataclass(frozen=True, slots=True)
class View:
    """The console's figures. Sums cover the lifetime, or with a filter the buffered calls that pass; percentiles
    always cover the buffer."""

    calls: tuple[Call, ...]
    buffered: int
    filter: Filter
    totals: Totals
    latency: Percentiles | None
    ttft: Percentiles | None
    models: Sequence[Group]
    routes: Sequence[Group]
    sessions: Sequence[Group]
    errors: Sequence[Group]

    @property
    def newest(self) -> Call | None:
        return self.calls[-1] if self.calls else None

    @property
    def last_error(self) -> Call | None:
        return next((call for call in reversed(self.calls) if call.failed), None)

    @property
    def session(self) -> str | None:
        """The session of the newest call that has one."""
        return next((call.session_id for call in reversed(self.calls) if call.session_id), None)


def view_of(moment: Moment, wanted: Filter = EVERYTHING) -> View:
    calls = tuple(filter(wanted, moment.calls)) if wanted else moment.calls
    totals = Totals.of(calls) if wanted else moment.totals
    return View(
        calls=calls,
        buffered=len(moment.calls),
        filter=wanted,
        totals=totals,
        latency=percentiles(calls, lambda call: call.duration_ms),
        ttft=percentiles(calls, lambda call: call.ttft_ms),
        models=_groups(totals.models, {}),
        routes=_groups(totals.routes, _by_route(calls)),
        sessions=_groups(totals.sessions, {}),
        errors=_groups(totals.errors, {}),
    )


def _groups(
    tallies: dict[ModelKey, Tally] | dict[ErrorKey, Tally] | dict[str, Tally], durations: dict[str, list[float]]
) -> list[Group]:
    whole = sum(tally.requests for tally in tallies.values())
    return [
        Group(key, tally, tally.requests / whole, percentile(durations.get(str(key), []), 0.95))
        for key, tally in tallies.items()
    ]


def _by_route(calls: Sequence[Call]) -> dict[str, list[float]]:
    durations: dict[str, list[float]] = {}
    for call in calls:
        if call.route_name is not None and call.duration_ms is not None:
            durations.setdefault(call.route_name, []).append(call.duration_ms)
    return durations
