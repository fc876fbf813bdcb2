"""What the supervisor reports: written by it at each change, read by `up` while it waits and by `status`."""

import time
from pathlib import Path
from typing import Literal

import msgspec

from planoctl.private_files import write_private

Phase = Literal["starting", "running", "stopping", "stopped", "failed"]
ChildPhase = Literal["waiting", "starting", "ready", "backoff", "stopping", "stopped"]


class ChildState(msgspec.Struct, kw_only=True):
    """One child. `since` is the Unix time of the last change of `phase`."""

    name: str
    component: str
    log: str
    phase: ChildPhase = "waiting"
    pid: int | None = None
    pid_mark: str | None = None
    """Start mark of `pid` (see identity.start_mark), so that an orphan is told from a stranger."""
    restarts: int = 0
    last_exit: str | None = None
    waiting_for: str | None = None
    since: float = msgspec.field(default_factory=time.time)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a start failed: the child, what happened to it, and its log from byte `log_offset` on."""

    child: str
    reason: str
    log: str
    log_offset: int = 0


class State(msgspec.Struct, kw_only=True):
    """The whole instance. `ready` is true while every child is ready."""

    supervisor: int
    phase: Phase = "starting"
    ready: bool = False
    since: float = msgspec.field(default_factory=time.time)
    failure: Failure | None = None
    children: list[ChildState] = []


def write_state(state: State, path: Path) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(state), indent=2).decode())


def read_state(path: Path) -> State | None:
    """The last report, or None if there is none or it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None
