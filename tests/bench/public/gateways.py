"""The gateways that are compared. Each is started in front of the same fake upstream, or is running already."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from planoctl import __version__
from planoctl.envoy_binary import envoy_version, find_envoy
from tests.bench.cases import Case, Processes
from tests.bench.servers import ANTHROPIC_MODEL, OPENAI_MODEL, start_bare_envoy, start_gateway

BARE, PLANO, LITELLM = "Bare Envoy", "Plano", "LiteLLM"
MODELS: Mapping[str, str] = {"openai": OPENAI_MODEL, "anthropic": ANTHROPIC_MODEL}


@dataclass(frozen=True, slots=True)
class Gateway:
    """Something that answers the cases at `host:port`, paths after `prefix`.

    `models` names the model for each upstream of the cases; `key` (as a bearer token) and `headers` (`name: value`) are
    sent with every request; `processes` are its processes by group; none are known of a gateway that runs elsewhere.
    """

    name: str
    version: str
    address: str
    processes: Processes = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=lambda: MODELS)
    key: str = "bench"
    headers: tuple[str, ...] = ()
    prefix: str = ""

    def model(self, case: Case) -> str:
        return self.models[case.upstream]

    def resident_mb(self) -> float:
        """Resident memory of all processes; pages that two of them share count twice."""
        return sum(process.memory_info().rss for group in self.processes.values() for process in group) / 1e6


@dataclass(frozen=True, slots=True)
class Place:
    """Where gateways are started: state in `folder`, aimed at the fake upstream, with this many workers each."""

    folder: Path
    upstream_port: int
    workers: int


@contextlib.contextmanager
def bare_envoy(place: Place) -> Iterator[Gateway]:
    """The baseline, which decides and translates nothing."""
    with start_bare_envoy(place.folder, place.upstream_port, concurrency=place.workers) as envoy:
        yield Gateway(BARE, f"Envoy {envoy_version(find_envoy())}", envoy.address, envoy.processes)


@contextlib.contextmanager
def plano(place: Place) -> Iterator[Gateway]:
    """This gateway, as `planoctl up` starts it."""
    with start_gateway(place.folder, place.upstream_port, workers=place.workers, concurrency=place.workers) as target:
        yield Gateway(PLANO, __version__, target.address, target.processes)


def running(
    name: str, url: str, *, models: Mapping[str, str], key: str, headers: tuple[str, ...] = (), pid: int | None = None
) -> Gateway:
    """A gateway that someone else started; `pid` is its first process, if it runs on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is not an http:// address; the load client speaks plain HTTP")
    address = f"{socket.gethostbyname(parts.hostname)}:{parts.port or 80}"
    processes = {"gateway": process_tree(pid)} if pid is not None else {}
    return Gateway(name, "", address, processes, models, key, headers, parts.path.rstrip("/"))


def process_tree(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]
