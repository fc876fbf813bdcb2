"""Affinities in the memory of this process."""

import time
from collections import OrderedDict
from collections.abc import Callable

from brightstaff.affinity.affinity import Affinity, OnEvent

SWEEP_SECONDS = 300.0
MOST_ENTRIES = 10_000


class MemoryStore:
    """Up to `capacity` entries, the least recently used dropped first; 0, and more than 10,000, mean 10,000.

    `ttl`: seconds that an entry lives from its last store; a look-up does not prolong it. `clock`: monotonic seconds.
    """

    def __init__(
        self,
        on_event: OnEvent,
        *,
        ttl: float,
        capacity: int = MOST_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_event = on_event
        self._ttl = ttl
        self._capacity = min(capacity, MOST_ENTRIES) or MOST_ENTRIES
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, Affinity]] = OrderedDict()
        self._swept_at = clock()

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> Affinity | None:
        now = self._clock()
        self._sweep(now)
        stored_at, value = self._entries.get(key, (0.0, None))
        if value is None or not self._valid(stored_at, now):
            self._entries.pop(key, None)
            self._on_event("miss")
            return None
        self._entries.move_to_end(key)
        self._on_event("hit")
        return value

    async def put(self, key: str, value: Affinity) -> None:
        now = self._clock()
        self._sweep(now)
        self._entries[key] = (now, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        self._on_event("store")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        self._entries.clear()

    def _valid(self, stored_at: float, now: float) -> bool:
        return now - stored_at < self._ttl

    def _sweep(self, now: float) -> None:
        """Drop what has expired, from time to time: about a millisecond for a full store."""
        if now - self._swept_at < SWEEP_SECONDS:
            return
        self._swept_at = now
        expired = [key for key, (stored_at, _) in self._entries.items() if not self._valid(stored_at, now)]
        for key in expired:
            del self._entries[key]
