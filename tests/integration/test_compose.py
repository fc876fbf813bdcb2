"""The container of the rendered Compose file, run as a process of this host."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from planoctl.cli import cli
from planoctl.mock_provider.server import RunningMock
from planoctl.render.image import CONFIG
from tests.integration.conftest import KEY
from tests.integration.gateway import free_port

pytestmark = pytest.mark.envoy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        yield Path(folder)


def service(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The gateway as it is rendered; its variables are not set for that."""
    source = folder / "plano_config.yaml"
    source.write_text(yaml.safe_dump(document))
    target = folder / "compose.yaml"
    arguments = ["render", str(source), "--target", "compose", "-o", str(target), "--workers", "1"]
    shown = CliRunner().invoke(cli, arguments, env={"MOCK_KEY": "", "LOG_LEVEL": ""})
    assert shown.exit_code == 0, shown.output
    found: dict[str, Any] = yaml.safe_load(target.read_text())["services"]["gateway"]
    return found


def test_the_container_becomes_healthy_answers_and_ends_well(mock: RunningMock, tmp_path: Path, home: Path) -> None:
    port = free_port()
    document = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "llm", "port": port}],
        "model_providers": [{"model": "openai/mock-gpt", "base_url": mock.url, "access_key": "$MOCK_KEY"}],
    }
    gateway = service(document, tmp_path)
    assert gateway["environment"] == {"MOCK_KEY": "${MOCK_KEY:?set MOCK_KEY}"}
    assert gateway["ports"] == [f"${{PLANO_BIND:-127.0.0.1}}:{port}:{port}"]
    (volume,) = gateway["volumes"]
    mounted = str((tmp_path / volume["source"]).resolve())
    command = [mounted if word == str(CONFIG) else word for word in gateway["command"]]
    image = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PLANO_HOME": str(home),
        "PLANO_ADMIN_PORT": "0",
        "PLANO_METRICS_PORT": "0",
        "PLANO_BRIGHTSTAFF_PORT": "0",
    }
    log = home / "container.log"
    with log.open("wb") as output:
        container = subprocess.Popen(
            [sys.executable, "-P", "-m", "planoctl", *command],
            env={**image, "MOCK_KEY": KEY},
            cwd=home,
            stdout=output,
            stderr=output,
        )
    try:
        _, *check = gateway["healthcheck"]["test"]
        deadline = time.monotonic() + 60
        while subprocess.run(check, env=image, check=False, capture_output=True).returncode:
            assert container.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
        body = {"model": "mock-gpt", "messages": [{"role": "user", "content": "hello"}]}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20)
        assert answer.status_code == 200, answer.text
        container.send_signal(signal.SIGTERM)
        assert container.wait(60) == 0
        assert KEY not in log.read_text()
    finally:
        if container.poll() is None:
            container.send_signal(signal.SIGQUIT)
            container.wait(30)


def test_a_container_with_a_wrong_configuration_says_why_and_ends(tmp_path: Path, home: Path) -> None:
    config = tmp_path / "plano_config.yaml"
    config.write_text("version: v0.4.0\nlisteners: 7\n")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "planoctl", "up", "--foreground", str(config)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PLANO_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "listeners" in done.stderr
