import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from planoctl.supervise.identity import ProcessIdentity, read_identity, start_mark, write_identity


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_a_running_process_is_recognised_until_it_ends(sleeper: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(sleeper.pid)
    assert identity.alive()
    assert identity.send(signal.SIGTERM)
    assert identity.wait_gone(5)
    assert not identity.alive()
    assert not identity.send(signal.SIGTERM)


def test_a_process_that_has_ended_but_was_not_collected_counts_as_gone(sleeper: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    assert identity.wait_gone(5)


@pytest.mark.parametrize(
    "other", [{"started": "1"}, {"command": ("planoctl", "up")}], ids=["another start time", "another command"]
)
def test_a_stranger_with_the_same_pid_is_not_signalled(
    other: dict[str, object], sleeper: subprocess.Popen[bytes]
) -> None:
    real = ProcessIdentity.of(sleeper.pid)
    recorded = ProcessIdentity(**{"pid": real.pid, "started": real.started, "command": real.command, **other})  # type: ignore[arg-type]
    assert not recorded.alive()
    assert not recorded.send(signal.SIGKILL)
    assert real.alive()


def test_waiting_for_a_process_that_stays_has_an_end() -> None:
    assert not ProcessIdentity.of(os.getpid()).wait_gone(0.1)


def test_an_unknown_pid_has_no_mark(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    assert start_mark(sleeper.pid) is None
    with pytest.raises(psutil.NoSuchProcess):
        ProcessIdentity.of(sleeper.pid)


def test_a_pid_file_gives_back_what_was_written(tmp_path: Path) -> None:
    identity = ProcessIdentity.of(os.getpid())
    write_identity(identity, tmp_path / "plano.pid")
    assert read_identity(tmp_path / "plano.pid") == identity


@pytest.mark.parametrize("text", ["", "123", "{", '{"envoy_pid": 1, "brightstaff_pid": 2}', '{"pid": "x"}', "\x00"])
def test_a_corrupt_pid_file_names_no_process(text: str, tmp_path: Path) -> None:
    (tmp_path / "plano.pid").write_text(text)
    assert read_identity(tmp_path / "plano.pid") is None
    assert read_identity(tmp_path / "absent.pid") is None
