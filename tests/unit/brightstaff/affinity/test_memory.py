"""Affinities in memory."""

import pytest

from brightstaff.affinity import Affinity, MemoryStore, open_store
from planoctl.config.runtime import Routing

_CODE = Affinity(("openai/gpt-4o", "openai/gpt-4o-mini"), "code")
_OTHER = Affinity(("anthropic/claude-haiku-4-5",))


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def _store(clock: _Clock, *, ttl: float = 600, capacity: int = 10) -> tuple[MemoryStore, list[str]]:
    events: list[str] = []
    return MemoryStore(events.append, ttl=ttl, capacity=capacity, clock=clock), events


async def test_an_unknown_session_is_a_miss(clock: _Clock) -> None:
    store, events = _store(clock)
    assert await store.get("s1") is None
    assert events == ["miss"]


async def test_what_was_stored_is_found(clock: _Clock) -> None:
    store, events = _store(clock)
    await store.put("s1", _CODE)
    assert await store.get("s1") == _CODE
    assert events == ["store", "hit"]


async def test_an_entry_lives_until_its_time_is_over(clock: _Clock) -> None:
    store, _ = _store(clock, ttl=60)
    await store.put("s1", _CODE)
    clock.now = 59.9
    assert await store.get("s1") == _CODE
    clock.now = 60
    assert await store.get("s1") is None
    assert len(store) == 0


async def test_a_time_of_zero_never_hits(clock: _Clock) -> None:
    store, _ = _store(clock, ttl=0)
    await store.put("s1", _CODE)
    assert await store.get("s1") is None


async def test_a_store_prolongs_an_entry_and_a_look_up_does_not(clock: _Clock) -> None:
    store, _ = _store(clock, ttl=60)
    await store.put("read", _CODE)
    await store.put("written", _CODE)
    clock.now = 40
    await store.get("read")
    await store.put("written", _OTHER)
    clock.now = 70
    assert await store.get("read") is None
    assert await store.get("written") == _OTHER


async def test_the_oldest_entry_makes_room(clock: _Clock) -> None:
    store, _ = _store(clock, capacity=2)
    for key in ("s1", "s2", "s3"):
        await store.put(key, _CODE)
    assert [await store.get(key) for key in ("s1", "s2", "s3")] == [None, _CODE, _CODE]


async def test_a_look_up_keeps_an_entry_from_making_room(clock: _Clock) -> None:
    store, _ = _store(clock, capacity=2)
    await store.put("s1", _CODE)
    await store.put("s2", _CODE)
    await store.get("s1")
    await store.put("s3", _CODE)
    assert [await store.get(key) for key in ("s1", "s2", "s3")] == [_CODE, None, _CODE]


async def test_an_update_drops_nothing(clock: _Clock) -> None:
    store, _ = _store(clock, capacity=2)
    await store.put("s1", _CODE)
    await store.put("s2", _CODE)
    await store.put("s1", _OTHER)
    assert [await store.get(key) for key in ("s1", "s2")] == [_OTHER, _CODE]


async def test_expired_entries_are_swept_though_nobody_asks_for_them(clock: _Clock) -> None:
    store, _ = _store(clock, ttl=60)
    await store.put("s1", _CODE)
    await store.put("s2", _CODE)
    clock.now = 301
    await store.put("s3", _CODE)
    assert len(store) == 1


@pytest.mark.parametrize("capacity", [0, 10_000, 50_000])
async def test_memory_is_bounded_whatever_is_asked_for(clock: _Clock, capacity: int) -> None:
    store, _ = _store(clock, capacity=capacity)
    for number in range(10_050):
        await store.put(str(number), _CODE)
    assert len(store) == 10_000


async def test_a_configuration_without_a_cache_means_memory() -> None:
    store = open_store(Routing(session_ttl_seconds=5, session_max_entries=1), lambda _: None)
    await store.put("s1", _CODE)
    await store.put("s2", _CODE)
    assert [await store.get("s1"), await store.get("s2")] == [None, _CODE]
    assert await store.ready()
    await store.close()
