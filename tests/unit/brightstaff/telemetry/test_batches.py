from brightstaff.telemetry.batches import Batches


def test_a_batch_that_arrives_twice_is_new_once_and_so_is_one_that_arrives_late() -> None:
    batches = Batches()
    assert [batches.is_new(7, number) for number in (1, 1, 2, 1, 2, 3)] == [True, False, True, False, False, True]


def test_processes_and_batches_without_a_number_are_counted_apart() -> None:
    batches = Batches()
    assert [batches.is_new(process, 1) for process in (7, 8, 7)] == [True, True, False]
    assert [batches.is_new(0, 0) for _ in range(2)] == [True, True]


def test_of_processes_long_gone_nothing_is_kept() -> None:
    batches = Batches()
    for process in range(1000):
        assert batches.is_new(process, 1)
    assert not batches.is_new(999, 1)
    assert len(batches._numbers) <= 256
