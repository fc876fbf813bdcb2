"""Which process a pid file means. A pid alone may belong to a stranger by the time somebody signals it."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import msgspec
import psutil

from planoctl.private_files import write_private

_POLL_SECONDS = 0.05


def start_mark(pid: int) -> str | None:
    """A text that differs between two processes that had the same pid; None if there is no such process.

    Linux counts ticks since boot, which no change of the wall clock moves.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    else:  # noqa: RET505 — mypy skips the branch of the other platform only in this form
        with contextlib.suppress(psutil.Error):
            return f"{psutil.Process(pid).create_time():.2f}"
        return None


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process: its pid, when it started and how it was called."""

    pid: int
    started: str
    command: tuple[str, ...] = ()

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """The identity of a running process; raises psutil.NoSuchProcess."""
        mark = start_mark(pid)
        if mark is None:
            raise psutil.NoSuchProcess(pid)
        return cls(pid=pid, started=mark, command=tuple(psutil.Process(pid).cmdline()))

    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        if start_mark(self.pid) != self.started:
            return False
        if not self.command:
            return True
        try:
            return tuple(psutil.Process(self.pid).cmdline()) == self.command
        except psutil.AccessDenied:
            return True
        except psutil.Error:
            return False

    def send(self, number: signal.Signals) -> bool:
        """Signal the process if it still is the same; False if it is gone."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait_gone(self, seconds: float) -> bool:
        """Wait until the process has ended; False if it has not within `seconds`."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def write_identity(identity: ProcessIdentity, path: Path) -> None:
    write_private(path, msgspec.json.encode(identity).decode())


def read_identity(path: Path) -> ProcessIdentity | None:
    """The process named by a pid file, running or not; None if the file is missing or corrupt."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProcessIdentity)
    except (OSError, msgspec.DecodeError):
        return None
