"""What all workers have counted so far, as one set of Prometheus families. Survives their restarts."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from plano_pb import routing_pb2 as pb
from planoctl.config.metric_families import (
    EXTPROC_FAULTS,
    EXTPROC_RATE_LIMITED,
    FAILOVERS,
    FOLDED,
    SPANS_LOST,
    TOKENS,
    WORKER_FAMILIES,
    Family,
)
from planoctl.config.metric_labels import BoundedValues

_SILENT_SECONDS = 15.0
"""Gauges of a worker that has not reported for this long are not shown."""
_MOST_WORKERS = 256
_MODELS = ("model", "gen_ai_request_model")

Labels = tuple[str, ...]
Priced = Callable[[str, str, dict[str, float]], float | None]
"""Takes provider, model and tokens by kind; returns USD, None for a model whose price is not known."""


class Merged(Collector):
    """Adds up tallies. `add` and `collect` may be called from different threads.

    `models` bounds the models of all workers together. Costs are reckoned when somebody looks, with the prices of then.
    """

    def __init__(self, models: BoundedValues, priced: Priced) -> None:
        self._models = models
        self._priced = priced
        self._lock = threading.Lock()
        self._counts: dict[str, dict[Labels, float]] = {}
        self._distributions: dict[str, dict[Labels, tuple[list[int], float]]] = {}
        self._levels: dict[str, tuple[float, list[tuple[Family, Labels, float]]]] = {}
        self._numbers: dict[str, tuple[int, int]] = {}
        self._unpriced: dict[Labels, dict[str, float]] = {}
        self._costs: dict[Labels, float] = {}
        self._without_price: dict[Labels, float] = {}

    def expect(self, models: Iterable[tuple[str, str]]) -> None:
        """Show zeros, for `models` (provider, model) and where there is no such label: a rate begins at the first."""
        with self._lock:
            for provider, model in models:
                for family in (FAILOVERS, EXTPROC_RATE_LIMITED):
                    self._counts.setdefault(family.name, {}).setdefault((provider, model), 0.0)
            for stage in ("sidecar", "export"):
                self._counts.setdefault(SPANS_LOST.name, {}).setdefault((stage,), 0.0)
            for label in ("model", "identity"):
                self._counts.setdefault(FOLDED.name, {}).setdefault((label,), 0.0)
            self._counts.setdefault(EXTPROC_FAULTS.name, {}).setdefault((), 0.0)

    def add(self, tally: pb.Tally) -> None:
        """Count a tally, if it has not been counted yet. Families that are not known are passed over."""
        with self._lock:
            process, number = self._numbers.get(tally.worker, (0, 0))
            if not tally.number or (process == tally.process and tally.number <= number):
                return
            self._numbers.pop(tally.worker, None)
            self._numbers[tally.worker] = (tally.process, tally.number)
            if len(self._numbers) > _MOST_WORKERS:
                del self._numbers[next(iter(self._numbers))]
            for count in tally.counts:
                self._count(count)
            for distribution in tally.distributions:
                self._distribute(distribution)
            self._set_levels(tally)

    def count_lost_spans(self, spans: int) -> None:
        """Count what this process could not export."""
        with self._lock:
            lost = self._counts.setdefault(SPANS_LOST.name, {})
            lost["export",] = lost.get(("export",), 0.0) + spans

    def _count(self, count: pb.Count) -> None:
        family = WORKER_FAMILIES.get(count.family)
        if family is None or len(family.labels) != len(count.labels):
            return
        labels = self._bounded(family, tuple(count.labels))
        counts = self._counts.setdefault(family.name, {})
        counts[labels] = counts.get(labels, 0.0) + count.value
        if family is TOKENS:
            *served, kind = labels
            kinds = self._unpriced.setdefault(tuple(served), {})
            kinds[kind] = kinds.get(kind, 0.0) + count.value

    def _distribute(self, told: pb.Distribution) -> None:
        family = WORKER_FAMILIES.get(told.family)
        if family is None or len(family.labels) != len(told.labels) or len(told.buckets) != len(family.buckets) + 1:
            return
        labels = self._bounded(family, tuple(told.labels))
        distributions = self._distributions.setdefault(family.name, {})
        counts, total = distributions.get(labels, ([0] * len(told.buckets), 0.0))
        summed = [mine + theirs for mine, theirs in zip(counts, told.buckets, strict=True)]
        distributions[labels] = (summed, total + told.sum)

    def _set_levels(self, tally: pb.Tally) -> None:
        known = [
            (family, tuple(level.labels), level.value)
            for level in tally.levels
            if (family := WORKER_FAMILIES.get(level.family)) is not None and len(family.labels) == len(level.labels)
        ]
        self._levels.pop(tally.worker, None)
        self._levels[tally.worker] = (time.monotonic(), known)
        if len(self._levels) > _MOST_WORKERS:
            del self._levels[next(iter(self._levels))]

    def _bounded(self, family: Family, labels: Labels) -> Labels:
        for index, name in enumerate(family.labels):
            if name in _MODELS and labels[index]:
                return (*labels[:index], self._models.value(labels[index]), *labels[index + 1 :])
        return labels

    def collect(self) -> Iterator[Metric]:
        self._reckon()
        with self._lock:
            now = time.monotonic()
            levels = [each for told, each in self._levels.values() if now - told < _SILENT_SECONDS]
            shown = [self._metric(family, levels) for family in WORKER_FAMILIES.values()]
            shown += self._cost_metrics()
        yield from shown

    def _metric(self, family: Family, levels: list[list[tuple[Family, Labels, float]]]) -> Metric:
        if family.kind == "counter":
            counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in self._counts.get(family.name, {}).items():
                counter.add_metric(labels, value)
            return counter
        if family.kind == "gauge":
            gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for each, labels, value in (level for worker in levels for level in worker):
                if each is family:
                    gauge.add_metric(labels, value)
            return gauge
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        bounds = [*map(_bound, family.buckets), "+Inf"]
        for labels, (counts, total) in self._distributions.get(family.name, {}).items():
            buckets: Any = list(zip(bounds, accumulate(counts), strict=True))
            histogram.add_metric(labels, buckets, total)
        return histogram

    def _reckon(self) -> None:
        """Outside of the lock: the first price takes a tenth of a second."""
        with self._lock:
            unpriced, self._unpriced = self._unpriced, {}
        costs = {labels: self._priced(labels[0], labels[1], kinds) for labels, kinds in unpriced.items()}
        with self._lock:
            for labels, cost in costs.items():
                if cost is not None:
                    self._costs[labels] = self._costs.get(labels, 0.0) + cost
                else:
                    tokens = sum(unpriced[labels].values())
                    self._without_price[labels[:2]] = self._without_price.get(labels[:2], 0.0) + tokens

    def _cost_metrics(self) -> list[Metric]:
        cost = CounterMetricFamily(
            "plano_cost_usd_total", "What tokens cost, in USD.", labels=("provider", "model", "identity")
        )
        for labels, value in self._costs.items():
            cost.add_metric(labels, value)
        without = CounterMetricFamily(
            "plano_unpriced_tokens_total",
            "Tokens of models whose price is not known, missing in plano_cost_usd_total.",
            labels=("provider", "model"),
        )
        for labels, value in self._without_price.items():
            without.add_metric(labels, value)
        return [cost, without]


def _bound(value: float) -> str:
    return str(float(value))
