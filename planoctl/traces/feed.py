"""Passes spans on, as they arrive, to everybody who watches. Nobody who is slow holds up the others."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

_LONGEST_QUEUE = 20_000
_LARGEST_QUEUE = 32 * 1024 * 1024


class Watcher:
    """What one caller has still to get: at most 20,000 spans and 32 MiB; the oldest make room for new ones."""

    def __init__(self, waiting: Iterable[bytes] = ()) -> None:
        self._waiting = deque(waiting)
        self._size = sum(map(len, self._waiting))
        self._dropped = 0
        self._filled = asyncio.Event()
        if self._waiting:
            self._filled.set()

    def put(self, span: bytes) -> None:
        self._waiting.append(span)
        self._size += len(span)
        while len(self._waiting) > 1 and (len(self._waiting) > _LONGEST_QUEUE or self._size > _LARGEST_QUEUE):
            self._size -= len(self._waiting.popleft())
            self._dropped += 1
        self._filled.set()

    async def batches(self, largest: int) -> AsyncIterator[tuple[list[bytes], int]]:
        """Groups of about `largest` bytes, each with the number of spans dropped before it; never ends."""
        while True:
            await self._filled.wait()
            dropped, self._dropped = self._dropped, 0
            yield self._take(largest), dropped
            if not self._waiting:
                self._filled.clear()

    def _take(self, largest: int) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0]) <= largest):
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        self._size -= size
        return taken


class Feed:
    """Everybody who watches."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()

    def put(self, span: bytes) -> None:
        for watcher in self._watchers:
            watcher.put(span)

    @contextmanager
    def watcher(self, first: Iterable[bytes] = ()) -> Iterator[Watcher]:
        """A watcher that gets `first`, and then what is put while the block lasts."""
        watcher = Watcher(first)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
