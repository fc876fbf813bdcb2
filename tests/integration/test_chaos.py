"""A small round of `make chaos`: each kind of process is killed once under load."""

from pathlib import Path

import pytest

from tests.faults.chaos import chaos

pytestmark = pytest.mark.envoy


async def test_only_requests_in_flight_on_a_killed_process_fail_and_nothing_is_left_after_down(tmp_path: Path) -> None:
    report = await chaos(tmp_path, kills=3, clients=12, pause=3)
    report.check()
    assert [kill.victim for kill in report.kills] == ["extproc-0", "envoy", "brightstaff"]
    assert report.kills[1].failures
