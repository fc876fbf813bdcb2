"""The ranker of a process: it outlives changes of the configuration, and what it has learnt outlives its sources."""

import asyncio
from collections.abc import Mapping, Sequence

from brightstaff.ranking.cost import CostSource, FetchedPrices, PriceList
from brightstaff.ranking.latency import OwnLatency, PrometheusLatency
from brightstaff.ranking.observed import ObservedLatency
from brightstaff.ranking.order import rank
from brightstaff.ranking.source import Resolve, Source
from hermesllm.prices import PriceBook, Rates
from planoctl.config.runtime import MetricsSource


class Ranking:
    """Orders models by `cheapest`, `fastest` or `none`.

    Without a source in the configuration, prices are those of the price list and latencies those that `observed` was
    told. `resolve` finds what a name means; it is asked with each decision, so it may follow the configuration.
    """

    def __init__(
        self,
        sources: Sequence[MetricsSource],
        resolve: Resolve,
        *,
        prices: PriceBook | None = None,
        observed: ObservedLatency | None = None,
    ) -> None:
        self.observed = observed or ObservedLatency()
        configured = {source.type: source for source in sources}
        cost, latency = configured.get("cost"), configured.get("latency")
        self._cost: CostSource = FetchedPrices(cost, resolve) if cost else PriceList(resolve, prices or PriceBook())
        self._latency: Source = PrometheusLatency(latency) if latency else OwnLatency(self.observed, resolve)
        self._by_policy: Mapping[str, Source] = {"cheapest": self._cost, "fastest": self._latency}

    async def start(self) -> None:
        """Fetch what is configured; what cannot be had within 30 s comes later."""
        await asyncio.gather(self._cost.start(), self._latency.start())

    async def stop(self) -> None:
        await asyncio.gather(self._cost.stop(), self._latency.stop())

    def rank(self, models: Sequence[str], prefer: str) -> list[str]:
        """The models, best first. Those without data come last, in declared order."""
        source = self._by_policy.get(prefer)
        if source is None or len(models) < 2:
            return list(models)
        ranked = rank(models, source.values(models))
        first = source.first(models)
        return ranked if first is None else [first, *(model for model in ranked if model != first)]

    def price(self, model: str) -> Rates | None:
        """The rates of a model by its name, or None."""
        return self._cost.price(model)
