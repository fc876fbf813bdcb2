import pytest

from planoctl.supervise.child import Backoff, describe_exit


def test_the_first_restart_is_immediate_and_the_pauses_grow_to_ten_seconds() -> None:
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(9)] == [0, 0.25, 0.5, 1, 2, 4, 8, 10, 10]


def test_a_long_life_resets_the_pauses() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(1)
    assert backoff.after(30) == 0
    assert backoff.after(1) == 0.25


@pytest.mark.parametrize("life", [0.0, 0.5, 3.9, 4.0, 5.0])
def test_however_long_a_process_lives_its_restarts_are_bounded(life: float) -> None:
    """In the ten minutes after the first minute, when the pauses have grown."""
    backoff, now, starts = Backoff(), 0.0, 0
    while now < 660:
        now += life + backoff.after(life)
        starts += now > 60
    assert starts <= 151


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "ended with exit code 0"),
        (127, "ended with exit code 127"),
        (-9, "was ended by SIGKILL"),
        (-200, "was ended by signal 200"),
    ],
)
def test_an_exit_is_described(code: int, text: str) -> None:
    assert describe_exit(code) == text
