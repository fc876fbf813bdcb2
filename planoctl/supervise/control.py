"""The other side of the supervisor: commands start it, wait for it, find it and stop it through this module."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from planoctl.config.deployment import Deployment
from planoctl.config.reloads import forget_record
from planoctl.port_check import process_tree
from planoctl.supervise.identity import ProcessIdentity, read_identity
from planoctl.supervise.inheritance import inherited
from planoctl.supervise.log import open_log
from planoctl.supervise.plan import Plan, PlanError, read_plan
from planoctl.supervise.state import Failure, State, read_state

_POLL_SECONDS = 0.1
_STOP_MARGIN_SECONDS = 45.0
"""On top of the draining: three ranks of children with ten seconds each, and some air."""
_AT_ONCE_SECONDS = 35.0


class StartError(Exception):
    """The supervisor gave up; `failure` says why, if it could still tell."""

    def __init__(self, failure: Failure | None, message: str) -> None:
        super().__init__(message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Running:
    """A supervisor that is alive, with its plan and its last report where they can be read."""

    identity: ProcessIdentity
    plan: Plan | None
    state: State | None

    def pids(self) -> frozenset[int]:
        """The supervisor and everything it started."""
        return process_tree(self.identity.pid)


def find_running(paths: Deployment) -> Running | None:
    """The supervisor of an instance, or None. A stale or corrupt pid file counts as none."""
    identity = read_identity(paths.pid_path)
    if identity is None or not identity.alive():
        return None
    state = read_state(paths.state_path)
    if state is not None and state.supervisor != identity.pid:
        state = None
    plan = None
    with contextlib.suppress(PlanError):
        plan = read_plan(paths.run_dir / "plan.json")
    return Running(identity, plan, state)


def start_detached(paths: Deployment) -> "subprocess.Popen[bytes]":
    """Start the supervisor of the plan in the run folder, in a session of its own."""
    with os.fdopen(open_log(paths.log_dir / "supervisor.log"), "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "planoctl.supervise", "--plan", str(paths.run_dir / "plan.json")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=paths.run_dir,
            env=inherited(os.environ),
            umask=0o077,
        )


def wait_until_ready(
    process: "subprocess.Popen[bytes]", paths: Deployment, *, seconds: float, report: Callable[[State], None]
) -> State:
    """Follow a starting supervisor until everything is ready; raises StartError with nothing left running.

    `report` gets each state that was read.
    """
    deadline = time.monotonic() + seconds
    while True:
        code = process.poll()
        state = read_state(paths.state_path)
        if state is not None and state.supervisor == process.pid:
            report(state)
            if state.ready:
                return state
            if state.failure is not None and code is not None:
                raise StartError(state.failure, f"{state.failure.child} {state.failure.reason}")
        if code is not None:
            kill_orphans(paths)
            raise StartError(None, f"the supervisor ended with exit code {code}")
        if time.monotonic() > deadline:
            stop_process(ProcessIdentity.of(process.pid), paths, drain_seconds=0, at_once=True)
            process.wait()
            raise StartError(None, f"nothing was ready after {seconds:g} s")
        time.sleep(_POLL_SECONDS)


def stop_process(
    identity: ProcessIdentity,
    paths: Deployment,
    *,
    drain_seconds: float,
    at_once: bool = False,
    report: Callable[[State], None] | None = None,
) -> bool:
    """Stop a supervisor and its children; False if it had gone already.

    Open requests get `drain_seconds` to finish, or none with `at_once`. A supervisor that does not end is killed.
    """
    if not identity.send(signal.SIGQUIT if at_once else signal.SIGTERM):
        return False
    if not at_once and not _gone(identity, paths, drain_seconds + _STOP_MARGIN_SECONDS, report):
        identity.send(signal.SIGQUIT)
    if not identity.wait_gone(_AT_ONCE_SECONDS):
        identity.send(signal.SIGKILL)
        identity.wait_gone(_AT_ONCE_SECONDS)
    kill_orphans(paths)
    return True


def kill_orphans(paths: Deployment) -> list[str]:
    """Kill children that a dead supervisor left behind; returns their names."""
    state = read_state(paths.state_path)
    killed = []
    for child in state.children if state is not None else ():
        if child.pid is None or child.pid_mark is None:
            continue
        identity = ProcessIdentity(pid=child.pid, started=child.pid_mark)
        if identity.send(signal.SIGKILL):
            identity.wait_gone(_AT_ONCE_SECONDS)
            killed.append(child.name)
    return killed


def remove_traces(paths: Deployment) -> None:
    """Remove what only a running instance needs: pid, state, keys, sockets. Plan, configuration and logs stay."""
    sockets = [paths.run_dir.glob("*.sock")]
    if paths.socket_dir is not None:
        sockets.append(paths.socket_dir.glob("*.sock"))
    shutil.rmtree(paths.run_dir / "applied", ignore_errors=True)
    forget_record(paths.run_dir)
    leftover = (paths.pid_path, paths.state_path, paths.secrets_path, paths.retired_path)
    for path in (*leftover, *(path for found in sockets for path in found)):
        Path(path).unlink(missing_ok=True)


def _gone(identity: ProcessIdentity, paths: Deployment, seconds: float, report: Callable[[State], None] | None) -> bool:
    deadline = time.monotonic() + seconds
    while not identity.wait_gone(_POLL_SECONDS):
        state = read_state(paths.state_path)
        if report is not None and state is not None:
            report(state)
        if time.monotonic() > deadline:
            return False
    return True
