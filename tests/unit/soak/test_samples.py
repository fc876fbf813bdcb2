"""The verdict of the soak: what grows is found, what only moves is not."""

import subprocess
import sys

import psutil
import pytest

from tests.soak.samples import Sample, Watch, trend

MB = 1_000_000


def samples(memory: list[int], files: int = 20) -> list[Sample]:
    return [Sample(5.0 * number, each * MB, each * MB, files) for number, each in enumerate(memory)]


def faults(memory: list[int], *, resting: int = 10) -> list[str]:
    rest = Sample(999, memory[-1] * MB, memory[-1] * MB, resting)
    return trend("envoy", samples(memory), rest).faults


def test_what_grows_after_its_warm_up_is_found() -> None:
    assert faults([80, 90, 100, 104, 106, 108, 112, 116, 120]) == [
        "envoy: resident memory grew from 104.0 to 112.0 MB",
        "envoy: own memory grew from 104.0 to 112.0 MB",
    ]


@pytest.mark.parametrize(
    "memory",
    [
        [50, 80, 100, 101, 99, 100, 104, 100, 98],
        [20, 20, 20, 20, 20, 20, 21, 21, 21],
        [28, 40, 28, 28, 33, 28, 60, 28, 50],
    ],
)
def test_warm_up_small_steps_and_large_bodies_in_flight_are_no_growth(memory: list[int]) -> None:
    assert faults(memory) == []


def test_files_that_stay_open_without_clients_are_found() -> None:
    assert faults([100] * 9, resting=21) == ["envoy: 21 open files at rest, 20 under load"]


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="say nothing"):
        trend("envoy", samples([1, 2]), Sample(0, 0, 0, 0))


def test_a_process_is_sampled_and_missed_when_it_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch = Watch({"it": psutil.Process(process.pid)})
        watch.sample()
        process.kill()
    watch.sample()
    assert watch.samples["it"][0].rss > 0
    assert watch.gone == ["it"]
