"""Lets Envoy finish the requests it has before it is stopped."""

import asyncio
from collections.abc import Callable

import httpx

_POLL_SECONDS = 0.1
_ATTEMPT_SECONDS = 2.0
_ADMIN_PREFIX = "http.admin."


async def drain(admin: str, seconds: float, report: Callable[[int], None]) -> bool:
    """Tell clients to go away and wait until no request is open, at most `seconds`.

    `report` is called with each new number of open requests. Returns False if requests were still open,
    or if Envoy does not answer.
    """
    last = None
    try:
        async with asyncio.timeout(seconds), httpx.AsyncClient(timeout=_ATTEMPT_SECONDS, trust_env=False) as client:
            await client.post(f"{admin}/drain_listeners?graceful&skip_exit")
            while (open_requests := await _open_requests(client, admin)) > 0:
                if open_requests != last:
                    report(open_requests)
                    last = open_requests
                await asyncio.sleep(_POLL_SECONDS)
    except (TimeoutError, httpx.HTTPError):
        return False
    return True


async def _open_requests(client: httpx.AsyncClient, admin: str) -> int:
    response = await client.get(f"{admin}/stats", params={"filter": r"\.downstream_rq_active$", "format": "json"})
    counters = response.raise_for_status().json()["stats"]
    return sum(
        counter["value"]
        for counter in counters
        if counter["name"].startswith("http.") and not counter["name"].startswith(_ADMIN_PREFIX)
    )
