"""Numbers of one worker since its last report. Performance-sensitive: a dozen of them per request (`make bench`)."""

from bisect import bisect_left

from plano_pb import routing_pb2 as pb
from planoctl.config.metric_families import Family


class Counter:
    __slots__ = ("family", "labels", "value")

    def __init__(self, family: Family, labels: tuple[str, ...]) -> None:
        self.family = family
        self.labels = labels
        self.value = 0.0

    def add(self, amount: float = 1.0) -> None:
        self.value += amount


class Histogram:
    """`counts`: one per bucket, the last that of +Inf; not cumulative."""

    __slots__ = ("_bounds", "counts", "family", "labels", "observed", "sum")

    def __init__(self, family: Family, labels: tuple[str, ...]) -> None:
        self.family = family
        self.labels = labels
        self._bounds = family.buckets
        self.reset()

    def reset(self) -> None:
        self.counts = [0] * (len(self._bounds) + 1)
        self.sum = 0.0
        self.observed = False

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value
        self.observed = True


class Tally:
    """Makes and keeps the numbers. Their labels must come from bounded sets: a number stays for good."""

    def __init__(self) -> None:
        self._counters: dict[tuple[Family, tuple[str, ...]], Counter] = {}
        self._histograms: dict[tuple[Family, tuple[str, ...]], Histogram] = {}

    def counter(self, family: Family, *labels: str) -> Counter:
        key = (family, labels)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Counter(family, labels)
        return found

    def histogram(self, family: Family, *labels: str) -> Histogram:
        key = (family, labels)
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = Histogram(family, labels)
        return found

    def take(self) -> pb.Tally:
        """What was counted since the last time, and begin anew."""
        taken = pb.Tally()
        for counter in self._counters.values():
            if counter.value:
                taken.counts.add(family=counter.family.name, labels=counter.labels, value=counter.value)
                counter.value = 0.0
        for histogram in self._histograms.values():
            if histogram.observed:
                taken.distributions.add(
                    family=histogram.family.name, labels=histogram.labels, buckets=histogram.counts, sum=histogram.sum
                )
                histogram.reset()
        return taken
