"""The calls the console has seen: the newest in full, all of them as sums."""

from collections import deque

from planoctl.obs.calls import Call, call_of
from planoctl.obs.pricing import NO_PRICES, Prices
from planoctl.obs.spans import Span
from planoctl.obs.tallies import Totals


class CallStore:
    """A ring of at most `capacity` calls, oldest first, and the totals of all that ever came."""

    def __init__(self, capacity: int, prices: Prices = NO_PRICES) -> None:
        self._ring: deque[Call] = deque(maxlen=capacity)
        self._prices = prices
        self.totals = Totals()
        self.version = 0
        """Grows with each call; tells whether there is anything new to show."""

    def add_span(self, span: Span) -> Call | None:
        """Take up a span; returns the call it is, or None for a span of another kind."""
        call = call_of(span, self._prices)
        if call is not None:
            self.add(call)
        return call

    def add(self, call: Call) -> None:
        self._ring.append(call)
        self.totals.add(call)
        self.version += 1

    def snapshot(self) -> tuple[Call, ...]:
        return tuple(self._ring)

    def __len__(self) -> int:
        return len(self._ring)
