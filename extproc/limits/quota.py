"""What a store of quotas is asked and what it answers.

A quota allows `limit` within any window of its length. The window is cut into SLOTS slots; what was used in each slot
that overlaps the last window counts, the oldest one whole. So no window ever holds more than the limit, and a quota
comes back at most one slot late.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

SLOTS = 60
COUNTED = SLOTS + 1
"""Slots that overlap a window."""

NEVER = -1
"""In place of a waiting time: the amount is larger than the limit."""


@dataclass(frozen=True, slots=True)
class Charge:
    """`amount` for one quota; `bucket` is a 64-bit number that names it, `window` its length in seconds."""

    bucket: int
    limit: int
    window: int
    amount: int


@dataclass(frozen=True, slots=True)
class Level:
    """How a quota stands for one charge, before anything was charged.

    `used` within the window, `wait` seconds until the charge fits (0: it does, NEVER: it cannot), `reset` seconds
    until all that was used, and charged if it fits, is free again, `slot` the number of the slot of this moment.
    """

    used: int
    wait: float
    reset: float
    slot: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction of what was charged in a slot; `slot` None: the slot of this moment."""

    bucket: int
    window: int
    slot: int | None
    delta: int


Alternative = Sequence[Charge]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`chosen`: the first alternative into which everything fitted, now charged; None where none did.

    `levels` has the levels of each alternative's charges.
    """

    chosen: int | None
    levels: tuple[tuple[Level, ...], ...]


class StoreUnavailable(Exception):
    """The store cannot answer now."""


class Store(Protocol):
    """Keeps quotas. Each call is atomic for all who share the store."""

    def reserve(self, alternatives: Sequence[Alternative]) -> Outcome | Awaitable[Outcome]:
        """Charge the first alternative that fits whole; charge nothing if none does. Raises StoreUnavailable."""
        ...

    def adjust(self, adjustments: Sequence[Adjustment]) -> None:
        """Correct what was charged; what has left its window stays as it is. Never raises."""
        ...

    async def close(self) -> None: ...


def slot_length(window: int, per_second: int) -> int:
    """The length of a slot in ticks, rounded up, so that SLOTS slots are never shorter than the window."""
    return -(-window * per_second // SLOTS)
