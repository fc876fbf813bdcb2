import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from extproc.limits.quota import NEVER, Adjustment, Charge, StoreUnavailable
from extproc.limits.redis_store import RedisStore
from tests.redis_server import RedisServer

PATIENT = 20.0
_buckets = iter(range(random.getrandbits(40), 2**63))


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    opened = RedisStore(redis_server.url, patience=PATIENT)
    yield opened
    await opened.close()


@pytest.fixture
def bucket() -> int:
    return next(_buckets)


async def fits(store: RedisStore, *charges: Charge) -> bool:
    return (await store.reserve([charges])).chosen == 0


async def adjusted(store: RedisStore, *changes: Adjustment) -> None:
    store.adjust(changes)
    await asyncio.gather(*store._adjusting)


async def test_a_quota_is_full_when_its_limit_is_used_and_comes_back(store: RedisStore, bucket: int) -> None:
    assert await fits(store, Charge(bucket, 100, 1, 100))
    ((level,),) = (await store.reserve([[Charge(bucket, 100, 1, 1)]])).levels
    assert level.used == 100
    assert 0 < level.wait <= 1.1
    await asyncio.sleep(level.wait + 0.02)
    assert await fits(store, Charge(bucket, 100, 1, 100))


async def test_what_is_larger_than_the_limit_never_fits(store: RedisStore, bucket: int) -> None:
    ((level,),) = (await store.reserve([[Charge(bucket, 100, 60, 101)]])).levels
    assert level.wait == NEVER


async def test_several_charges_are_all_made_or_none_and_the_first_that_fits_is_made(
    store: RedisStore, bucket: int
) -> None:
    second, third = next(_buckets), next(_buckets)
    assert await fits(store, Charge(second, 100, 60, 95))
    outcome = await store.reserve(
        [
            [Charge(bucket, 100, 60, 10), Charge(second, 100, 60, 10)],
            [],
            [Charge(third, 100, 60, 10), Charge(second, 100, 60, 10)],
        ]
    )
    assert outcome.chosen == 1
    assert [[bool(level.wait) for level in each] for each in outcome.levels] == [[False, True], [], [False, True]]
    assert await fits(store, Charge(bucket, 100, 60, 100))
    assert await fits(store, Charge(third, 100, 60, 100))


async def test_a_correction_gives_back_or_takes_more_but_never_less_than_nothing(
    store: RedisStore, bucket: int
) -> None:
    ((level,),) = (await store.reserve([[Charge(bucket, 100, 3600, 80)]])).levels
    await adjusted(store, Adjustment(bucket, 3600, level.slot, -50))
    assert await fits(store, Charge(bucket, 100, 3600, 70))
    await adjusted(store, Adjustment(bucket, 3600, level.slot, -500))
    await adjusted(store, Adjustment(bucket, 3600, None, 40))
    ((level,),) = (await store.reserve([[Charge(bucket, 100, 3600, 100)]])).levels
    assert 40 <= level.used <= 110


async def test_what_is_kept_goes_away_by_itself(store: RedisStore, bucket: int) -> None:
    await fits(store, Charge(bucket, 100, 60, 1))
    left = await store._redis.pttl(f"{{plano:limits}}:{bucket:016x}")
    assert 60_000 <= left <= 63_000


async def test_a_clock_of_redis_that_went_back_keeps_no_quota_for_ever(store: RedisStore, bucket: int) -> None:
    key = f"{{plano:limits}}:{bucket:016x}"
    await store._redis.hset(key, str(int(time.time()) * 60 * 10), "100")
    assert not await fits(store, Charge(bucket, 100, 1, 1))
    await asyncio.sleep(1.1)
    assert await fits(store, Charge(bucket, 100, 1, 100))


async def test_gateways_that_share_a_redis_never_exceed_the_limit_together(
    redis_server: RedisServer, bucket: int
) -> None:
    stores = [RedisStore(redis_server.url, patience=PATIENT) for _ in range(2)]
    admitted: list[tuple[float, float, int]] = []

    async def ask(store: RedisStore, seed: int) -> None:
        chance = random.Random(seed)
        while sum(amount for *_, amount in admitted) < 250:
            amount, before = chance.randrange(1, 30), time.monotonic()
            if await fits(store, Charge(bucket, 100, 1, amount)):
                admitted.append((before, time.monotonic(), amount))

    await asyncio.gather(*(ask(store, seed) for seed, store in enumerate(stores * 3)))
    for start, _, _ in admitted:
        assert sum(amount for before, after, amount in admitted if start <= before and after < start + 1) <= 100
    await asyncio.gather(*(store.close() for store in stores))


async def test_without_redis_the_answer_is_quick_and_it_comes_back_by_itself(
    tmp_path: Path, bucket: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path)
    server.start()
    store = RedisStore(server.url, patience=PATIENT)
    try:
        assert await fits(store, Charge(bucket, 100, 60, 1))
        server.stop()
        with caplog.at_level(logging.WARNING), pytest.raises(StoreUnavailable):
            await store.reserve([[Charge(bucket, 100, 60, 1)]])
        assert "rate limit store" in caplog.text
        with pytest.raises(StoreUnavailable):
            await store.reserve([[Charge(bucket, 100, 60, 1)]])
        store.adjust([Adjustment(bucket, 60, None, 1)])
        assert store.failures == 3
        server.start()
        assert await _back(store, bucket)
    finally:
        await store.close()
        server.stop()


async def test_a_redis_that_answers_nothing_holds_nobody_up(tmp_path: Path, bucket: int) -> None:
    with RedisServer(tmp_path) as server:
        store = RedisStore(server.url, patience=1)
        assert await _back(store, bucket)
        server.freeze()
        before = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.reserve([[Charge(bucket, 100, 60, 1)]])
        assert time.monotonic() - before < 10
        server.thaw()
        assert await _back(store, bucket)
        await store.close()


async def _back(store: RedisStore, bucket: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return await fits(store, Charge(bucket, 100, 60, 1))
        except StoreUnavailable:
            await asyncio.sleep(0.1)
    return False


def test_a_url_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(ValueError, match=r"rate_limit_store\.url") as caught:
        RedisStore("redis://user:secret@host:6379/0?no_such_option=1")
    assert "secret" not in str(caught.value)
