import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.limits.local_store import LocalStore, boot_clock
from extproc.limits.quota import NEVER, Adjustment, Charge
from tests.unit.extproc.limits.conftest import SetClock

SPAWN = multiprocessing.get_context("spawn")


def charge(amount: int, *, limit: int = 100, window: int = 60, bucket: int = 7) -> Charge:
    return Charge(bucket, limit, window, amount)


def fits(store: LocalStore, *charges: Charge) -> bool:
    return store.reserve([charges]).chosen == 0


def test_a_quota_is_full_when_its_limit_is_used_and_free_again_a_window_later(clock: SetClock) -> None:
    store = LocalStore(clock=clock)
    assert fits(store, charge(60))
    assert fits(store, charge(40))
    assert not fits(store, charge(1))
    clock.pass_seconds(59)
    assert not fits(store, charge(1))
    clock.pass_seconds(2)
    assert fits(store, charge(100))


def test_a_refused_charge_is_told_when_it_fits_and_then_it_does(clock: SetClock) -> None:
    store = LocalStore(clock=clock)
    fits(store, charge(30))
    clock.pass_seconds(20)
    fits(store, charge(60))
    ((level,),) = store.reserve([[charge(30)]]).levels
    assert level.used == 90
    clock.pass_seconds(level.wait - 0.01)
    assert not fits(store, charge(30))
    clock.pass_seconds(0.01)
    assert fits(store, charge(30))


def test_what_is_larger_than_the_limit_never_fits(clock: SetClock) -> None:
    ((level,),) = LocalStore(clock=clock).reserve([[charge(101)]]).levels
    assert level.wait == NEVER


def test_several_charges_are_all_made_or_none(clock: SetClock) -> None:
    store = LocalStore(clock=clock)
    fits(store, charge(95, bucket=2))
    assert not fits(store, charge(10, bucket=1), charge(10, bucket=2))
    assert fits(store, charge(100, bucket=1))


def test_the_first_alternative_that_fits_is_charged_and_no_other(clock: SetClock) -> None:
    store = LocalStore(clock=clock)
    fits(store, charge(100, bucket=1))
    outcome = store.reserve([[charge(1, bucket=1)], [charge(10, bucket=2)], [charge(20, bucket=3)]])
    assert outcome.chosen == 1
    assert fits(store, charge(90, bucket=2))
    assert fits(store, charge(100, bucket=3))


def test_a_correction_gives_back_or_takes_more_in_the_slot_of_the_charge(clock: SetClock) -> None:
    store = LocalStore(clock=clock)
    ((level,),) = store.reserve([[charge(80)]]).levels
    clock.pass_seconds(30)
    assert store.settle(1, [Adjustment(7, 60, level.slot, -50)])
    assert fits(store, charge(70))
    store.adjust([Adjustment(7, 60, level.slot, 40)])
    clock.pass_seconds(32)
    assert fits(store, charge(30))


def test_a_correction_of_what_has_left_the_window_changes_nothing(clock: SetClock) -> None:
    store = LocalStore(clock=clock)
    ((level,),) = store.reserve([[charge(80)]]).levels
    clock.pass_seconds(120)
    fits(store, charge(100))
    store.adjust([Adjustment(7, 60, level.slot, -80)])
    assert not fits(store, charge(1))


def test_a_reservation_is_settled_once_whichever_worker_does_it(shared_path: Path, clock: SetClock) -> None:
    store, other = LocalStore(shared_path, clock=clock), LocalStore(shared_path, clock=clock)
    ((level,),) = store.reserve([[charge(80)]]).levels
    assert store.settle(99, [Adjustment(7, 60, level.slot, -10)])
    assert not other.settle(99, [Adjustment(7, 60, level.slot, -10)])
    assert not fits(other, charge(40))
    assert fits(other, charge(30))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 90), st.integers(1, 60), st.one_of(st.none(), st.integers(-60, 0))),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([1, 60, 3600]),
)
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[float, int, int | None]], window: int) -> None:
    clock = SetClock()
    store = LocalStore(buckets=8, clock=clock)
    used: list[list[int]] = []
    for number, (pause, amount, correction) in enumerate(steps):
        clock.pass_seconds(pause * window / 60)
        outcome = store.reserve([[charge(amount, window=window)]])
        ((level,),) = outcome.levels
        if outcome.chosen is not None:
            used.append([clock.now, amount])
            if correction is not None:
                change = max(correction, -amount)
                used[-1][1] += change
                store.settle(number + 1, [Adjustment(7, window, level.slot, change)])
    for start, _ in used:
        assert sum(amount for at, amount in used if start <= at < start + window * 10**9) <= 100


@given(st.lists(st.floats(-(10**7), 59), max_size=20))
def test_a_clock_that_jumps_back_neither_frees_quota_nor_keeps_it_longer_than_a_window(jumps: list[float]) -> None:
    clock = SetClock()
    store = LocalStore(buckets=8, clock=clock)
    forward = 0.0
    assert fits(store, charge(100))
    for jump in jumps:
        forward += max(0, jump)
        clock.pass_seconds(jump)
        assert not fits(store, charge(1)) or forward > 60
    clock.pass_seconds(62)
    assert fits(store, charge(1))


def test_a_clock_that_went_back_keeps_what_was_used(clock: SetClock) -> None:
    store = LocalStore(clock=clock)
    fits(store, charge(100))
    clock.pass_seconds(-86400 * 365)
    assert not fits(store, charge(1))
    clock.pass_seconds(62)
    assert fits(store, charge(100))


def test_more_quotas_than_there_is_room_for_push_out_those_unused_for_longest(clock: SetClock) -> None:
    store = LocalStore(buckets=8, clock=clock)
    for bucket in range(1, 9):
        fits(store, charge(100, bucket=bucket))
        clock.pass_seconds(1)
    fits(store, charge(100, bucket=9))
    assert all(not fits(store, charge(1, bucket=bucket)) for bucket in range(3, 10))
    assert fits(store, charge(100, bucket=1))


def test_quotas_whose_window_has_passed_make_room_first(clock: SetClock) -> None:
    store = LocalStore(buckets=8, clock=clock)
    for bucket in range(1, 8):
        fits(store, charge(100, bucket=bucket, window=3600))
    clock.pass_seconds(10)
    fits(store, charge(100, bucket=8, window=1))
    clock.pass_seconds(10)
    fits(store, charge(100, bucket=9))
    assert all(not fits(store, charge(1, bucket=bucket, window=3600)) for bucket in range(1, 8))


def test_quotas_survive_the_end_of_all_workers(shared_path: Path) -> None:
    fits(LocalStore(shared_path), charge(100, window=3600))
    assert not fits(LocalStore(shared_path), charge(1, window=3600))


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 100_000])
def test_a_file_that_is_damaged_is_replaced(shared_path: Path, damage: bytes) -> None:
    shared_path.write_bytes(damage)
    store = LocalStore(shared_path)
    assert fits(store, charge(100))
    assert not fits(LocalStore(shared_path), charge(1))
    assert shared_path.stat().st_mode & 0o077 == 0


def test_a_file_of_another_version_is_replaced_and_its_users_go_on(shared_path: Path) -> None:
    old = LocalStore(shared_path)
    with shared_path.open("r+b") as file:
        file.seek(8)
        file.write(b"\xff")
    assert fits(LocalStore(shared_path), charge(100))
    assert fits(old, charge(100))


def test_garbage_in_a_record_does_not_outlast_a_window(shared_path: Path, clock: SetClock) -> None:
    store = LocalStore(shared_path, buckets=8, clock=clock)
    fits(store, charge(1))
    with shared_path.open("r+b") as file:
        data = bytearray(file.read())
        start = data.rindex((7).to_bytes(8, "little"))
        data[start + 24 :] = b"\x3f" * len(data[start + 24 :])
        file.seek(0)
        file.write(data)
    clock.pass_seconds(200)
    assert fits(store, charge(100))


def _hammer(path: str, seed: int, together: Any, results: Any) -> None:
    """Reserve until 120 are had, and tell when and how much: (before, after, amount)."""
    store, chance, admitted = LocalStore(Path(path)), random.Random(seed), []
    together.wait()
    while sum(amount for _, _, amount in admitted) < 120:
        amount = chance.randrange(1, 30)
        before = boot_clock()
        if fits(store, charge(amount, window=1), charge(1, window=1, bucket=8, limit=1000)):
            admitted.append((before, boot_clock(), amount))
        else:
            time.sleep(0.002)
    results.put(admitted)


def test_processes_that_share_a_file_never_exceed_the_limit_together(shared_path: Path) -> None:
    results, together = SPAWN.Queue(), SPAWN.Barrier(3)
    arguments = [(str(shared_path), seed, together, results) for seed in range(3)]
    workers = [SPAWN.Process(target=_hammer, args=each, daemon=True) for each in arguments]
    for worker in workers:
        worker.start()
    admitted = [event for _ in workers for event in results.get(timeout=100)]
    for worker in workers:
        worker.join(10)
    for start, _, _ in admitted:
        certainly_within = [a for before, after, a in admitted if start <= before and after < start + 10**9]
        assert sum(certainly_within) <= 100


def _reserve_for_ever(path: str) -> None:
    store = LocalStore(Path(path))
    while True:
        store.reserve([[charge(1, limit=10**15), charge(1, limit=10**15, bucket=8)]])


def test_a_worker_killed_at_any_moment_leaves_a_store_that_works(shared_path: Path) -> None:
    worker = SPAWN.Process(target=_reserve_for_ever, args=(str(shared_path),))
    worker.start()
    store = LocalStore(shared_path)
    deadline = time.monotonic() + 30
    while not store.reserve([[charge(1, limit=10**15)]]).levels[0][0].used > 1000 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    (first, second), *_ = store.reserve([[charge(1, limit=10**15), charge(1, limit=10**15, bucket=8)]]).levels
    assert first.used > 1000
    assert second.used > 0
