"""What each process holds over time, and whether it grows.

Memory is judged by its floor, what nine samples of ten are above: a large body in flight needs some for a moment, and
only what is never given back lifts the floor.

Open files follow the load: in a busy moment there are more connections, and those to providers are kept for the next
one. So they are judged at rest, when the clients are gone: what is left then must be less than there was under load.
"""

import contextlib
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

MOST_GROWTH = 0.05
_SLACK_BYTES = 2_000_000  # of a small process 5 % are a few pages of an allocator
_FEWEST = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one time: `seconds` since the start, memory in bytes.

    `own`: what no file backs. The pages of a program that also runs elsewhere are sometimes shared and sometimes not.
    """

    seconds: float
    rss: int
    own: int
    files: int


@dataclass(frozen=True, slots=True)
class Trend:
    """The second and the last third of the samples; the first third is warm-up. `rest`: afterwards."""

    name: str
    first: Sample
    middle: Sample
    last: Sample
    rest: Sample

    @property
    def faults(self) -> list[str]:
        """What grows, in words."""
        found = [
            f"{self.name}: {what} grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB"
            for what, before, after in (
                ("resident memory", self.middle.rss, self.last.rss),
                ("own memory", self.middle.own, self.last.own),
            )
            if after > before * (1 + MOST_GROWTH) and after - before > _SLACK_BYTES
        ]
        if self.rest.files > self.middle.files:
            found.append(f"{self.name}: {self.rest.files} open files at rest, {self.middle.files} under load")
        return found


class Watch:
    """Samples processes by name."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self._start = time.monotonic()
        self.samples: dict[str, list[Sample]] = {name: [] for name in processes}
        self.rest: dict[str, Sample] = {}
        self.gone: list[str] = []

    def sample(self) -> None:
        """One sample of each process; one that is gone is remembered in `gone`."""
        for name, sample in self._now().items():
            self.samples[name].append(sample)

    def sample_at_rest(self) -> None:
        """The last sample, when nothing is asked of the processes any more."""
        self.rest = self._now()

    def trends(self) -> list[Trend]:
        return [trend(name, self.samples[name], rest) for name, rest in self.rest.items()]

    def _now(self) -> dict[str, Sample]:
        seconds = time.monotonic() - self._start
        found = {}
        for name, process in self._processes.items():
            if name in self.gone:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                memory = process.memory_info()
                found[name] = Sample(seconds, memory.rss, memory.rss - memory.shared, process.num_fds())
                continue
            self.gone.append(name)
        return found


def trend(name: str, samples: Sequence[Sample], rest: Sample) -> Trend:
    """Raises ValueError if there are too few samples to judge by."""
    if len(samples) < _FEWEST:
        raise ValueError(f"{name}: {len(samples)} samples say nothing, at least {_FEWEST} are needed")
    third = len(samples) // 3
    return Trend(name, samples[0], _typical(samples[third : 2 * third]), _typical(samples[-third:]), rest)


def _typical(samples: Sequence[Sample]) -> Sample:
    """The floor of memory, the median of the rest."""
    return Sample(
        statistics.median(each.seconds for each in samples),
        _floor([each.rss for each in samples]),
        _floor([each.own for each in samples]),
        int(statistics.median(each.files for each in samples)),
    )


def _floor(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 10]
