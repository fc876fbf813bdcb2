"""The spans of this process on their way out. Nothing waits for a collector, and none is needed."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from brightstaff.telemetry.exporters import exporters, relays
from brightstaff.telemetry.llm_span import Price, llm_span
from brightstaff.telemetry.outlet import Outlet
from brightstaff.telemetry.span import Relayed, Span
from planoctl.config.runtime import Tracing

log = logging.getLogger(__name__)

_LAST_SECONDS = 2.0
_FAREWELL_SECONDS = 10.0


class Telemetry:
    """Takes spans and hands them to every destination. `lost` is told how many did not reach one."""

    def __init__(self, price: Price, lost: Callable[[int], None]) -> None:
        self._price = price
        self._lost = lost
        self._tracing: Tracing | None = None
        self._outlets: list[Outlet[Span]] = []
        self._relays: list[Outlet[Relayed]] = []
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> bool:
        return bool(self._outlets)

    async def configure(self, tracing: Tracing | None) -> None:
        """Export as `tracing` says from now on. What is on its way to a former destination still goes there."""
        if tracing == self._tracing:
            return
        old, self._tracing = self._all(), tracing
        self._outlets = [Outlet(each, self._lost) for each in exporters(tracing)]
        self._relays = [Outlet(each, self._lost) for each in relays(tracing)]
        for outlet in old:
            task = asyncio.create_task(outlet.close(_FAREWELL_SECONDS))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    def record(self, span: Span) -> None:
        if span.context.sampled:
            for outlet in self._outlets:
                outlet.take(span)

    def relay(self, spans: Relayed) -> None:
        """Envoy's spans, which it sends here if it knows no collector."""
        for outlet in self._relays:
            outlet.take(spans)

    def record_requests(self, records: Iterable[bytes]) -> None:
        """The LLM calls that the sidecar observed."""
        if self._tracing is None or not self._outlets:
            return
        for record in records:
            try:
                span = llm_span(record, self._tracing, self._price)
            except Exception:
                log.exception("a record of a request makes no span")
                continue
            if span is not None:
                self.record(span)

    async def stop(self) -> None:
        """Export what is left."""
        closing = [outlet.close(_LAST_SECONDS) for outlet in self._all()]
        self._outlets, self._relays = [], []
        await asyncio.gather(*closing, *self._farewells, return_exceptions=True)

    def _all(self) -> list[Outlet[Any]]:
        return [*self._outlets, *self._relays]
