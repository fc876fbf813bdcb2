import asyncio

import pytest

from planoctl.traces.feed import Feed, Watcher


async def taken(watcher: Watcher, largest: int = 10**9) -> tuple[list[bytes], int]:
    return await asyncio.wait_for(anext(watcher.batches(largest)), 10)


@pytest.mark.parametrize(("count", "size", "kept"), [(20_005, 1, 20_000), (40, 2**20, 32)], ids=["spans", "bytes"])
async def test_a_slow_watcher_loses_the_oldest_spans_and_is_told_how_many(count: int, size: int, kept: int) -> None:
    feed = Feed()
    with feed.watcher() as watcher:
        for number in range(count):
            feed.put(bytes([number % 251]) * size)
        spans, dropped = await taken(watcher)
    assert (len(spans), dropped) == (kept, count - kept)
    assert spans[-1][0] == (count - 1) % 251


async def test_batches_are_no_larger_than_asked_for_unless_a_span_is() -> None:
    with Feed().watcher([b"aa", b"bb", b"cccccc", b"d"]) as watcher:
        assert [(await taken(watcher, 4))[0] for _ in range(3)] == [[b"aa", b"bb"], [b"cccccc"], [b"d"]]


async def test_a_watcher_waits_when_there_is_nothing() -> None:
    feed = Feed()
    with feed.watcher([b"first"]) as watcher:
        batches = watcher.batches(100)
        assert await anext(batches) == ([b"first"], 0)
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        assert not waiting.done()
        feed.put(b"second")
        assert await asyncio.wait_for(waiting, 10) == ([b"second"], 0)


async def test_who_has_left_gets_nothing() -> None:
    feed = Feed()
    with feed.watcher() as watcher:
        pass
    feed.put(b"late")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watcher.batches(1)), 0.05)
