"""A gateway whose sidecar workers write down what its subscribers are told of finished requests."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from extproc.accounting.observation import Observation
from tests.integration.gateway import Gateway


class ObservingGateway(Gateway):
    @property
    def _observations(self) -> Path:
        return self.deployment.run_dir / "observations.jsonl"

    def start_worker(self, index: int) -> subprocess.Popen[bytes]:
        arguments = ["-m", "tests.integration.observing_worker", *self._service_arguments()]
        arguments += ["--socket", str(self.deployment.worker_socket(index))]
        arguments += ["--brightstaff", f"unix:{self.deployment.brightstaff_socket}"]
        return self._spawn(f"extproc-{index}", [sys.executable, *arguments, "--observations", str(self._observations)])

    def observed(self) -> list[Observation]:
        """All finished requests so far."""
        lines = self._observations.read_bytes().splitlines() if self._observations.exists() else []
        return [msgspec.json.decode(line, type=Observation) for line in lines]

    def observation(self, request_id: str, *, seconds: float = 10) -> Observation:
        """The observation of a request; it comes shortly after the response."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for seen in self.observed():
                if seen.request_id == request_id:
                    return seen
            time.sleep(0.05)
        raise AssertionError(f"no observation of {request_id}\n{self.logs()}")


@contextlib.contextmanager
def observing_gateway(
    run_dir: Path, document: dict[str, Any], environment: Mapping[str, str] | None = None, workers: int = 1
) -> Iterator[ObservingGateway]:
    gateway = ObservingGateway(run_dir, document, environment or {}, workers)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()
