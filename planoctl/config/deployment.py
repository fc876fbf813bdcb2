"""Where one running instance lives: its folder, its sockets and its internal ports.

Rendering and supervision take it; nothing in it comes from the user's YAML.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from planoctl.config.metrics_address import MetricsAddress

AccessLog = Literal["file", "stdout"]


@dataclass(frozen=True, slots=True)
class InternalPorts:
    """TCP ports of internal listeners. All are on loopback, but metrics may be on `metrics_host`."""

    brightstaff: int = 9091
    admin: int = 9901
    metrics: int = 9092
    metrics_host: str = "127.0.0.1"

    @property
    def metrics_address(self) -> MetricsAddress:
        return MetricsAddress(self.metrics_host, self.metrics)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What Envoy may take of the machine: bytes of heap, connections of clients, connections to one provider."""

    heap_bytes: int = 1024 * 1024 * 1024
    connections: int = 10_000
    provider_connections: int = 10_000


@dataclass(frozen=True, slots=True)
class Deployment:
    """One instance on one host. `run_dir` holds everything that is rendered, sockets and logs included.

    `workers` is the number of sidecar processes; `concurrency` the number of Envoy worker threads.
    """

    run_dir: Path
    workers: int = 1
    concurrency: int = 1
    ports: InternalPorts = field(default_factory=InternalPorts)
    log_level: str = "info"
    capacity: Capacity = field(default_factory=Capacity)
    socket_dir: Path | None = None
    """Where Unix sockets are, if not in `run_dir`: their paths are limited to about 100 bytes."""
    python: str = sys.executable
    """The interpreter that runs the services. A manifest names the one on the image's PATH."""
    access_log: AccessLog = "file"
    """Where Envoy writes its access log: a file in `log_dir`, or its own stdout, which containers collect."""

    @property
    def config_path(self) -> Path:
        return self.run_dir / "plano_config_rendered.yaml"

    @property
    def secrets_path(self) -> Path:
        """Values of the variables that the rendered configuration refers to, as JSON, mode 0600."""
        return self.run_dir / "secrets.json"

    @property
    def envoy_dir(self) -> Path:
        return self.run_dir / "envoy"

    @property
    def bootstrap_path(self) -> Path:
        return self.envoy_dir / "envoy.yaml"

    @property
    def log_dir(self) -> Path:
        return self.run_dir / "logs"

    @property
    def pid_path(self) -> Path:
        return self.run_dir / "plano.pid"

    @property
    def state_path(self) -> Path:
        """What the supervisor reports of its children, as JSON, rewritten at each change."""
        return self.run_dir / "state.json"

    @property
    def retired_path(self) -> Path:
        """Clusters that no configuration names any more, kept for the requests that do, as JSON."""
        return self.run_dir / "retired_clusters.json"

    @property
    def kept_traces_path(self) -> Path:
        """The traces of the instance's own collector while it restarts, as JSON lines."""
        return self.run_dir / "traces.jsonl"

    @property
    def service_names(self) -> tuple[str, ...]:
        """The processes that read the rendered configuration."""
        return ("brightstaff", *(f"extproc-{index}" for index in range(self.workers)))

    def applied_path(self, service: str) -> Path:
        """Where a service says which configuration it has in force."""
        return self.run_dir / "applied" / f"{service}.json"

    def worker_socket(self, index: int) -> Path:
        return (self.socket_dir or self.run_dir) / f"extproc-{index}.sock"

    @property
    def limits_path(self) -> Path:
        """What the sidecar workers share of rate limits."""
        return self.run_dir / "limits"

    @property
    def models_socket(self) -> Path:
        """Where brightstaff reaches the models, through Envoy."""
        return (self.socket_dir or self.run_dir) / "models.sock"

    @property
    def brightstaff_socket(self) -> Path:
        """Where the sidecar reaches brightstaff."""
        return (self.socket_dir or self.run_dir) / "brightstaff.sock"
