"""A collector that goes on when the command has ended. Its pid file is in the state folder, one per port."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from planoctl.instance import state_home
from planoctl.log_tail import last_lines
from planoctl.private_files import private_folder
from planoctl.supervise.identity import ProcessIdentity, read_identity, write_identity
from planoctl.supervise.inheritance import inherited
from planoctl.supervise.log import open_log
from planoctl.traces.client import CollectorUnavailable, collector_status
from planoctl.traces.collector import Settings, written

_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LOG_LINES = 10


class NotStarted(Exception):
    """The collector ended before it listened, or took too long; `lines` are the last of its log."""

    def __init__(self, message: str, lines: list[str]) -> None:
        super().__init__(message)
        self.lines = lines


def folder() -> Path:
    """Where pid files and logs of collectors are."""
    return state_home(os.environ) / "run"


def pid_path(port: int) -> Path:
    return folder() / f"trace_listener_{port}.pid"


def command(settings: Settings) -> tuple[str, ...]:
    """How a collector is started as a process of its own."""
    http = "off" if settings.http_port is None else str(settings.http_port)
    return (
        *(sys.executable, "-P", "-m", "planoctl.traces"),
        *("--host", settings.host, "--port", str(settings.port), "--http-port", http),
        *(() if settings.keep is None else ("--keep", str(settings.keep))),
    )


def local_address(host: str, port: int) -> str:
    """Where this host reaches a collector that listens on `host`."""
    return written({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104 — compared, not bound


def start(settings: Settings, leash: int | None = None) -> ProcessIdentity:
    """Start a collector and return when it answers; raises NotStarted.

    `leash`: the reading end of a pipe; the collector ends when nobody has the writing end any more.
    """
    log = private_folder(folder()) / f"trace_listener_{settings.port}.log"
    offset = log.stat().st_size if log.exists() else 0
    with os.fdopen(open_log(log), "ab") as output:
        process = subprocess.Popen(
            [
                *command(settings),
                *("--pid-file", str(pid_path(settings.port))),
                *(() if leash is None else ("--until-stdin-closes",)),
            ],
            stdin=subprocess.DEVNULL if leash is None else leash,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=folder(),
            env=inherited(os.environ),
            umask=0o077,
        )
    try:
        return _answering(process, local_address(settings.host, settings.port))
    except NotStarted as error:
        error.lines = last_lines(log, _LOG_LINES, since=offset)
        raise


def _answering(process: "subprocess.Popen[bytes]", address: str) -> ProcessIdentity:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        with contextlib.suppress(CollectorUnavailable):
            if collector_status(address).pid == process.pid:
                return ProcessIdentity.of(process.pid)
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise NotStarted(f"it did not answer on {address} within {_START_SECONDS:g} s", [])
        time.sleep(_POLL_SECONDS)
    raise NotStarted(f"it ended with exit code {process.returncode}", [])


def collector_at(host: str, port: int) -> int | None:
    """The pid of the collector that listens there; None if there is none."""
    try:
        return collector_status(local_address(host, port)).pid
    except CollectorUnavailable:
        return None


def running() -> dict[int, ProcessIdentity]:
    """The collectors of this state folder, by port. Pid files of processes that have gone are removed."""
    found = {}
    for path in sorted(folder().glob("trace_listener_*.pid")):
        identity = read_identity(path)
        port = path.stem.rpartition("_")[2]
        if identity is not None and identity.alive() and port.isdecimal():
            found[int(port)] = identity
        else:
            path.unlink(missing_ok=True)
    return found


def stop(port: int, identity: ProcessIdentity) -> bool:
    """Stop a collector of this state folder; False if it had gone already."""
    stopped = identity.send(signal.SIGTERM)
    if stopped and not identity.wait_gone(_STOP_SECONDS):
        identity.send(signal.SIGKILL)
        identity.wait_gone(_STOP_SECONDS)
    pid_path(port).unlink(missing_ok=True)
    return stopped


@contextlib.contextmanager
def remembered(path: Path) -> Iterator[None]:
    """Keep a pid file of this process while the block lasts."""
    private_folder(path.parent)
    write_identity(ProcessIdentity.of(os.getpid()), path)
    try:
        yield
    finally:
        identity = read_identity(path)
        if identity is not None and identity.pid == os.getpid():
            path.unlink(missing_ok=True)
