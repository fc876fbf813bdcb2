"""The plan: everything the supervisor needs to know, as one JSON document without secrets.

Written by `planoctl up`, read by `python -m planoctl.supervise` and, for its `request`, by `planoctl restart`.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec

from planoctl.config.deployment import Deployment
from planoctl.private_files import write_private

DRAIN_SECONDS = 30.0
"""How long open requests may take to finish when an instance stops, if the user names no other time."""

Component = Literal["extproc", "brightstaff", "envoy", "mock-provider", "trace-collector"]


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """How a child shows that it lives: `http` wants a 200, `file` that it has written something, the others a
    connection, `greeting` also a first byte.
    """

    kind: Literal["http", "socket", "greeting", "port", "file"]
    target: str
    """A URL, a path, of a Unix socket except for `file`, or `host:port`."""
    only_at_start: bool = False
    """It is no sign of death if this one fails later: a gateway that is full refuses its supervisor like anybody."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A process to keep alive. Lower stages start first; within a stage children start together.

    `stop_rank`: higher ranks stop first, equal ranks together.
    """

    name: str
    component: Component
    argv: tuple[str, ...]
    log: str
    start_stage: int = 0
    stop_rank: int = 0
    probes: tuple[Probe, ...] = ()
    stale_files: tuple[str, ...] = ()
    """Files that a killed predecessor may have left (sockets): removed before each start."""
    environment: dict[str, str] = {}
    env_file: str | None = None
    """A `.env` file; of its values the process gets those of `env_file_names` that the environment does not have."""
    env_file_names: tuple[str, ...] = ()
    drain_admin: str | None = None
    """Base URL of the child's Envoy admin interface, if it must finish its requests before it stops."""
    stop_seconds: float = 10.0
    """How long it may take between SIGTERM and SIGKILL."""


class ListenerView(msgspec.Struct, frozen=True, kw_only=True):
    """A public listener, for `planoctl status`."""

    name: str
    type: str
    url: str


class StartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for, so that `planoctl restart` can ask again. All paths are absolute."""

    config: str | None = None
    env_file: str | None = None
    folder: str = "."
    workers: int | None = None
    concurrency: int | None = None
    listener_port: int = 12000
    envoy_path: str | None = None
    log_level: str = "info"
    drain_seconds: float = DRAIN_SECONDS
    demo: bool = False
    watch: bool = False
    tracing_port: int | None = None
    """Where a trace collector on this host listens; None to leave tracing to the configuration."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One instance. `ports`: the TCP ports it occupies. `hidden_environment`: variables children must not inherit."""

    instance: str
    run_dir: str
    children: tuple[Child, ...]
    listeners: tuple[ListenerView, ...] = ()
    ports: tuple[int, ...] = ()
    hidden_environment: tuple[str, ...] = ()
    ready_seconds: float = 60.0
    drain_seconds: float = DRAIN_SECONDS
    envoy_version: str = ""
    config: str = ""
    read_files: tuple[str, ...] = ()
    """Files that `config` names and whose content is part of what was rendered."""
    request: StartRequest = StartRequest()
    deployment: Deployment | None = None

    @property
    def folder(self) -> Path:
        return Path(self.run_dir)

    @property
    def log_dir(self) -> Path:
        return self.folder / "logs"


class PlanError(Exception):
    """The plan file is missing or not a plan."""


def write_plan(plan: Plan, path: Path) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(plan, enc_hook=str), indent=2).decode())


def read_plan(path: Path) -> Plan:
    """The plan at `path`; raises PlanError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan, dec_hook=_decoded)
    except (OSError, msgspec.DecodeError) as error:
        raise PlanError(f"{path}: {error}") from error


def _decoded(kind: type, value: Any) -> Any:
    """What JSON has no type for; msgspec asks."""
    if kind is Path:
        return Path(value)
    raise NotImplementedError
