"""Documents that are fetched at start and renewed in the background. A table outlives the failures to renew it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
import orjson

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
FETCH_SECONDS = 30.0
RETRY_SECONDS = 60.0
MOST_BYTES = 32 * 1024 * 1024

Table = TypeVar("Table")


class FetchedTable(Generic[Table]):
    """What `read` makes of the JSON document at `url`; `table` is `empty` until there was a first one.

    `interval`: seconds between fetches; None: fetched until it succeeds once. `read` raises ValueError for a document
    of the wrong shape. `renewed` is called after each success.
    """

    def __init__(
        self,
        url: str,
        read: Callable[[Any], Table],
        empty: Table,
        *,
        interval: float | None = None,
        renewed: Callable[[], None] = lambda: None,
        retry: float = RETRY_SECONDS,
    ) -> None:
        self.table = empty
        self._url = url
        self._read = read
        self._interval = interval
        self._renewed = renewed
        self._retry = retry
        self._attempted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to fetch, and wait for the first attempt, which takes 30 s at most."""
        self._task = asyncio.create_task(self._keep_fresh())
        await self._attempted.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        while True:
            try:
                fetched = await self._fetch()
            finally:
                self._attempted.set()
            if fetched and self._interval is None:
                return
            pause = self._interval or self._retry
            await asyncio.sleep(pause if fetched else min(pause, self._retry))

    async def _fetch(self) -> bool:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                body = await self._download()
                self.table = await asyncio.to_thread(self._parse, body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
            reason = str(problem) or type(problem).__name__
            log.warning("cannot fetch %s: %s; what is known stays in use", _shown(self._url), reason)
            return False
        self._renewed()
        return True

    async def _download(self) -> bytes:
        timeout = httpx.Timeout(FETCH_SECONDS, connect=CONNECT_SECONDS)
        body = bytearray()
        async with (
            httpx.AsyncClient(timeout=timeout, follow_redirects=True, max_redirects=3) as client,
            client.stream("GET", self._url, headers={"accept": "application/json"}) as response,
        ):
            if not response.is_success:
                raise ValueError(f"status {response.status_code}")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ValueError(f"more than {MOST_BYTES} bytes")
        return bytes(body)

    def _parse(self, body: bytes) -> Table:
        return self._read(orjson.loads(body))


def _shown(url: str) -> str:
    """An address without the credentials and the query that it may have."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
