"""Tells brightstaff, once a second, what was counted and what went wrong. Nothing is lost while it is away."""

import asyncio
import secrets
import time
from collections.abc import Callable

import psutil

from extproc.latency import Latencies
from extproc.metrics.tally import Tally
from extproc.routing import RoutingClient
from plano_pb import routing_pb2 as pb
from planoctl.config import metric_families as families

_SECONDS = 1.0


class Reporter:
    """`worker` names this process's place among the workers. `faults`, `lost_spans`: lost records and spans so far.

    A tally that was not taken is kept and sent again as it is, with its number; numbers go on being counted behind it.
    """

    def __init__(
        self,
        worker: str,
        tally: Tally,
        latencies: Latencies,
        client: RoutingClient,
        *,
        faults: Callable[[], int],
        lost_spans: Callable[[], int],
    ) -> None:
        self._worker = worker
        self._tally = tally
        self._latencies = latencies
        self._client = client
        self._losses = {families.EXTPROC_FAULTS: ((), faults), families.SPANS_LOST: (("sidecar",), lost_spans)}
        self._told = dict.fromkeys(self._losses, 0)
        self._self = psutil.Process()
        self._process = secrets.randbits(64)
        self._number = 0
        self._told_cpu = 0.0
        self._unsent: pb.Tally | None = None

    async def run(self) -> None:
        """Report for as long as the worker lives."""
        while True:
            await asyncio.sleep(_SECONDS)
            await self.report()

    async def report(self) -> None:
        """Report now, what was kept first."""
        kept = self._unsent is not None
        await self._send()
        if kept and self._unsent is None:
            await self._send()

    async def _send(self) -> None:
        if self._unsent is None:
            self._unsent = self._next()
        observations = self._latencies.take() or pb.Observations()
        observations.tally.CopyFrom(self._unsent)
        if await self._client.observe(observations):
            self._unsent = None

    def _next(self) -> pb.Tally:
        self._measure_process()
        tally = self._tally.take()
        self._number += 1
        tally.worker, tally.process, tally.number = self._worker, self._process, self._number
        for family, level in (
            (families.EXTPROC_CALLOUTS, float(self._client.waiting)),
            (families.EXTPROC_STARTED, self._self.create_time()),
            (families.EXTPROC_MEMORY, float(self._self.memory_info().rss)),
        ):
            tally.levels.add(family=family.name, labels=(self._worker,), value=level)
        return tally

    def _measure_process(self) -> None:
        cpu = time.process_time()
        self._tally.counter(families.EXTPROC_CPU, self._worker).add(cpu - self._told_cpu)
        self._told_cpu = cpu
        for family, (labels, total) in self._losses.items():
            lost = total()
            self._tally.counter(family, *labels).add(lost - self._told[family])
            self._told[family] = lost
