"""A running gateway takes up another configuration: by command, by itself, and in containers; and nobody notices."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from planoctl.config.deployment import Deployment, InternalPorts
from planoctl.envoy_binary import find_envoy
from planoctl.launch import service_commands
from planoctl.mock_provider.server import RunningMock
from planoctl.port_check import free_port
from tests.integration.conftest import KEY
from tests.integration.planoctl_cli import Cli, ask, healthz, until
from tests.reload.run import run

pytestmark = pytest.mark.envoy


def change(path: Path, **sections: Any) -> None:
    """Replace sections of a configuration; models are added to what is there."""
    document = yaml.safe_load(path.read_text())
    document["model_providers"] += sections.pop("model_providers", [])
    path.write_text(yaml.safe_dump(document | sections))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def config(cli: Cli, mock: RunningMock, port: int) -> Path:
    return cli.write_config(port, mock.url)


def another(mock: RunningMock, name: str = "anthropic/another") -> dict[str, Any]:
    return {"model": name, "base_url": mock.url, "access_key": "$MOCK_KEY"}


def test_a_reload_serves_new_models_with_the_keys_that_the_gateway_has_and_stops_serving_old_ones(
    cli: Cli, mock: RunningMock, config: Path, port: int
) -> None:
    cli.start("up", MOCK_KEY=KEY)
    pids = {name: cli.pid_of(name) for name in ("envoy", "extproc-0", "brightstaff")}
    assert ask(port, model="another").status_code == 404
    change(config, model_providers=[another(mock)])
    shown = cli.start("reload")
    assert "✓ reloaded" in shown
    assert "1 model added" in shown
    assert ask(port, model="another").json()["choices"][0]["message"]["content"]
    cli.write_config(port, mock.url)
    cli.start("reload")
    assert ask(port, model="another").status_code == 404
    assert ask(port).status_code == 200
    assert {name: cli.pid_of(name) for name in pids} == pids
    assert cli.status()["reload"]["ok"]


def test_a_key_is_rotated_by_a_reload(cli: Cli, config: Path, port: int) -> None:
    cli.start("up", MOCK_KEY="the-wrong-one")
    assert ask(port).status_code == 401
    shown = cli.start("reload", MOCK_KEY=KEY)
    assert "1 variable changed" in shown
    assert ask(port).status_code == 200
    assert "nothing changed" in cli.start("reload")  # this shell has no key: the last one stays
    assert ask(port).status_code == 200


def test_limits_and_keys_of_a_listener_come_into_force_by_a_reload(
    cli: Cli, mock: RunningMock, config: Path, port: int
) -> None:
    cli.start("up", MOCK_KEY=KEY)
    assert [ask(port).status_code for _ in range(3)] == [200] * 3
    limit = {"model": "mock-gpt", "limit": {"requests": 1, "unit": "hour"}}
    change(config, ratelimits=[limit])
    cli.start("reload")
    assert [ask(port).status_code for _ in range(3)] == [200, 429, 429]
    guarded = {"name": "llm", "type": "model", "address": "127.0.0.1", "port": port}
    change(config, ratelimits=[], listeners=[{**guarded, "auth": {"keys": [{"name": "me", "key": "$CLIENT_KEY"}]}}])
    cli.start("reload", CLIENT_KEY="a-key-of-a-client")
    assert ask(port).status_code == 401
    assert "a-key-of-a-client" not in "".join(
        path.read_text(errors="replace") for path in cli.paths.run_dir.rglob("*") if path.is_file()
    )


def test_a_listener_moves_to_another_port(cli: Cli, mock: RunningMock, config: Path, port: int) -> None:
    cli.start("up", MOCK_KEY=KEY)
    moved = free_port()
    cli.write_config(moved, mock.url)
    cli.start("reload")
    assert (healthz(moved), healthz(port)) == (200, None)
    assert f"http://127.0.0.1:{moved}" in cli.start("status")
    assert cli.status()["ready"]


def test_a_bad_file_changes_nothing_and_says_why(cli: Cli, config: Path, port: int) -> None:
    cli.start("up", MOCK_KEY=KEY)
    good = config.read_text()
    config.write_text(good.replace("openai/mock-gpt", "nobody-knows-this/model"))
    done = cli("reload")
    assert (done.returncode, "Validation failed" in done.stderr) == (1, True)
    assert "nobody-knows-this" in done.stderr
    assert ask(port).status_code == 200
    report = cli.status()
    assert (report["ready"], report["reload"]["ok"]) == (True, False)
    assert "FAILED" in cli.start("status")
    config.write_text(good)
    cli.start("reload")
    assert cli.status()["reload"]["ok"]


def test_a_port_that_somebody_else_has_stops_a_reload(cli: Cli, mock: RunningMock, config: Path, port: int) -> None:
    cli.start("up", MOCK_KEY=KEY)
    cli.write_config(mock.port, mock.url)
    done = cli("reload")
    assert (done.returncode, "a port is in use" in done.stderr) == (1, True)
    assert ask(port).status_code == 200


def test_a_reload_needs_a_running_gateway(cli: Cli, config: Path) -> None:
    done = cli("reload")
    assert (done.returncode, "run `planoctl up`" in done.stderr) == (3, True)


def test_a_watching_gateway_reloads_by_itself(cli: Cli, mock: RunningMock, config: Path, port: int) -> None:
    cli.start("up", "--watch", MOCK_KEY=KEY)
    change(config, model_providers=[another(mock)])
    until(lambda: ask(port, model="another").status_code == 200)
    config.write_text("nonsense: [")
    until(lambda: not (cli.status()["reload"] or {"ok": True})["ok"])
    assert ask(port, model="another").status_code == 200
    assert "Validation failed" in (cli.paths.log_dir / "supervisor.log").read_text()
    cli.write_config(port, mock.url)
    until(lambda: ask(port, model="another").status_code == 404)


def test_rotated_keys_of_a_key_set_file_are_taken_up_without_a_restart(
    cli: Cli, mock: RunningMock, config: Path, port: int
) -> None:
    old, new = (RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"}) for name in ("old", "new"))

    def publish(*keys: RSAKey) -> None:
        (cli.folder / "jwks.next").write_text(json.dumps(KeySet(list(keys)).as_dict(private=False)))
        (cli.folder / "jwks.next").replace(cli.folder / "jwks.json")

    def accepted(key: RSAKey) -> bool:
        claims = {"iss": "issuer", "aud": "plano", "sub": "jane", "exp": int(time.time()) + 600}
        token = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
        headers = {"authorization": f"Bearer {token}"}
        return httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=headers, timeout=20).status_code == 200

    publish(old)
    document = yaml.safe_load(config.read_text())
    guard = {"jwt": {"issuer": "issuer", "audiences": ["plano"], "jwks_file": "jwks.json"}}
    document["listeners"][0]["auth"] = guard
    config.write_text(yaml.safe_dump(document))
    cli.start("up", "--watch", MOCK_KEY=KEY)
    envoy = cli.pid_of("envoy")
    assert (accepted(old), accepted(new)) == (True, False)
    publish(new)
    until(lambda: (accepted(old), accepted(new)) == (False, True))
    (cli.folder / "jwks.json").write_text("no keys")
    until(lambda: not (cli.status()["reload"] or {"ok": True})["ok"])
    assert accepted(new)
    publish(old, new)
    until(lambda: accepted(old) and accepted(new))
    assert cli.pid_of("envoy") == envoy


async def test_reloads_under_load_fail_no_request_and_cut_no_stream(tmp_path: Path) -> None:
    result = await run(tmp_path, seconds=8, rate=60, streams=8, every=1, gap=0.1)
    assert result.tally.failures == {}
    assert result.stale == []
    assert len(result.commands) >= 3
    assert result.tally.whole > 400
    assert result.tally.streams >= 8


@contextlib.contextmanager
def processes(commands: list[list[str]], log: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack, log.open("ab") as output:
        for command in commands:
            process = subprocess.Popen(command, stdout=output, stderr=output)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield


def test_an_agent_rolls_out_what_a_config_map_changes(
    cli: Cli, mock: RunningMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """As Kubernetes mounts it: the file is a symbolic link through a folder that is swapped."""
    mounted, shared = tmp_path / "mounted", tmp_path / "shared"
    mounted.mkdir()
    config = cli.write_config(port, mock.url)

    def publish(version: int) -> None:
        folder = mounted / f"..{version}"
        folder.mkdir()
        (folder / "plano_config.yaml").write_text(config.read_text())
        (mounted / "..new").symlink_to(folder.name)
        (mounted / "..new").replace(mounted / "..data")

    publish(1)
    (mounted / "plano_config.yaml").symlink_to("..data/plano_config.yaml")
    ports = InternalPorts(free_port(), free_port(), free_port())
    monkeypatch.setenv("MOCK_KEY", KEY)
    monkeypatch.setenv("PLANO_BRIGHTSTAFF_PORT", str(ports.brightstaff))
    monkeypatch.setenv("PLANO_ADMIN_PORT", str(ports.admin))
    monkeypatch.setenv("PLANO_METRICS_PORT", str(ports.metrics))
    monkeypatch.setenv("PATH", f"{find_envoy().parent}:{Path(sys.executable).parent}", prepend=":")
    arguments = ["--config", str(mounted / "plano_config.yaml"), "--run-dir", str(shared), "--concurrency", "1"]
    agent = [sys.executable, "-m", "planoctl", "agent", *arguments]
    assert subprocess.run([*agent, "--once"], check=False).returncode == 0
    deployment = Deployment(run_dir=shared, workers=1, concurrency=1, ports=ports)
    others = [list(command) for command in service_commands(deployment)]
    with processes([agent, *others], tmp_path / "log"):
        until(lambda: healthz(port) == 200)
        until(lambda: ask(port).status_code == 200)
        change(config, model_providers=[another(mock)])
        publish(2)
        until(lambda: ask(port, model="another").status_code == 200)
        config.write_text("nonsense: [")
        publish(3)
        until(lambda: "the configuration stays as it is" in (tmp_path / "log").read_text())
        assert ask(port, model="another").status_code == 200
