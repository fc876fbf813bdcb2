"""Whether TCP ports are free, and who holds them if not. Called before anything is started."""

import contextlib
import errno
import socket
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address that something of ours wants to bind. `purpose` says what, for messages."""

    host: str
    port: int
    purpose: str


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that listens on a port."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """An address that cannot be bound; `owner` is None if it cannot be told, `reason` is the system's."""

    address: Address
    owner: Owner | None
    reason: str

    def __str__(self) -> str:
        where = f"port {self.address.port} ({self.address.purpose}) on {self.address.host}"
        if self.owner is not None:
            return f"{where} is held by pid {self.owner.pid}: {self.owner.command}"
        return f"{where}: {self.reason}"


def find_conflicts(addresses: list[Address], *, ours: frozenset[int] = frozenset()) -> list[Conflict]:
    """The addresses that cannot be bound. What the processes `ours` hold does not count."""
    conflicts = []
    for address in addresses:
        reason = _bind_failure(address)
        if reason is None:
            continue
        owners = _owners(address.port)
        if owners and all(owner.pid in ours for owner in owners):
            continue
        stranger = next((owner for owner in owners if owner.pid not in ours), None)
        conflicts.append(Conflict(address, stranger, reason))
    return conflicts


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def process_tree(pid: int) -> frozenset[int]:
    """A process and all its descendants; empty if it is gone."""
    try:
        process = psutil.Process(pid)
        return frozenset({pid, *(child.pid for child in process.children(recursive=True))})
    except psutil.Error:
        return frozenset()


def _bind_failure(address: Address) -> str | None:
    """Try to bind. SO_REUSEADDR passes over closing connections; without SO_REUSEPORT a listening Envoy is noticed."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
            probe.listen(1)
    except OSError as error:
        return {
            errno.EADDRINUSE: "already in use",
            errno.EACCES: "not allowed for this user (ports below 1024 need privileges)",
            errno.EADDRNOTAVAIL: "no interface of this host has this address",
        }.get(error.errno or 0, error.strerror or str(error))
    return None


def _owners(port: int) -> list[Owner]:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return []
    pids = {
        connection.pid
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
        and connection.pid is not None
        and connection.laddr
        and connection.laddr.port == port
    }
    return [Owner(pid, _command(pid)) for pid in sorted(pids)]


def _command(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return " ".join(process.cmdline())[:120] or process.name()
    return "unknown"
