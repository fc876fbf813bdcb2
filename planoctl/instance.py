"""Where the state of an instance is on this host. Several instances run side by side under different names."""

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from planoctl.config.deployment import Deployment, InternalPorts
from planoctl.private_files import private_folder

DEFAULT_NAME = "default"
MAX_SOCKET_PATH_BYTES = 103
"""What fits into `sockaddr_un` on every supported system (Linux 107, macOS 103)."""

_LOCK_POLL_SECONDS = 0.05
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class InstanceNameError(ValueError):
    """A name that cannot be a folder name."""


class InstanceBusyError(Exception):
    """Another planoctl command is starting or stopping the same instance."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its name and its folder. Nothing is created before `create`."""

    name: str
    folder: Path

    @classmethod
    def named(cls, name: str | None, environment: Mapping[str, str]) -> "Instance":
        """The instance called `name`, or the default one; raises InstanceNameError."""
        home = state_home(environment)
        if name is None or name == DEFAULT_NAME:
            return cls(DEFAULT_NAME, home)
        if not _NAME.fullmatch(name):
            raise InstanceNameError(f"{name!r} is no instance name: use up to 40 of a-z, 0-9 and '-'")
        return cls(name, home / "instances" / name)

    @classmethod
    def known(cls, environment: Mapping[str, str]) -> "list[Instance]":
        """Every instance that has a folder on this host, the default one first; whether it runs or not."""
        home = state_home(environment)
        names = sorted(folder.name for folder in home.glob("instances/*") if _NAME.fullmatch(folder.name))
        return [cls.named(name, environment) for name in (DEFAULT_NAME, *names)]

    @property
    def is_default(self) -> bool:
        return self.name == DEFAULT_NAME

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    @property
    def plan_path(self) -> Path:
        return self.run_dir / "plan.json"

    @property
    def default_config_path(self) -> Path:
        """The document written when there is no configuration file."""
        return self.folder / "default_config.yaml"

    @property
    def paths(self) -> Deployment:
        """The file names of the instance; its ports and numbers are meaningless."""
        return Deployment(run_dir=self.run_dir)

    def deployment(self, *, workers: int, concurrency: int, ports: InternalPorts, log_level: str) -> Deployment:
        """The complete deployment, with a short folder for the sockets if the usual one is too deep."""
        deployment = Deployment(
            run_dir=self.run_dir, workers=workers, concurrency=concurrency, ports=ports, log_level=log_level
        )
        longest = max(deployment.worker_socket(workers), deployment.brightstaff_socket, key=lambda path: len(str(path)))
        if len(os.fsencode(longest)) <= MAX_SOCKET_PATH_BYTES:
            return deployment
        return Deployment(
            run_dir=self.run_dir,
            workers=workers,
            concurrency=concurrency,
            ports=ports,
            log_level=log_level,
            socket_dir=short_socket_folder(self.run_dir),
        )

    def create(self, deployment: Deployment) -> None:
        """Make the folders, readable by their owner only."""
        root = state_root(self.folder)
        above = (root,) if root == self.folder else (root, self.folder.parent)
        for folder in (*above, self.folder, self.run_dir, deployment.log_dir, deployment.socket_dir):
            if folder is not None:
                private_folder(folder)

    @contextlib.contextmanager
    def lock(self, *, patience: float = 0.0) -> Iterator[None]:
        """Keep other planoctl commands from starting or stopping this instance.

        Raises InstanceBusyError if another one does so for `patience` seconds.
        """
        deadline = time.monotonic() + patience
        private_folder(self.folder)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):
                if time.monotonic() >= deadline:
                    raise InstanceBusyError(self.name)
                time.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def state_home(environment: Mapping[str, str]) -> Path:
    """`$PLANO_HOME`, or `~/.plano`."""
    configured = environment.get("PLANO_HOME")
    return Path(configured).expanduser().absolute() if configured else Path.home() / ".plano"


def state_root(folder: Path) -> Path:
    """The state folder that an instance's folder is in, or is."""
    return folder.parent.parent if folder.parent.name == "instances" else folder


def short_socket_folder(run_dir: Path) -> Path:
    """A short folder, private to this user, for the sockets of this run folder; raises PermissionError."""
    digest = hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:10]
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    folder = base / f"plano-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or folder.is_symlink() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else or is open to others: remove it")
    return folder
