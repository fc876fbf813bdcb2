"""Builds and starts what is measured: the fake upstream, a bare Envoy in front of it, and the gateway."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from planoctl.config.runtime import Overrides
from planoctl.envoy_binary import find_envoy
from planoctl.instance import Instance
from planoctl.supervise.state import read_state
from tests.bench.cases import Processes

FOLDER = Path(__file__).parent
SOURCE = FOLDER / "llmbench.c"
PROGRAM = FOLDER / "llmbench"
OPENAI_MODEL = "gpt-4o"
ANTHROPIC_MODEL = "claude-sonnet-4-5"
BEDROCK_MODEL = "anthropic.claude-bench"
CHAIN_MODEL = "bench-chain"  # a healthy model with one to fall back on
FAILOVER_MODEL = "bench-failover"  # a provider that refuses the connection, then a healthy model
INSTANCE = "bench"
_START_SECONDS = 30.0
_PORTS = ("PLANO_BRIGHTSTAFF_PORT", "PLANO_ADMIN_PORT", "PLANO_METRICS_PORT")
_UNLIMITED = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """Something to send requests to, at `host:port`. `processes` are its processes, where they are known."""

    address: str
    processes: Processes = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class Models:
    """Entries of `model_providers` and of `model_aliases`. `$BENCH_KEY` has a value."""

    providers: Sequence[Mapping[str, object]] = ()
    aliases: Mapping[str, object] = field(default_factory=dict)


def build_program() -> Path:
    """Compiles llmbench unless it is newer than its source."""
    if not PROGRAM.exists() or PROGRAM.stat().st_mtime < SOURCE.stat().st_mtime:
        compiler = os.environ.get("CC", "cc")
        fresh = PROGRAM.with_name(f"{PROGRAM.name}.{os.getpid()}")  # two test processes may build at once
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(SOURCE)], check=True)
        fresh.replace(PROGRAM)
    return PROGRAM


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def start_upstream(program: Path, *, port: int, events: int, gap_us: int) -> Iterator[Target]:
    """The fake provider for all the APIs; port 0 takes a free one."""
    command = [str(program), "serve", "-p", str(port), "-e", str(events), "-g", str(gap_us)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with ending(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the fake upstream did not start")
        yield Target(f"127.0.0.1:{int(line)}", {"upstream": [psutil.Process(process.pid)]})


@contextlib.contextmanager
def start_collector() -> Iterator[int]:
    """The port of an OTLP/gRPC collector."""
    command = [sys.executable, "-m", "tests.bench.collector"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=FOLDER.parents[1])
    with ending(process):
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextlib.contextmanager
def start_bare_envoy(folder: Path, upstream_port: int, *, concurrency: int) -> Iterator[Target]:
    """An Envoy that only forwards: the gateway's connection and buffer settings, none of its filters and logs."""
    port = free_port()
    path = folder / "bare-envoy.json"
    path.write_text(json.dumps(_bare_config(port, upstream_port)))
    command = [str(find_envoy()), "-c", str(path), "--concurrency", str(concurrency), "--use-dynamic-base-id"]
    with (folder / "bare-envoy.log").open("wb") as log:
        process = subprocess.Popen([*command, "--log-level", "warning"], stdout=log, stderr=log)
    with ending(process):
        wait_for_port(port, process, folder / "bare-envoy.log", "the bare Envoy")
        yield Target(f"127.0.0.1:{port}", {"envoy": [psutil.Process(process.pid)]})


@contextlib.contextmanager
def start_gateway(
    folder: Path,
    upstream_port: int,
    *,
    workers: int,
    concurrency: int,
    more: Models | None = None,
    tracing: Mapping[str, object] | None = None,
) -> Iterator[Target]:
    """The whole gateway as a user starts it, with a model of each kind on the fake upstream, its state in `folder`.

    `more`: further models and aliases; `tracing`: that section of the configuration.
    """
    port = free_port()
    config = folder / "bench.yaml"
    document = _gateway_document(port, upstream_port, more or Models())
    config.write_text(yaml.safe_dump(document | ({"tracing": dict(tracing)} if tracing else {})))
    ports = {name: str(free_port()) for name in _PORTS}
    environment = {**os.environ, **ports, "PLANO_HOME": str(state_home(folder)), "BENCH_KEY": "bench", "COLUMNS": "200"}
    up = ["up", str(config), "--workers", str(workers), "--concurrency", str(concurrency)]
    _planoctl(up, environment)
    try:
        yield Target(f"127.0.0.1:{port}", _gateway_processes(environment))
    finally:
        _planoctl(["down"], environment)


def state_home(folder: Path) -> Path:
    return folder / "home"


def _gateway_document(port: int, upstream_port: int, more: Models) -> dict[str, object]:
    entry = {"base_url": f"http://127.0.0.1:{upstream_port}", "access_key": "$BENCH_KEY"}
    return {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "bench", "address": "127.0.0.1", "port": port}],
        "model_providers": [
            {"model": f"openai/{OPENAI_MODEL}", "default": True, **entry},
            {"model": f"anthropic/{ANTHROPIC_MODEL}", **entry},
            {"model": f"amazon_bedrock/{BEDROCK_MODEL}", **entry},
            {"model": "openai/bench-down", "base_url": f"http://127.0.0.1:{free_port()}", "access_key": "$BENCH_KEY"},
            *more.providers,
        ],
        "model_aliases": {
            CHAIN_MODEL: {"target": f"openai/{OPENAI_MODEL}", "fallbacks": [f"anthropic/{ANTHROPIC_MODEL}"]},
            FAILOVER_MODEL: {"target": "openai/bench-down", "fallbacks": [f"openai/{OPENAI_MODEL}"]},
            **more.aliases,
        },
        "routing": {"failover": {"failures": _UNLIMITED}},
    }


def _planoctl(arguments: list[str], environment: dict[str, str]) -> None:
    # Not the `planoctl` of the PATH: this interpreter's, which is the code that is to be measured.
    command = [sys.executable, "-c", "from planoctl.cli import main; main()", *arguments, "--instance", INSTANCE]
    answer = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    if answer.returncode:
        raise RuntimeError(f"planoctl {arguments[0]} failed:\n{answer.stdout}{answer.stderr}")


def _gateway_processes(environment: dict[str, str]) -> Processes:
    state = read_state(Instance.named(INSTANCE, environment).paths.state_path)
    groups: dict[str, list[psutil.Process]] = {}
    for child in state.children if state else []:
        if child.pid is not None:
            groups.setdefault(child.component, []).append(psutil.Process(child.pid))
    return groups


def _bare_config(port: int, upstream_port: int) -> dict[str, object]:
    buffer_limit = Overrides().buffer_limit_bytes
    types = "type.googleapis.com/envoy.extensions"
    router = {"@type": f"{types}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    route = {"cluster": "upstream", "timeout": "0s", "idle_timeout": "300s", "auto_host_rewrite": True}
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bare",
        "use_remote_address": True,
        "stream_idle_timeout": "300s",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]
        },
    }
    listener = {
        "name": "bare",
        "address": _address(port),
        "per_connection_buffer_limit_bytes": buffer_limit,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    breakers = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": buffer_limit,
        "circuit_breakers": {"thresholds": [dict.fromkeys(breakers, _UNLIMITED)]},
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [
                {
                    "lb_endpoints": [
                        {"endpoint": {"hostname": "127.0.0.1", "address": _address(upstream_port)}},
                    ]
                }
            ],
        },
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def wait_for_port(
    port: int, process: "subprocess.Popen[bytes]", log: Path, name: str, seconds: float = _START_SECONDS
) -> None:
    """Returns as soon as something listens; raises with the end of the log when that does not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{name} did not start:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def ending(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> Iterator[None]:
    """Ends the process with the block, the hard way after ten seconds."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
