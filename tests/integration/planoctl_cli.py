"""planoctl as its users run it: in processes of its own, with a state folder that is nobody else's."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from planoctl.config.deployment import Deployment
from planoctl.port_check import free_port
from planoctl.supervise.control import find_running
from planoctl.supervise.state import read_state

SECONDS = 60
KEY_VARIABLES = frozenset({"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY"})


class Cli:
    """planoctl with a state folder of its own, run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        self.folder.mkdir()
        self.paths = Deployment(run_dir=self.home / "run")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PLANO_")},
            **dict.fromkeys(KEY_VARIABLES, ""),
            "PLANO_HOME": str(self.home),
            "PLANO_BRIGHTSTAFF_PORT": "0",
            "PLANO_ADMIN_PORT": "0",
            "PLANO_METRICS_PORT": "0",
            "PLANO_WORKERS": "1",
            "PLANO_CONCURRENCY": "1",
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "planoctl", *arguments]

    def start(self, *arguments: str, **environment: str) -> str:
        """Run a command that must succeed; returns its output."""
        done = self(*arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_config(self, port: int, provider: str = "http://127.0.0.1:9", name: str = "plano_config.yaml") -> Path:
        path = self.folder / name
        document = {
            "version": "v0.4.0",
            "listeners": [{"name": "llm", "type": "model", "port": port, "address": "127.0.0.1"}],
            "model_providers": [
                {"model": "openai/mock-gpt", "base_url": provider, "access_key": "$MOCK_KEY", "default": True}
            ],
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def status(self, *arguments: str) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self("status", "--json", *arguments).stdout)
        return report

    def pid_of(self, name: str) -> int:
        state = read_state(self.paths.state_path)
        assert state is not None
        pid = next(child.pid for child in state.children if child.name == name)
        assert pid is not None
        return pid

    def supervisor_pid(self) -> int:
        running = find_running(self.paths)
        assert running is not None
        return running.identity.pid

    def end(self) -> None:
        for run_dir in (self.paths.run_dir, *self.home.glob("instances/*/run")):
            running = find_running(Deployment(run_dir=run_dir))
            if running is None:
                continue
            members = [psutil.Process(pid) for pid in running.pids()]
            for member in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            psutil.wait_procs(members, timeout=10)


def healthz(port: int) -> int | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code
    except httpx.HTTPError:
        return None


def ask(port: int, **more: Any) -> httpx.Response:
    body = {"model": "mock-gpt", "messages": [{"role": "user", "content": "hello"}], **more}
    return httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20)


def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def two_ports() -> int:
    """A port that is free, as is the one after it."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
        return port
