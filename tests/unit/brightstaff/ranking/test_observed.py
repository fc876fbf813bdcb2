"""Latencies that the gateway measured itself."""

import math

import pytest

from brightstaff.ranking import ObservedLatency


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def observed(clock: _Clock) -> ObservedLatency:
    return ObservedLatency(clock)


def test_a_model_that_was_not_seen_has_no_value(observed: ObservedLatency) -> None:
    assert observed.value("a") is None
    observed.due(["a"])
    assert observed.value("a") is None


def test_observations_of_one_moment_count_alike(observed: ObservedLatency) -> None:
    for seconds in (1.0, 2.0, 3.0):
        observed.record("a", seconds, kind="stream")
    assert observed.value("a") == pytest.approx(2.0)


def test_an_observation_counts_half_after_five_minutes(observed: ObservedLatency, clock: _Clock) -> None:
    observed.record("a", 4.0, kind="stream")
    clock.now += 300
    observed.record("a", 1.0, kind="stream")
    assert observed.value("a") == pytest.approx((4.0 * 0.5 + 1.0) / 1.5)


def test_what_is_old_is_soon_outweighed(observed: ObservedLatency, clock: _Clock) -> None:
    for _ in range(100):
        observed.record("a", 10.0, kind="stream")
    clock.now += 3600
    observed.record("a", 1.0, kind="stream")
    assert observed.value("a") == pytest.approx(1.0, rel=0.3)


def test_the_first_byte_of_streams_goes_before_whole_answers(observed: ObservedLatency) -> None:
    observed.record("a", 9.0, kind="whole")
    assert observed.value("a") == 9.0
    observed.record("a", 0.5, kind="stream")
    assert observed.value("a") == 0.5


@pytest.mark.parametrize("nonsense", [-1.0, math.nan, math.inf])
def test_what_is_no_duration_is_ignored(observed: ObservedLatency, nonsense: float) -> None:
    observed.record("a", nonsense, kind="whole")
    assert observed.value("a") is None


def test_a_thousand_models_are_known_the_latest_ones(observed: ObservedLatency) -> None:
    observed.record("kept", 1.0, kind="stream")
    for number in range(1000):
        if number == 500:
            observed.record("kept", 1.0, kind="stream")
        observed.record(f"m{number}", 1.0, kind="stream")
    assert observed.value("kept") == 1.0
    assert observed.value("m0") is None
    assert observed.value("m999") == 1.0


def test_each_unknown_model_is_due_once(observed: ObservedLatency) -> None:
    models = ["a", "b", "c"]
    assert [observed.due(models) for _ in range(5)] == ["a", "b", "c", None, None]


def test_a_model_that_was_seen_is_due_again_when_that_is_long_ago(observed: ObservedLatency, clock: _Clock) -> None:
    observed.record("a", 1.0, kind="stream")
    assert observed.due(["a"]) is None
    clock.now += 299
    assert observed.due(["a"]) is None
    clock.now += 1
    assert observed.due(["a"]) == "a"


def test_a_model_that_was_tried_in_vain_is_due_again_after_half_a_minute(
    observed: ObservedLatency, clock: _Clock
) -> None:
    assert observed.due(["a"]) == "a"
    clock.now += 29
    assert observed.due(["a"]) is None
    clock.now += 1
    assert observed.due(["a"]) == "a"
