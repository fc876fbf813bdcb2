"""Collectors in the background: one that a console started ends with it, one that a user started goes on."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from planoctl.port_check import free_port

_CONSOLE = """
import sys, time
from planoctl.obs.collector import running_collector
with running_collector("127.0.0.1", int(sys.argv[1])):
    print("started", flush=True)
    time.sleep(600)
"""
_USER = """
import sys
from planoctl.traces.background import start
from planoctl.traces.collector import Settings
start(Settings("127.0.0.1", int(sys.argv[1]), None))
print("started", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def started(program: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A program that has started a collector, and that collector."""
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(free_port())],
        env={**os.environ, "PLANO_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = []
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"
        found = psutil.Process(owner.pid).children()
        (collector,) = found
        yield owner, collector
    finally:
        for process in (owner, *found):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        owner.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_collector_ends_with_the_console_that_started_it_even_if_that_is_killed(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(_CONSOLE, tmp_path) as (owner, collector):
        owner.send_signal(number)
        owner.wait(20)
        collector.wait(20)
        assert not list(tmp_path.rglob("*.pid"))


def test_a_collector_that_a_user_started_outlives_the_command(tmp_path: Path) -> None:
    with started(_USER, tmp_path) as (owner, collector):
        owner.kill()
        owner.wait(20)
        with pytest.raises(psutil.TimeoutExpired):
            collector.wait(1.5)
