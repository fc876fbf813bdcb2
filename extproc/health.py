"""Which candidates keep failing: they are tried last for a while.

Envoy's outlier detection cannot do this: a cluster whose only host is ejected answers 503 on the spot, and that ends
the chain instead of going on to its next model.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planoctl.config.registry import Candidate
from planoctl.config.runtime import Failover

_LONGEST_FACTOR = 16
_MOST = 1000  # with a wildcard, clients choose the names


@dataclass(slots=True)
class _Record:
    failures: int = 0
    cooldown: float = 0.0
    until: float = 0.0


class Health:
    """Failures by candidate name, as this worker saw them. `clock` counts seconds."""

    def __init__(self, failover: Failover, clock: Callable[[], float] = time.monotonic) -> None:
        self._failover = failover
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def configure(self, failover: Failover) -> None:
        self._failover = failover

    def failed(self, name: str) -> None:
        """From the configured number of failures in a row on, each one more doubles the time in the last place."""
        record = self._records.pop(name, None) or _Record()
        self._records[name] = record
        record.failures += 1
        if record.failures >= self._failover.failures:
            first = float(self._failover.cooldown.removesuffix("s"))
            record.cooldown = min(record.cooldown * 2 or first, first * _LONGEST_FACTOR)
            record.until = self._clock() + record.cooldown
        if len(self._records) > _MOST:
            del self._records[next(iter(self._records))]

    def succeeded(self, name: str) -> None:
        if self._records:
            self._records.pop(name, None)

    def ordered(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The same candidates, those that are cooling down last; otherwise in their order."""
        if not self._records:
            return list(candidates)
        now = self._clock()
        return sorted(candidates, key=lambda candidate: self._cooling(candidate.name, now))

    def _cooling(self, name: str, now: float) -> bool:
        record = self._records.get(name)
        return record is not None and record.until > now
