"""How fast models begin to answer, gathered for brightstaff, which ranks by it."""

import asyncio

from extproc.routing import RoutingClient
from plano_pb import routing_pb2 as pb

_REPORT_SECONDS = 2.0
_MOST = 1000  # with a wildcard, clients choose the names


class Latencies:
    """Means since the last report, by model and kind of answer."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, bool], tuple[float, int]] = {}

    def add(self, model: str, seconds: float, *, stream: bool) -> None:
        key = (model, stream)
        total, count = self._sums.get(key, (0.0, 0))
        if count or len(self._sums) < _MOST:
            self._sums[key] = (total + seconds, count + 1)

    def take(self) -> pb.Observations | None:
        """What was gathered, and begin anew."""
        if not self._sums:
            return None
        sums, self._sums = self._sums, {}
        observations = pb.Observations()
        for (model, stream), (total, count) in sums.items():
            observations.observations.add(model=model, stream=stream, seconds=total / count)
        return observations


async def report(latencies: Latencies, client: RoutingClient) -> None:
    """Report for as long as the worker lives."""
    while True:
        await asyncio.sleep(_REPORT_SECONDS)
        observations = latencies.take()
        if observations is not None or client.failed:
            await client.observe(observations or pb.Observations())
