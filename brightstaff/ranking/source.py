"""What a ranking gets its values from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from brightstaff.ranking.fetched import FetchedTable
from planoctl.config.registry import Candidate

Resolve = Callable[[str], Candidate | None]


class Source(ABC):
    """Values of models, lower is better. `fetched` is what it fetches in the background, if anything."""

    def __init__(self, fetched: FetchedTable[Any] | None = None) -> None:
        self._background = fetched

    async def start(self) -> None:
        """Get ready; what cannot be fetched within 30 s comes later."""
        if self._background is not None:
            await self._background.start()

    async def stop(self) -> None:
        if self._background is not None:
            await self._background.stop()

    @abstractmethod
    def values(self, models: Sequence[str]) -> dict[str, float]:
        """The values of those of the models that have one."""

    def first(self, models: Sequence[str]) -> str | None:  # noqa: ARG002 — most sources know without trying
        """A model to try before all others, whatever its value."""
        return None
