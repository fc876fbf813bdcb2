"""Asks a child whether it is ready."""

import asyncio
import contextlib
from pathlib import Path

import httpx

from planoctl.supervise.plan import Probe

_ATTEMPT_SECONDS = 1.0
_PAUSE_SECONDS = 0.05


class Prober:
    """Probes children over loopback HTTP, TCP and Unix sockets. Proxies of the environment are left aside."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=_ATTEMPT_SECONDS, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def until_ready(self, probe: Probe) -> None:
        """Return once the probe succeeds; waits without limit."""
        while await self.failure(probe) is not None:  # noqa: ASYNC110 — the event is in another process
            await asyncio.sleep(_PAUSE_SECONDS)

    async def failure(self, probe: Probe) -> str | None:
        """One attempt: None if the child is ready, else why it is not."""
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                match probe.kind:
                    case "http":
                        return await self._http_failure(probe.target)
                    case "socket":
                        await _close(await asyncio.open_unix_connection(probe.target))
                    case "greeting":
                        return await _greeting_failure(probe.target)
                    case "port":
                        host, _, port = probe.target.rpartition(":")
                        await _close(await asyncio.open_connection(host.strip("[]"), int(port)))
                    case "file":
                        await asyncio.to_thread(Path(probe.target).stat)
        except (OSError, TimeoutError) as error:
            return str(error) or "no answer"
        return None

    async def _http_failure(self, url: str) -> str | None:
        try:
            response = await self._client.get(url, headers={"connection": "close"})
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        return None if response.status_code == httpx.codes.OK else f"status {response.status_code}"


async def _greeting_failure(path: str) -> str | None:
    """A server that speaks first shows that it is not only listening but alive."""
    connection = await asyncio.open_unix_connection(path)
    try:
        return None if await connection[0].read(1) else "closed the connection"
    finally:
        await _close(connection)


async def _close(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    writer = connection[1]
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
