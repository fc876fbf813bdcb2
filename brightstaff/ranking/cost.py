"""Ranking by price: USD per million tokens, input and output together."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from brightstaff.ranking.fetched import FetchedTable
from brightstaff.ranking.missing import MissingLog
from brightstaff.ranking.source import Resolve, Source
from hermesllm.price_catalogues import PriceCatalogue, digitalocean, models_dev
from hermesllm.prices import PriceBook, Rates, load_price_list
from planoctl.config.runtime import MetricsSource

_CATALOGUES: Mapping[str, tuple[str, Callable[..., PriceCatalogue]]] = {
    "digitalocean": ("https://api.digitalocean.com/v2/gen-ai/models/catalog", digitalocean),
    "models.dev": ("https://models.dev/api.json", models_dev),
}


class CostSource(Source):
    """A source that has prices."""

    def __init__(self, resolve: Resolve, missing: MissingLog, fetched: FetchedTable[Any] | None = None) -> None:
        super().__init__(fetched)
        self._resolve = resolve
        self._missing = missing

    @abstractmethod
    def price(self, model: str) -> Rates | None:
        """The rates of a model by any of its names."""

    def values(self, models: Sequence[str]) -> dict[str, float]:
        prices = {model: price.total for model in models if (price := self.price(model)) is not None}
        self._missing.note(models, prices)
        return prices


class PriceList(CostSource):
    """The prices that the gateway is shipped with, and the user's own."""

    def __init__(self, resolve: Resolve, book: PriceBook) -> None:
        super().__init__(resolve, MissingLog("price"))
        self._book = book

    async def start(self) -> None:
        await asyncio.to_thread(load_price_list)

    def price(self, model: str) -> Rates | None:
        candidate = self._resolve(model)
        return None if candidate is None else self._book.price(candidate)


class FetchedPrices(CostSource):
    """The prices of a catalogue on the network."""

    def __init__(self, source: MetricsSource, resolve: Resolve) -> None:
        url, read = _CATALOGUES[source.provider]
        missing = MissingLog("price")
        self._catalogue = FetchedTable(
            source.url or url,
            partial(read, aliases=source.model_aliases),
            PriceCatalogue({}),
            interval=source.refresh_interval,
            renewed=missing.renewed,
        )
        super().__init__(resolve, missing, self._catalogue)

    def price(self, model: str) -> Rates | None:
        return self._catalogue.table.find(model, self._resolve(model))
