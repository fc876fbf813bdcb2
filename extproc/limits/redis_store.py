"""Quotas in Redis, for gateways that share them. While Redis is away nobody waits for it."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from redis.commands.core import AsyncScript

from extproc.limits.quota import Adjustment, Alternative, Level, Outcome, StoreUnavailable, slot_length
from extproc.limits.redis_scripts import ADJUST, RESERVE
from planoctl.config.redis_link import CONNECT_SECONDS, FAILURES, RedisLink

PATIENCE_SECONDS = 0.25
_CONNECTIONS = 64
_SECOND = 1_000_000
_MOST_ADJUSTING = 10_000
_PREFIX = "{plano:limits}:"  # one hash tag, so that one script may touch all keys of a cluster


class RedisStore:
    """A store behind a `redis://` or `rediss://` URL. Raises ValueError for one that cannot be used.

    `patience`: seconds that a request may wait for Redis, connecting included. After a failure nothing is asked of it
    until a check in the background, each second, finds it well. `failures` counts the calls without an answer.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self.failures = 0
        self._link = RedisLink(
            url,
            setting="rate_limit_store.url",
            what="rate limit store",
            patience=patience,
            connections=_CONNECTIONS,
            pool_seconds=patience,
            socket_seconds=CONNECT_SECONDS,
        )
        self._redis = self._link.client
        self._reserve = self._redis.register_script(RESERVE)
        self._adjust = self._redis.register_script(ADJUST)
        self._adjusting: set[asyncio.Task[None]] = set()

    async def reserve(self, alternatives: Sequence[Alternative]) -> Outcome:
        charges = list(chain.from_iterable(alternatives))
        arguments: list[Any] = [",".join(str(len(each)) for each in alternatives)]
        for charge in charges:
            arguments += charge.limit, slot_length(charge.window, _SECOND), charge.amount
        keys = [_key(charge.bucket) for charge in charges]
        chosen, *numbers = await self._run(self._reserve, keys, arguments)
        levels = _levels(numbers)
        return Outcome(
            chosen - 1 if chosen else None, tuple(tuple(next(levels) for _ in each) for each in alternatives)
        )

    def adjust(self, adjustments: Sequence[Adjustment]) -> None:
        """In the background. What Redis misses stays as it was reserved."""
        if self._link.away or len(self._adjusting) >= _MOST_ADJUSTING:
            self.failures += 1
            return
        task = asyncio.get_running_loop().create_task(self._apply(adjustments))
        self._adjusting.add(task)
        task.add_done_callback(self._adjusting.discard)

    async def close(self) -> None:
        if self._adjusting:
            await asyncio.wait(self._adjusting, timeout=self._patience)
        await self._link.close()

    async def _apply(self, adjustments: Sequence[Adjustment]) -> None:
        keys = [_key(change.bucket) for change in adjustments]
        arguments: list[int] = []
        for change in adjustments:
            slot = -1 if change.slot is None else change.slot
            arguments += slot_length(change.window, _SECOND), slot, change.delta
        try:
            await self._run(self._adjust, keys, arguments)
        except StoreUnavailable:
            return  # counted and logged

    async def _run(self, script: AsyncScript, keys: list[str], arguments: list[Any]) -> Any:
        if self._link.away:
            self.failures += 1
            raise StoreUnavailable
        try:
            return await self._link.ask(script(keys=keys, args=arguments))
        except FAILURES as failure:
            self.failures += 1
            self._link.failed(failure)
            raise StoreUnavailable from None


def _levels(numbers: list[int]) -> Iterator[Level]:
    for used, wait, reset, slot in zip(*[iter(numbers)] * 4, strict=True):
        yield Level(used, wait if wait < 0 else wait / _SECOND, reset / _SECOND, slot)


def _key(bucket: int) -> str:
    return f"{_PREFIX}{bucket:016x}"
