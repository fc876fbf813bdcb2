import pytest

from extproc.health import Health
from hermesllm.providers import PROVIDERS
from planoctl.config.registry import Candidate
from planoctl.config.runtime import Failover, ModelProvider

ORDER = ("a", "b", "c")


def candidate(name: str) -> Candidate:
    entry = ModelProvider(name=name, provider_interface="openai", model=name)
    return Candidate(entry, PROVIDERS["openai"], name)


CANDIDATES = [candidate(name) for name in ORDER]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def health(clock: Clock, *, failures: int = 1, cooldown: str = "10s") -> Health:
    return Health(Failover(failures=failures, cooldown=cooldown), clock)


def order(tested: Health) -> str:
    return "".join(found.name for found in tested.ordered(CANDIDATES))


def cools_for(tested: Health, clock: Clock) -> float:
    """Seconds that `a` stays in the last place, to a tenth; moves the clock on to then."""
    began = clock.now
    while order(tested).endswith("a"):
        clock.now += 0.5
        assert clock.now - began < 10_000
    return clock.now - began


def test_a_candidate_is_tried_last_from_the_configured_number_of_failures_on() -> None:
    tested = health(Clock(), failures=3)
    for expected in ("abc", "abc", "bca"):
        tested.failed("a")
        assert order(tested) == expected


def test_success_in_between_begins_the_count_anew() -> None:
    tested = health(Clock(), failures=2)
    for _ in range(3):
        tested.failed("a")
        tested.succeeded("a")
    tested.failed("a")
    assert order(tested) == "abc"


def test_candidates_that_cool_down_and_the_others_keep_their_order() -> None:
    tested = health(Clock())
    for name in ("b", "a"):
        tested.failed(name)
    assert order(tested) == "cab"
    tested.failed("c")
    assert order(tested) == "abc"


def test_the_place_is_given_back_after_the_cool_down_and_at_once_after_success() -> None:
    clock = Clock()
    tested = health(clock)
    tested.failed("a")
    clock.now += 9.9
    assert order(tested) == "bca"
    clock.now += 0.1
    assert order(tested) == "abc"
    tested.failed("a")
    assert order(tested) == "bca"
    tested.succeeded("a")
    assert order(tested) == "abc"


def test_each_further_failure_doubles_the_cool_down_up_to_sixteen_times() -> None:
    clock = Clock()
    tested = health(clock, failures=2)
    tested.failed("a")
    found = []
    for _ in range(7):
        tested.failed("a")
        found.append(cools_for(tested, clock))
    assert found == [10, 20, 40, 80, 160, 160, 160]


def test_after_success_the_cool_down_is_the_short_one_again() -> None:
    clock = Clock()
    tested = health(clock)
    for _ in range(4):
        tested.failed("a")
    tested.succeeded("a")
    tested.failed("a")
    assert cools_for(tested, clock) == 10


@pytest.mark.parametrize(("cooldown", "seconds"), [("0.5s", 0.5), ("60s", 60)])
def test_the_cool_down_is_a_duration_in_seconds(cooldown: str, seconds: float) -> None:
    clock = Clock()
    tested = health(clock, cooldown=cooldown)
    tested.failed("a")
    assert cools_for(tested, clock) == seconds


def test_what_was_observed_outlives_a_new_configuration_which_counts_from_then_on() -> None:
    tested = health(Clock(), failures=5)
    tested.failed("a")
    tested.failed("a")
    tested.configure(Failover(failures=3, cooldown="10s"))
    assert order(tested) == "abc"
    tested.failed("a")
    assert order(tested) == "bca"


def test_names_that_clients_make_up_push_out_the_longest_unheard_of_and_never_pile_up() -> None:
    tested = health(Clock())
    for name in ORDER:
        tested.failed(name)
    for number in range(999):
        tested.failed(f"openai/{number}")
        tested.failed("c")
    assert order(tested) == "abc"
    assert len(tested._records) == 1000
    tested.failed("a")
    assert order(tested) == "bac"
