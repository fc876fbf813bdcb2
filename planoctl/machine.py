"""What this machine, or the container it is, has to give: memory and open files."""

import resource
from pathlib import Path

import psutil

from planoctl.config.deployment import Capacity

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_HEAP_SHARE = 0.5  # the rest is for the sidecar workers, brightstaff and the kernel's socket buffers
_LEAST_HEAP = 128 * 1024 * 1024
_CONNECTION_SHARE = 0.6  # of all open files; the rest is for connections to providers
_RESERVED_FILES = 500
_MOST_CONNECTIONS = 50_000


def capacity(*, heap_bytes: int | None = None, connections: int | None = None) -> Capacity:
    """What Envoy may take; what is not given follows from the machine."""
    heap = heap_bytes or max(int(memory_bytes() * _HEAP_SHARE), _LEAST_HEAP)
    files = max(open_files() - _RESERVED_FILES, 2)
    clients = connections or min(int(files * _CONNECTION_SHARE), _MOST_CONNECTIONS)
    return Capacity(heap_bytes=heap, connections=clients, provider_connections=max(files - clients, 1))


def memory_bytes() -> int:
    """The memory of the container, or of the host where no container limits it."""
    total = int(psutil.virtual_memory().total)
    return min([total, *(limit for path in _CGROUP_LIMITS if (limit := _limit(path)) is not None)])


def open_files() -> int:
    """How many files, sockets included, a process may have open once it has raised its own limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 2**20 if hard == resource.RLIM_INFINITY else hard


def _limit(path: Path) -> int | None:
    """The bytes in a cgroup file; None if it is not there or says `max`."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
