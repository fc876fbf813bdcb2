"""The rendered Deployment's process tree, run without a cluster."""

import json
import threading
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
from tests.integration.conftest import KEY
from tests.integration.gateway import free_port
from tests.integration.pod import Pod

pytestmark = pytest.mark.envoy


def rendered(document: dict[str, Any], folder: Path, *options: str) -> list[dict[str, Any]]:
    file = folder / "plano_config.yaml"
    file.write_text(yaml.safe_dump(document))
    ports = {f"PLANO_{each}_PORT": str(free_port()) for each in ("ADMIN", "BRIGHTSTAFF", "METRICS")} | {"MOCK_KEY": ""}
    arguments = ["render", str(file), "--target", "kubernetes", "-o", "-", *options]
    shown = CliRunner().invoke(cli, arguments, env=ports)
    assert shown.exit_code == 0, shown.output
    return list(yaml.safe_load_all(shown.stdout))


def gateway_document(mock: RunningMock, port: int, *more: str) -> dict[str, Any]:
    models = ("openai/mock-gpt", "anthropic/mock-claude", *more)
    return {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "llm", "port": port}],
        "model_providers": [{"model": model, "base_url": mock.url, "access_key": "$MOCK_KEY"} for model in models],
    }


class RunningPod(Pod):
    url: str


@pytest.fixture
def pod(mock: RunningMock, tmp_path: Path) -> Iterator[RunningPod]:
    port = free_port()
    documents = rendered(gateway_document(mock, port), tmp_path, "--drain-seconds", "3", "--workers", "2")
    made = RunningPod(documents, {"MOCK_KEY": KEY})
    made.url = f"http://127.0.0.1:{port}"
    try:
        made.start()
        yield made
    finally:
        made.close()


def ask(pod: RunningPod, model: str = "mock-claude", behaviour: str = "") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"x-mock-behaviour": behaviour} if behaviour else {}
    return httpx.post(f"{pod.url}/v1/chat/completions", json=body, headers=headers, timeout=20)


def annotated_metrics(pod: RunningPod) -> str:
    """What a Prometheus reads that follows the annotations."""
    port, path = (pod.annotations[f"prometheus.io/{name}"] for name in ("port", "path"))
    return httpx.get(f"http://127.0.0.1:{port}{path}").raise_for_status().text


def test_the_containers_of_the_deployment_serve_and_end_in_order(pod: RunningPod) -> None:
    assert [container["name"] for container in pod.containers] == [
        *("config", "brightstaff", "extproc-0", "extproc-1", "envoy")
    ]
    assert ask(pod).json()["choices"][0]["message"]["content"]

    for container in pod.containers:
        assert all(pod.probe(container, kind) for kind in ("readinessProbe", "livenessProbe") if kind in container)
        assert KEY not in pod.log(container["name"])
        if container["name"] != "config":
            assert KEY not in pod.environment(container).values()

    late: list[int] = []
    slow = threading.Thread(target=lambda: late.append(ask(pod, behaviour="delay=1").status_code))
    slow.start()
    time.sleep(0.3)
    draining = pod.begin_pre_stop()
    assert ask(pod).status_code == 200, "what comes while load balancers have not noticed is still served"
    slow.join()
    assert late == [200]
    assert draining.wait(10) == 0, pod.log("preStop")
    assert pod.terminate() == dict.fromkeys(("envoy", "extproc-1", "extproc-0", "brightstaff", "config"), 0)
    assert pod.left() == []
    records = [json.loads(line) for line in pod.log("envoy").splitlines() if line.startswith("{")]
    assert [record["status"] for record in records if record["requested_model"]] == [200, 200, 200]


def test_containers_that_die_come_back_on_their_old_sockets(pod: RunningPod) -> None:
    pod.kill("extproc-0")
    assert {ask(pod).status_code for _ in range(20)} == {200}, "the other worker serves"
    pod.restart("extproc-0")
    pod.until_envoy_trusts("extproc-0")
    pod.kill("extproc-1")
    assert {ask(pod).status_code for _ in range(20)} == {200}, "so does the one that came back"

    pod.kill("brightstaff")
    (envoy,) = pod.spec["containers"]
    assert not pod.probe(envoy, "readinessProbe")
    assert pod.probe(envoy, "livenessProbe"), "restarting Envoy would not help"
    assert ask(pod).status_code == 200
    pod.restart("brightstaff")
    assert pod.probe(envoy, "readinessProbe")

    assert "envoy_server_live{} 1" in annotated_metrics(pod)
    pod.kill("envoy")
    assert "brightstaff_build_info" in annotated_metrics(pod), "who serves tells what it knows"
    assert "envoy_server_live" not in annotated_metrics(pod)
    pod.restart("envoy")
    assert ask(pod).status_code == 200


def test_a_new_config_map_is_taken_up_and_a_bad_one_is_not(pod: RunningPod, mock: RunningMock) -> None:
    port = int(pod.url.rpartition(":")[2])
    assert ask(pod, "newcomer").status_code == 404
    pod.write_config_map({"plano_config.yaml": yaml.safe_dump(gateway_document(mock, port, "openai/newcomer"))})
    deadline = time.monotonic() + 30
    while ask(pod, "newcomer").status_code != 200:
        assert time.monotonic() < deadline, pod.log("config")
        time.sleep(0.2)
    pod.write_config_map({"plano_config.yaml": "version: v0.4.0\nlisteners: 7\n"})
    while "listeners" not in pod.log("config"):
        assert time.monotonic() < deadline, pod.log("config")
        time.sleep(0.2)
    assert ask(pod, "newcomer").status_code == 200
