"""What each process holds over time, and whether it grows."""

import contextlib
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

MOST_GROWTH = 0.05
_SLACK_BYTES = 2_000_000  # of a small process 5 % are a few pages of an allocator
_SLACK_FILES = 24  # connections come and go with the load
_FEWEST = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one time: `seconds` since the start, memory in bytes."""

    seconds: float
    rss: int
    uss: int
    files: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Medians of the second and of the last third of the samples; the first third is warm-up."""

    name: str
    first: Sample
    middle: Sample
    last: Sample

    @property
    def faults(self) -> list[str]:
        """What grows, in words."""
        found = [
            f"{self.name}: {what} grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB"
            for what, before, after in (
                ("resident memory", self.middle.rss, self.last.rss),
                ("own memory", self.middle.uss, self.last.uss),
            )
            if after > before * (1 + MOST_GROWTH) and after - before > _SLACK_BYTES
        ]
        allowed = max(self.middle.files * MOST_GROWTH, _SLACK_FILES)
        if self.last.files - self.middle.files > allowed:
            found.append(f"{self.name}: open files grew from {self.middle.files} to {self.last.files}")
        return found


class Watch:
    """Samples processes by name."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self._start = time.monotonic()
        self.samples: dict[str, list[Sample]] = {name: [] for name in processes}
        self.gone: list[str] = []

    def sample(self) -> None:
        """One sample of each process; one that is gone is remembered in `gone`."""
        now = time.monotonic() - self._start
        for name, process in self._processes.items():
            if name in self.gone:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                memory = process.memory_full_info()
                self.samples[name].append(Sample(now, memory.rss, memory.uss, process.num_fds()))
                continue
            self.gone.append(name)

    def trends(self) -> list[Trend]:
        return [trend(name, samples) for name, samples in self.samples.items() if name not in self.gone]


def trend(name: str, samples: Sequence[Sample]) -> Trend:
    """Raises ValueError if there are too few samples to judge by."""
    if len(samples) < _FEWEST:
        raise ValueError(f"{name}: {len(samples)} samples say nothing, at least {_FEWEST} are needed")
    third = len(samples) // 3
    return Trend(name, samples[0], _median(samples[third : 2 * third]), _median(samples[-third:]))


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(each.seconds for each in samples),
        int(statistics.median(each.rss for each in samples)),
        int(statistics.median(each.uss for each in samples)),
        int(statistics.median(each.files for each in samples)),
    )
