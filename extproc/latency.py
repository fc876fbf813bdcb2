"""How fast models begin to answer, gathered for brightstaff, which ranks by it."""

from plano_pb import routing_pb2 as pb

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
