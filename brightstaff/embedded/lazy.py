"""The embedded router, loaded when it is first asked: its vectors take 50 MB that most gateways never need."""

import asyncio
from collections.abc import Mapping, Sequence

from anyio import to_thread

from brightstaff.embedded.router import EmbeddedRouter
from brightstaff.routing.types import NO_HEADERS, Choice, Router, Turn
from planoctl.config.runtime import RoutingPreference


class LazyEmbeddedRouter(Router):
    """One for all configurations of a process."""

    def __init__(self) -> None:
        self._router: EmbeddedRouter | None = None
        self._loading = asyncio.Lock()

    async def load(self) -> EmbeddedRouter:
        async with self._loading:
            if self._router is None:
                self._router = await to_thread.run_sync(EmbeddedRouter)
            return self._router

    async def choose(
        self,
        preferences: Sequence[RoutingPreference],
        conversation: Sequence[Turn],
        *,
        request_id: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Choice:
        router = self._router or await self.load()
        return await router.choose(preferences, conversation, request_id=request_id, headers=headers)
