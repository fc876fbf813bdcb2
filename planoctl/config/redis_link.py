"""A Redis that a service can do without: while it is away nobody waits for it, and it comes back by itself."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

FAILURES = (RedisError, OSError)
"""What a command may end with; a TimeoutError is an OSError."""

CONNECT_SECONDS = 5.0
_RECOVERY_SECONDS = 1.0
_LOG_SECONDS = 60.0

T = TypeVar("T")


class RedisLink:
    """The connections to a `redis://` or `rediss://` URL. Raises ValueError for one that cannot be used.

    `setting` names the URL in errors, `what` the server in the log, where `meanwhile` says what an outage means.
    `patience`: seconds that a request may wait for an answer, connecting included. `pool_seconds`: for a free one of
    `connections`; `socket_seconds`: for bytes.
    """

    def __init__(
        self,
        url: str,
        *,
        setting: str,
        what: str,
        meanwhile: str = "",
        patience: float,
        connections: int,
        pool_seconds: float,
        socket_seconds: float,
    ) -> None:
        shown = _shown(url)
        self._name = f"{what} {shown}"
        self._meanwhile = meanwhile
        self._patience = patience
        try:
            self._pool = BlockingConnectionPool.from_url(
                url,
                max_connections=connections,
                timeout=pool_seconds,
                protocol=2,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=socket_seconds,
                socket_keepalive=True,
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
            # This connects nothing: only here are wrong options of the URL noticed.
            self._pool.make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, RedisError):
            raise ValueError(f"{setting} is not a usable Redis URL: {shown}") from None
        self.client: Redis = Redis(connection_pool=self._pool)
        self._recovery: asyncio.Task[None] | None = None
        self._logged_at = float("-inf")

    @property
    def away(self) -> bool:
        """Whether it failed, and a check in the background, each second, has not found it well yet."""
        return self._recovery is not None

    async def ask(self, command: Awaitable[T]) -> T:
        """The answer to a command. Raises one of FAILURES; whether that is an outage the caller knows."""
        async with asyncio.timeout(self._patience):
            return await command

    def failed(self, failure: Exception) -> None:
        """It is away from now on."""
        self._log(failure)
        if self._recovery is None:
            self._recovery = asyncio.create_task(self._recover())

    async def answers(self) -> bool:
        """Whether it can be used, within the time to connect."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self.client.ping()
        except FAILURES as failure:
            self._log(failure)
            return False
        return True

    async def close(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        await self._pool.disconnect()

    async def _recover(self) -> None:
        """Wait until it answers on new connections: the old ones may lead to a server that is none any more."""
        while True:
            await asyncio.sleep(_RECOVERY_SECONDS)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._pool.disconnect(inuse_connections=False)
                    await self.client.ping()
            except FAILURES as failure:
                self._log(failure)
            else:
                break
        self._recovery = None
        log.info("%s answers again", self._name)

    def _log(self, failure: Exception) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _LOG_SECONDS:
            self._logged_at = now
            log.warning("%s failed: %s%s", self._name, str(failure) or "no answer in time", self._meanwhile)


def _shown(url: str) -> str:
    """A URL without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
