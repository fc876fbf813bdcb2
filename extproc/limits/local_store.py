"""Quotas of one host: a table of fixed size in memory that its workers share.

Performance-sensitive: every limited request passes here (tests/bench/bench_limits.py). Each change is one word, so a
worker that is killed between two of them leaves at worst a charge that nobody corrects.
"""

import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice
from pathlib import Path

from extproc.limits.quota import COUNTED, NEVER, SLOTS, Adjustment, Alternative, Charge, Level, Outcome, slot_length
from extproc.limits.shared_file import SharedWords

BUCKETS = 32_768
"""Quotas kept at the same time. Those whose window has passed make room first, then those unused for longest."""

_WAYS = 8  # places that a bucket may have
_RECORD = 3 + COUNTED  # words: bucket, newest slot, length of a slot, what was used in each slot
_BUCKET, _NEWEST, _LENGTH, _USED = 0, 1, 2, 3
_SETTLED_SETS = 4096
_SETTLED_WORDS = _SETTLED_SETS * _WAYS
_SECOND = 1_000_000_000
_MOST = 2**62
_ZEROS = memoryview(array("Q", [0] * COUNTED))


def boot_clock() -> int:
    """Nanoseconds that nobody can set, the same in all processes of a host."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LocalStore:
    """A store in a file, or in the memory of this process; `buckets` is a multiple of 8. Never waits for long."""

    def __init__(
        self, path: Path | None = None, *, buckets: int = BUCKETS, clock: Callable[[], int] = boot_clock
    ) -> None:
        self._clock = clock
        self._sets = buckets // _WAYS
        self._shared = SharedWords(path, _SETTLED_WORDS + buckets * _RECORD)

    def reserve(self, alternatives: Sequence[Alternative]) -> Outcome:
        with self._shared.locked() as words:
            now = self._clock()
            chosen = None
            levels = []
            for index, charges in enumerate(alternatives):
                places = [self._place(words, charge, now) for charge in charges]
                found = tuple(_level(words, place, charge, now) for place, charge in zip(places, charges, strict=True))
                levels.append(found)
                if chosen is None and not any(level.wait for level in found):
                    chosen = index
                    taken = places
            if chosen is not None:
                for place, charge in zip(taken, alternatives[chosen], strict=True):
                    at = place + _USED + words[place + _NEWEST] % COUNTED
                    words[at] = min(words[at] + charge.amount, _MOST)
        return Outcome(chosen, tuple(levels))

    def adjust(self, adjustments: Sequence[Adjustment]) -> None:
        with self._shared.locked() as words:
            self._apply(words, adjustments)

    def settle(self, reservation: int, adjustments: Sequence[Adjustment]) -> bool:
        """As `adjust`, once per reservation; False: it had been settled before."""
        with self._shared.locked() as words:
            if not _first_time(words, reservation):
                return False
            self._apply(words, adjustments)
            return True

    async def close(self) -> None:
        self._shared.close()

    def _apply(self, words: memoryview, adjustments: Iterable[Adjustment]) -> None:
        now = self._clock()
        for change in adjustments:
            place = self._place(words, change, now)
            newest = words[place + _NEWEST]
            slot = newest if change.slot is None else min(change.slot, newest)
            if newest - slot < COUNTED:
                at = place + _USED + slot % COUNTED
                words[at] = max(0, min(words[at] + change.delta, _MOST))

    def _place(self, words: memoryview, charge: Charge | Adjustment, now: int) -> int:
        """Where the bucket's record begins, its slots brought up to now."""
        length = slot_length(charge.window, _SECOND)
        key = charge.bucket or 1
        first = _SETTLED_WORDS + (key % self._sets) * _WAYS * _RECORD
        for place in range(first, first + _WAYS * _RECORD, _RECORD):
            if words[place] == key and words[place + _LENGTH] == length:
                _advance(words, place, now // length)
                return place
        place = min(range(first, first + _WAYS * _RECORD, _RECORD), key=lambda place: _worth(words, place, now))
        words[place] = 0
        words[place + _USED : place + _RECORD] = _ZEROS
        words[place + _NEWEST] = now // length
        words[place + _LENGTH] = length
        words[place] = key
        return place


def _advance(words: memoryview, place: int, slot: int) -> None:
    """Forget what has left the window. A clock that went back makes all that was used count as used just now."""
    newest = words[place + _NEWEST]
    if slot == newest:
        return
    if slot < newest:
        used = sum(words[place + _USED : place + _RECORD])
        words[place + _USED : place + _RECORD] = _ZEROS
        words[place + _USED + slot % COUNTED] = min(used, _MOST)
    elif slot - newest >= COUNTED:
        words[place + _USED : place + _RECORD] = _ZEROS
    else:
        for passed in range(newest + 1, slot + 1):
            words[place + _USED + passed % COUNTED] = 0
    words[place + _NEWEST] = slot


def _level(words: memoryview, place: int, charge: Charge, now: int) -> Level:
    slots = words[place + _USED : place + _RECORD].tolist()
    used = sum(slots)
    newest, length = words[place + _NEWEST], words[place + _LENGTH]
    if used + charge.amount <= charge.limit:
        return Level(used, 0.0, ((newest + COUNTED) * length - now) / _SECOND, newest)
    freed = [
        ((slot + COUNTED) * length - now, count)
        for slot in range(newest - SLOTS, newest + 1)
        if (count := slots[slot % COUNTED])
    ]
    reset = freed[-1][0] / _SECOND if freed else 0.0
    if charge.amount > charge.limit:
        return Level(used, NEVER, reset, newest)
    left = accumulate((count for _, count in freed), lambda left, count: left - count, initial=used)
    wait = next(
        wait
        for (wait, _), kept in zip(freed, islice(left, 1, None), strict=True)
        if kept + charge.amount <= charge.limit
    )
    return Level(used, wait / _SECOND, reset, newest)


def _worth(words: memoryview, place: int, now: int) -> int:
    """How much a place is worth keeping: empty ones nothing, then those that have passed, then by age."""
    if not words[place]:
        return -2
    used_at = words[place + _NEWEST] * words[place + _LENGTH]
    return -1 if used_at + COUNTED * words[place + _LENGTH] <= now else used_at


def _first_time(words: memoryview, reservation: int) -> bool:
    """Remember a reservation for as long as the 8 places of its number last, thousands of others at least."""
    start = reservation % _SETTLED_SETS * _WAYS
    known = words[start : start + _WAYS].tolist()
    if reservation in known:
        return False
    words[start : start + _WAYS] = memoryview(array("Q", (reservation, *known[:-1])))
    return True
