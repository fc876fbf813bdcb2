"""How fast models began to answer lately, as the gateway itself saw it."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["stream", "whole"]

HALF_LIFE = 300.0
RETRY_AFTER = 30.0
MOST_MODELS = 1000


class ObservedLatency:
    """Mean latencies of up to 1,000 models, the least recently used forgotten first.

    An observation counts half as much five minutes later. `clock`: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._models: OrderedDict[str, _Model] = OrderedDict()

    def record(self, model: str, seconds: float, *, kind: Kind) -> None:
        """`seconds` to the first byte of a stream (`stream`), or to the end of an answer (`whole`)."""
        if not 0 <= seconds < float("inf"):
            return
        entry = self._entry(model)
        mean = entry.stream if kind == "stream" else entry.whole
        mean.add(seconds, self._clock())

    def value(self, model: str) -> float | None:
        """Seconds to the first byte of a stream where there were streams, else to the end of an answer."""
        entry = self._models.get(model)
        if entry is None:
            return None
        return entry.stream.value if entry.stream.value is not None else entry.whole.value

    def due(self, models: Sequence[str]) -> str | None:
        """A model of which nothing was seen for five minutes, so that it is to be tried once.

        A model that is tried and of which nothing is seen, because it fails, is due again half a minute later.
        """
        now = self._clock()
        for model in models:
            entry = self._entry(model)
            if now - entry.seen_at >= HALF_LIFE and now - entry.tried_at >= RETRY_AFTER:
                entry.tried_at = now
                return model
        return None

    def _entry(self, model: str) -> "_Model":
        entry = self._models.get(model)
        if entry is None:
            while len(self._models) >= MOST_MODELS:
                self._models.popitem(last=False)
            entry = self._models[model] = _Model()
        self._models.move_to_end(model)
        return entry


@dataclass(slots=True)
class _Mean:
    """An exponentially weighted mean."""

    total: float = 0.0
    weight: float = 0.0
    at: float = float("-inf")

    def add(self, seconds: float, now: float) -> None:
        keep = 0.5 ** ((now - self.at) / HALF_LIFE)
        self.total = self.total * keep + seconds
        self.weight = self.weight * keep + 1
        self.at = now

    @property
    def value(self) -> float | None:
        return self.total / self.weight if self.weight else None


@dataclass(slots=True)
class _Model:
    stream: _Mean = field(default_factory=_Mean)
    whole: _Mean = field(default_factory=_Mean)
    tried_at: float = float("-inf")

    @property
    def seen_at(self) -> float:
        return max(self.stream.at, self.whole.at)
