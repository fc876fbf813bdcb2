"""Affinities in Redis, for gateways that share them. What Redis cannot do now is a miss, and costs no waiting."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from brightstaff.affinity.affinity import Affinity, OnEvent

log = logging.getLogger(__name__)

KEY_PREFIX = "plano:affinity:"
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 2.0
RECOVERY_SECONDS = 1.0
_CONNECTIONS = 32
_LOG_SECONDS = 60.0

_FAILURES = (RedisError, OSError)

T = TypeVar("T")


class RedisStore:
    """A store behind a `redis://` or `rediss://` URL. Raises ValueError for one that cannot be used.

    `ttl`: whole seconds, at least 1. `patience`: seconds that a request may wait for Redis, connecting included. After
    a failure nothing is asked of Redis, and nobody waits, until a check in the background, each second, finds it well.
    """

    def __init__(self, url: str, on_event: OnEvent, *, ttl: int, patience: float = COMMAND_SECONDS) -> None:
        self._on_event = on_event
        self._ttl = max(ttl, 1)
        self._patience = min(patience, COMMAND_SECONDS)
        self._shown = _shown(url)
        self._pool = _pool(url)
        self._redis: Redis = Redis(connection_pool=self._pool)
        self._recovery: asyncio.Task[None] | None = None
        self._logged_at = float("-inf")

    async def get(self, key: str) -> Affinity | None:
        if self._recovery is not None:
            self._on_event("error")
            return None
        try:
            stored = await self._ask(self._redis.get(KEY_PREFIX + key))
        except _FAILURES as failure:
            if not _is_unreadable(failure):
                self._failed(failure)
                self._on_event("error")
                return None
            stored = None
        value = _decoded(stored)
        self._on_event("miss" if value is None else "hit")
        return value

    async def put(self, key: str, value: Affinity) -> None:
        if self._recovery is not None:
            self._on_event("store_error")
            return
        try:
            await self._ask(self._redis.set(KEY_PREFIX + key, msgspec.json.encode(value), ex=self._ttl))
        except _FAILURES as failure:
            self._failed(failure)
            self._on_event("store_error")
        else:
            self._on_event("store")

    async def ready(self) -> bool:
        """Whether Redis answers, within the time to connect."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._redis.ping()
        except _FAILURES as failure:
            self._log(failure)
            return False
        return True

    async def close(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        await self._pool.disconnect()

    async def _ask(self, command: Awaitable[T]) -> T:
        async with asyncio.timeout(self._patience):
            return await command

    def _failed(self, failure: Exception) -> None:
        self._log(failure)
        if self._recovery is None:
            self._recovery = asyncio.create_task(self._recover())

    async def _recover(self) -> None:
        """Wait until Redis answers on new connections: the old ones may lead to a server that is none any more."""
        while True:
            await asyncio.sleep(RECOVERY_SECONDS)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._pool.disconnect(inuse_connections=False)
                    await self._redis.ping()
            except _FAILURES as failure:
                self._log(failure)
            else:
                break
        self._recovery = None
        log.info("session cache %s answers again", self._shown)

    def _log(self, failure: Exception) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _LOG_SECONDS:
            self._logged_at = now
            reason = str(failure) or "no answer in time"
            log.warning("session cache %s failed: %s; sessions are not kept meanwhile", self._shown, reason)


def _pool(url: str) -> BlockingConnectionPool:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=COMMAND_SECONDS,
            protocol=2,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=COMMAND_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        # This connects nothing: only here are wrong options of the URL noticed.
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, RedisError):
        raise ValueError(f"session_cache.url is not a usable Redis URL: {_shown(url)}") from None
    return pool


def _decoded(stored: bytes | str | None) -> Affinity | None:
    if stored is None:
        return None
    try:
        value = msgspec.json.decode(stored, type=Affinity)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return value if value.models else None


def _is_unreadable(failure: Exception) -> bool:
    """The key holds something that is not a string."""
    return isinstance(failure, ResponseError) and str(failure).startswith("WRONGTYPE")


def _shown(url: str) -> str:
    """A URL without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
