"""Quotas in Redis, for gateways that share them. While Redis is away nobody waits for it."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from extproc.limits.quota import Adjustment, Alternative, Level, Outcome, StoreUnavailable, slot_length
from extproc.limits.redis_scripts import ADJUST, RESERVE

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.25
_CONNECT_SECONDS = 5.0
_RECOVERY_SECONDS = 1.0
_LOG_SECONDS = 60.0
_CONNECTIONS = 64
_SECOND = 1_000_000
_MOST_ADJUSTING = 10_000
_PREFIX = "{plano:limits}:"  # one hash tag, so that one script may touch all keys of a cluster
_FAILURES = (RedisError, OSError, TimeoutError)


class RedisStore:
    """A store behind a `redis://` or `rediss://` URL. Raises ValueError for one that cannot be used.

    `patience`: seconds that a request may wait for Redis, connecting included. After a failure nothing is asked of it
    until a check in the background, each second, finds it well. `failures` counts the calls without an answer.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self.failures = 0
        self._shown = _shown(url)
        self._pool = _pool(url, self._shown, patience)
        self._redis: Redis = Redis(connection_pool=self._pool)
        self._reserve = self._redis.register_script(RESERVE)
        self._adjust = self._redis.register_script(ADJUST)
        self._recovery: asyncio.Task[None] | None = None
        self._adjusting: set[asyncio.Task[None]] = set()
        self._logged_at = float("-inf")

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
        if self._recovery is not None or len(self._adjusting) >= _MOST_ADJUSTING:
            self.failures += 1
            return
        task = asyncio.get_running_loop().create_task(self._apply(adjustments))
        self._adjusting.add(task)
        task.add_done_callback(self._adjusting.discard)

    async def close(self) -> None:
        if self._adjusting:
            await asyncio.wait(self._adjusting, timeout=self._patience)
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        await self._pool.disconnect()

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
        if self._recovery is not None:
            self.failures += 1
            raise StoreUnavailable
        try:
            async with asyncio.timeout(self._patience):
                return await script(keys=keys, args=arguments)
        except _FAILURES as failure:
            self.failures += 1
            self._log(failure)
            if self._recovery is None:
                self._recovery = asyncio.create_task(self._recover())
            raise StoreUnavailable from None

    async def _recover(self) -> None:
        """Wait until Redis answers on new connections: the old ones may lead to a server that is none any more."""
        while True:
            await asyncio.sleep(_RECOVERY_SECONDS)
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await self._pool.disconnect(inuse_connections=False)
                    await self._redis.ping()
            except _FAILURES as failure:
                self._log(failure)
            else:
                break
        self._recovery = None
        log.info("rate limit store %s answers again", self._shown)

    def _log(self, failure: Exception) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _LOG_SECONDS:
            self._logged_at = now
            log.warning("rate limit store %s failed: %s", self._shown, str(failure) or "no answer in time")


def _levels(numbers: list[int]) -> Iterator[Level]:
    for used, wait, reset, slot in zip(*[iter(numbers)] * 4, strict=True):
        yield Level(used, wait if wait < 0 else wait / _SECOND, reset / _SECOND, slot)


def _key(bucket: int) -> str:
    return f"{_PREFIX}{bucket:016x}"


def _pool(url: str, shown: str, patience: float) -> BlockingConnectionPool:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=patience,
            protocol=2,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_CONNECT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        # This connects nothing: only here are wrong options of the URL noticed.
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, RedisError):
        raise ValueError(f"rate_limit_store.url is not a usable Redis URL: {shown}") from None
    return pool


def _shown(url: str) -> str:
    """A URL without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
