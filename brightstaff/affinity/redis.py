"""Affinities in Redis, for gateways that share them. What Redis cannot do now is a miss, and costs no waiting."""

import msgspec
from redis.exceptions import ResponseError

from brightstaff.affinity.affinity import Affinity, OnEvent
from planoctl.config.redis_link import FAILURES, RedisLink

KEY_PREFIX = "plano:affinity:"
COMMAND_SECONDS = 2.0
_CONNECTIONS = 32


class RedisStore:
    """A store behind a `redis://` or `rediss://` URL. Raises ValueError for one that cannot be used.

    `ttl`: whole seconds, at least 1. `patience`: seconds that a request may wait for Redis, connecting included. After
    a failure nothing is asked of Redis, and nobody waits, until a check in the background, each second, finds it well.
    """

    def __init__(self, url: str, on_event: OnEvent, *, ttl: int, patience: float = COMMAND_SECONDS) -> None:
        self._on_event = on_event
        self._ttl = max(ttl, 1)
        self._link = RedisLink(
            url,
            setting="session_cache.url",
            what="session cache",
            meanwhile="; sessions are not kept meanwhile",
            patience=min(patience, COMMAND_SECONDS),
            connections=_CONNECTIONS,
            pool_seconds=COMMAND_SECONDS,
            socket_seconds=COMMAND_SECONDS,
        )
        self._redis = self._link.client

    async def get(self, key: str) -> Affinity | None:
        if self._link.away:
            self._on_event("error")
            return None
        try:
            stored = await self._link.ask(self._redis.get(KEY_PREFIX + key))
        except FAILURES as failure:
            if not _is_unreadable(failure):
                self._link.failed(failure)
                self._on_event("error")
                return None
            stored = None
        value = _decoded(stored)
        self._on_event("miss" if value is None else "hit")
        return value

    async def put(self, key: str, value: Affinity) -> None:
        if self._link.away:
            self._on_event("store_error")
            return
        try:
            await self._link.ask(self._redis.set(KEY_PREFIX + key, msgspec.json.encode(value), ex=self._ttl))
        except FAILURES as failure:
            self._link.failed(failure)
            self._on_event("store_error")
        else:
            self._on_event("store")

    async def ready(self) -> bool:
        """Whether Redis answers, within the time to connect."""
        return await self._link.answers()

    async def close(self) -> None:
        await self._link.close()


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
