"""One destination of spans and those on their way to it. Nobody waits for it, and no other destination does."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from brightstaff.telemetry.exporters import Exporter

log = logging.getLogger(__name__)

_MOST_WAITING = 32 * 1024 * 1024  # bytes, roughly; older spans are dropped for newer ones
_MOST_AT_ONCE = 256  # spans; more would keep brightstaff from its other work for long
_PAUSE_SECONDS = 1.0
_WARN_SECONDS = 60.0


class Portion(Protocol):
    """What waits as one. `size` is in bytes; `count` says how many spans it is."""

    @property
    def size(self) -> int: ...

    @property
    def count(self) -> int: ...


Item = TypeVar("Item", bound=Portion)


class Outlet(Generic[Item]):
    """Exports in batches for as long as it is open. `lost` is told how many spans did not arrive."""

    def __init__(self, exporter: Exporter[Item], lost: Callable[[int], None]) -> None:
        self._lost = lost
        self._exporter = exporter
        self._waiting: deque[Item] = deque()
        self._size = 0
        self._warned = float("-inf")
        self._task = asyncio.create_task(self._run())

    def take(self, item: Item) -> None:
        self._waiting.append(item)
        self._size += item.size
        while self._size > _MOST_WAITING:
            oldest = self._waiting.popleft()
            self._size -= oldest.size
            self._lost(oldest.count)

    async def close(self, seconds: float) -> None:
        """Export what is left, for so many seconds at most."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(seconds):
                while self._waiting:
                    await self._export()
        except TimeoutError:
            self._failed(TimeoutError("too slow at the end"), _count(self._waiting))
        await self._exporter.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            while self._waiting:
                await self._export()

    async def _export(self) -> None:
        batch = self._batch()
        try:
            await self._exporter.export(batch)
        except asyncio.CancelledError:
            self._put_back(batch)
            raise
        except Exception as problem:  # noqa: BLE001 — whatever an exporter comes upon, the next batch may fare better
            self._failed(problem, _count(batch))

    def _batch(self) -> list[Item]:
        batch: list[Item] = []
        spans = 0
        while self._waiting and (not batch or spans + self._waiting[0].count <= _MOST_AT_ONCE):
            batch.append(self._waiting.popleft())
            spans += batch[-1].count
            self._size -= batch[-1].size
        return batch

    def _put_back(self, batch: list[Item]) -> None:
        """An export that was cut short is made again: a span that arrives twice is better than none."""
        self._waiting.extendleft(reversed(batch))
        self._size += sum(item.size for item in batch)

    def _failed(self, problem: Exception, spans: int) -> None:
        self._lost(spans)
        now = time.monotonic()
        if now - self._warned >= _WARN_SECONDS:
            self._warned = now
            log.warning("%d spans did not reach %s: %s", spans, self._exporter.target, _reason(problem))


def _count(items: Iterable[Portion]) -> int:
    return sum(item.count for item in items)


def _reason(problem: Exception) -> str:
    details = getattr(problem, "details", None)
    return str(details()) if callable(details) else str(problem) or type(problem).__name__
