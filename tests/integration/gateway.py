"""A real gateway for tests: Envoy, sidecar workers and brightstaff as processes of their own, on free ports."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from planoctl.config.deployment import Capacity, Deployment, InternalPorts
from planoctl.config.pipeline import dump_rendered, load_document
from planoctl.envoy_binary import find_envoy
from planoctl.render import render_envoy, write_envoy

START_SECONDS = 30
_FLUSH = ("--file-flush-interval-msec", "100")  # tests wait for the access log


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Gateway:
    """One running gateway. `url` is its model listener; `workers` are the sidecar processes.

    `access` are httpx options with which the listener lets a request in.
    """

    def __init__(
        self,
        run_dir: Path,
        document: dict[str, Any],
        environment: Mapping[str, str],
        workers: int = 1,
        port: int | None = None,
        access: Mapping[str, Any] | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self.access = dict(access or {})
        self.deployment = Deployment(
            run_dir=run_dir,
            workers=workers,
            concurrency=1,
            ports=InternalPorts(free_port(), free_port(), free_port()),
            capacity=capacity or Capacity(),
        )
        self.port = port or free_port()
        document = {"version": "v0.4.0", **document}
        document.setdefault("listeners", [{"type": "model", "name": "llm", "address": "127.0.0.1", "port": self.port}])
        loaded = load_document(document, environment=environment)
        scheme = "https" if loaded.runtime.listeners[0].tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.metrics_url = f"http://{self.deployment.ports.metrics_address}/metrics"
        self.admin_url = f"http://127.0.0.1:{self.deployment.ports.admin}"
        self.deployment.log_dir.mkdir(parents=True, exist_ok=True)
        self.deployment.config_path.write_text(dump_rendered(loaded.document))
        self.deployment.secrets_path.write_text(json.dumps(loaded.secrets))
        write_envoy(render_envoy(loaded.runtime, self.deployment), self.deployment.envoy_dir)
        self.workers: list[subprocess.Popen[bytes]] = []
        self._others: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        for index in range(self.deployment.workers):
            self.workers.append(self.start_worker(index))
        service = ["-m", "brightstaff", *self._service_arguments(), "--port", str(self.deployment.ports.brightstaff)]
        service += ["--socket", str(self.deployment.brightstaff_socket), "--models", str(self.deployment.models_socket)]
        service += ["--metrics", str(self.deployment.ports.metrics_address)]
        service += ["--envoy-admin", str(self.deployment.ports.admin)]
        self.brightstaff = self._spawn("brightstaff", [sys.executable, *service])
        self._others.append(self.brightstaff)
        envoy = [str(find_envoy()), "-c", str(self.deployment.bootstrap_path), "--disable-hot-restart"]
        self.envoy = self._spawn("envoy", [*envoy, "--concurrency", "1", "--log-level", "warning", *_FLUSH])
        self._others.append(self.envoy)
        self._wait_ready()

    def start_worker(self, index: int) -> subprocess.Popen[bytes]:
        socket_path = str(self.deployment.worker_socket(index))
        arguments = ["-m", "extproc", *self._service_arguments(), "--socket", socket_path]
        arguments += ["--brightstaff", f"unix:{self.deployment.brightstaff_socket}"]
        arguments += ["--limits", str(self.deployment.limits_path)]
        return self._spawn(f"extproc-{index}", [sys.executable, *arguments])

    def _service_arguments(self) -> list[str]:
        deployment = self.deployment
        return ["--config", str(deployment.config_path), "--secrets", str(deployment.secrets_path)]

    def _spawn(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        with (self.deployment.log_dir / f"{name}.log").open("ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log, env=_environment(name))

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            dead = [process.args for process in (*self.workers, *self._others) if process.poll() is not None]
            if dead:
                raise RuntimeError(f"died at start: {dead}\n{self.logs()}")
            with contextlib.suppress(httpx.HTTPError):
                models = httpx.get(f"{self.url}/v1/models", timeout=1, **self.access).status_code
                probe = httpx.post(
                    f"{self.url}/v1/chat/completions", content=b"x", timeout=1, **self.access
                ).status_code
                if (models, probe) == (200, 400):
                    return
            time.sleep(0.05)
        raise RuntimeError(f"not ready within {START_SECONDS} s\n{self.logs()}")

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in self.deployment.log_dir.iterdir())

    def access_log(self, request_id: str, *, seconds: float = 5) -> dict[str, Any]:
        """The access-log record of a request; Envoy writes it shortly after the response."""
        deadline = time.monotonic() + seconds
        path = self.deployment.log_dir / "access.log"
        while time.monotonic() < deadline:
            for line in path.read_text().splitlines() if path.exists() else ():
                record: dict[str, Any] = json.loads(line)
                if record.get("request_id") == request_id:
                    return record
            time.sleep(0.1)
        raise AssertionError(f"no access log record for {request_id}")

    def stop(self) -> None:
        processes = [*reversed(self._others), *self.workers]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(name: str) -> dict[str, str]:
    """That of the tests; Envoy gets no library before its own, which it would not bear."""
    given = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return {key: value for key, value in given.items() if (name, key) != ("envoy", "LD_PRELOAD")}


@contextlib.contextmanager
def running_gateway(
    run_dir: Path,
    document: dict[str, Any],
    environment: Mapping[str, str] | None = None,
    workers: int = 1,
    port: int | None = None,
    access: Mapping[str, Any] | None = None,
    capacity: Capacity | None = None,
) -> Iterator[Gateway]:
    gateway = Gateway(run_dir, document, environment or {}, workers, port, access, capacity)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()
