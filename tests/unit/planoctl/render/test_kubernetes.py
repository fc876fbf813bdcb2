import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner, Result

from planoctl.cli import cli

VERSIONS = ("1.29.0", kubernetes_validate.latest_version())
"""The oldest with native sidecars, and the newest that is known."""
BASIC: dict[str, Any] = {
    "version": "v0.4.0",
    "listeners": [{"type": "model", "name": "llm", "port": 12000}],
    "model_providers": [
        {"model": "openai/gpt-4o", "access_key": "$TEST_OPENAI_KEY"},
        {"model": "mine/one", "provider_interface": "openai", "base_url": "http://models.internal:8080/v1",
         "access_key": "${TEST_MINE_KEY:-none}"},
    ],
}  # fmt: skip


def render(folder: Path, document: dict[str, Any], *options: str, output: str = "-", **environment: str) -> Result:
    file = folder / "plano_config.yaml"
    file.write_text(yaml.safe_dump(document))
    arguments = ["render", str(file), "--target", "kubernetes", "-o", output, *options]
    return CliRunner().invoke(cli, arguments, env={"LOG_LEVEL": "", **environment})


def resources(folder: Path, document: dict[str, Any], *options: str, **environment: str) -> dict[str, dict[str, Any]]:
    """By kind."""
    shown = render(folder, document, *options, **environment)
    assert shown.exit_code == 0, shown.output
    return {item["kind"]: item for item in yaml.safe_load_all(shown.stdout)}


def pod(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = found["Deployment"]["spec"]["template"]["spec"]
    return spec


def containers(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [*pod(found)["initContainers"], *pod(found)["containers"]]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("options", [(), ("--replicas", "1", "--max-replicas", "1", "--namespace", "ai")])
def test_every_resource_follows_the_schema_of_kubernetes(tmp_path: Path, version: str, options: tuple[str]) -> None:
    document = {**BASIC, "listeners": [*BASIC["listeners"], {"type": "prompt", "name": "Low & odd", "port": 80}]}
    found = resources(tmp_path, document, *options)
    for item in found.values():
        kubernetes_validate.validate(item, version, strict=True)
    found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(found["Deployment"], version, strict=True)


def test_processes_are_native_sidecars_that_start_before_envoy(tmp_path: Path) -> None:
    found = resources(tmp_path, BASIC, "--workers", "3")
    before = pod(found)["initContainers"]
    assert [item["name"] for item in before] == ["config", "brightstaff", "extproc-0", "extproc-1", "extproc-2"]
    assert {item["restartPolicy"] for item in before} == {"Always"}
    assert all("startupProbe" in item for item in before)
    assert [item["name"] for item in pod(found)["containers"]] == ["envoy"]


def test_containers_have_no_rights_and_no_token(tmp_path: Path) -> None:
    found = resources(tmp_path, BASIC)
    assert pod(found)["securityContext"]["runAsNonRoot"] is True
    assert pod(found)["automountServiceAccountToken"] is False
    assert pod(found)["enableServiceLinks"] is False, "a service called plano would set PLANO_PORT and the like"
    for item in containers(found):
        assert item["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == set(item["resources"])


def test_keys_are_references_that_only_the_agent_gets(tmp_path: Path) -> None:
    value = "sk-secret-value-81f0"
    shown = render(tmp_path, BASIC, "--secret", "keys", TEST_OPENAI_KEY=value, TEST_MINE_KEY=value)
    assert value not in shown.output
    assert 'kubectl create secret generic keys --from-literal=TEST_OPENAI_KEY="$TEST_OPENAI_KEY"\n' in shown.stdout
    agent, *others = containers({item["kind"]: item for item in yaml.safe_load_all(shown.stdout)})
    references = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in agent["env"] if "valueFrom" in entry}
    assert references == {
        "TEST_OPENAI_KEY": {"name": "keys", "key": "TEST_OPENAI_KEY"},
        "TEST_MINE_KEY": {"name": "keys", "key": "TEST_MINE_KEY", "optional": True},
    }
    assert all("env" not in item for item in others)


def test_keys_need_not_be_set_to_render(tmp_path: Path) -> None:
    assert render(tmp_path, BASIC, TEST_OPENAI_KEY="").exit_code == 0


def test_the_config_map_holds_the_file_as_it_is(tmp_path: Path) -> None:
    found = resources(tmp_path, BASIC, TEST_OPENAI_KEY="value")
    assert found["ConfigMap"]["data"] == {"plano_config.yaml": (tmp_path / "plano_config.yaml").read_text()}
    (volume,) = [item for item in pod(found)["volumes"] if "configMap" in item]
    assert volume["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    mounts = [mount for item in containers(found) for mount in item["volumeMounts"] if mount["name"] == volume["name"]]
    assert mounts == [{"name": "config", "mountPath": "/etc/plano", "readOnly": True}], "a subPath is never updated"


@pytest.mark.parametrize(
    ("provider", "place"),
    [
        ({"access_key": "sk-literal-4411"}, "model_providers[0].access_key"),
        ({"access_key": "$K", "headers": {"Authorization": "Bearer sk-literal-4411"}}, "headers.Authorization"),
        ({"access_key": "$K", "headers": {"x-api-key": "sk-literal-4411"}}, "headers.x-api-key"),
    ],
)
def test_a_secret_in_the_file_is_an_error_that_names_its_place(
    tmp_path: Path, provider: dict[str, Any], place: str
) -> None:
    shown = render(tmp_path, {**BASIC, "model_providers": [{"model": "openai/gpt-4o", **provider}]})
    assert shown.exit_code == 1
    assert place in shown.stderr
    assert "sk-literal-4411" not in shown.output


def test_a_password_in_a_url_is_an_error(tmp_path: Path) -> None:
    cache = {"session_cache": {"type": "redis", "url": "redis://:literal-pw@redis:6379"}}
    shown = render(tmp_path, {**BASIC, "routing": cache})
    assert shown.exit_code == 1
    assert "routing.session_cache.url" in shown.stderr
    assert "literal-pw" not in shown.output


def test_harmless_headers_may_be_literal(tmp_path: Path) -> None:
    entry = {"model": "openai/gpt-4o", "access_key": "$K", "headers": {"x-team": "blue"}}
    assert render(tmp_path, {**BASIC, "model_providers": [entry]}).exit_code == 0


def test_the_service_and_the_policy_open_the_listeners_and_nothing_else(tmp_path: Path) -> None:
    hidden = {"type": "prompt", "name": "inside", "port": 10000, "address": "127.0.0.1"}
    document = {**BASIC, "listeners": [*BASIC["listeners"], hidden]}
    cache = {"session_cache": {"type": "redis", "url": "redis://:$TEST_REDIS_PW@redis:6380"}}
    found = resources(tmp_path, {**document, "routing": cache}, TEST_REDIS_PW="pw")
    assert [port["port"] for port in found["Service"]["spec"]["ports"]] == [12000]
    policy = found["NetworkPolicy"]["spec"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": port} for port in (12000, 9092)]}]
    dns, out = policy["egress"]
    assert dns == {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
    assert [entry["port"] for entry in out["ports"]] == [443, 6380, 8080]


def test_prometheus_finds_the_metrics_of_a_pod(tmp_path: Path) -> None:
    found = resources(tmp_path, BASIC, PLANO_METRICS_PORT="7003")
    annotations = found["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert (annotations["prometheus.io/port"], annotations["prometheus.io/path"]) == ("7003", "/metrics/all")
    service = next(each for each in pod(found)["initContainers"] if each["name"] == "brightstaff")
    assert service["ports"] == [{"name": "metrics", "containerPort": 7003}]
    assert service["command"][service["command"].index("--metrics") + 1] == "0.0.0.0:7003"
    assert service["command"][service["command"].index("--envoy-admin") + 1] == "9901"


def test_ports_find_each_other_by_name(tmp_path: Path) -> None:
    listeners = [{"type": "model", "name": "A Name That Kubernetes Does Not Take", "port": 12000}]
    found = resources(tmp_path, {**BASIC, "listeners": listeners})
    (port,) = found["Service"]["spec"]["ports"]
    (exposed,) = pod(found)["containers"][0]["ports"]
    assert port["targetPort"] == exposed["name"] == "port-12000"
    selector = found["Service"]["spec"]["selector"]
    assert selector == found["Deployment"]["spec"]["template"]["metadata"]["labels"]


def test_low_ports_can_be_bound_without_rights(tmp_path: Path) -> None:
    found = resources(tmp_path, {**BASIC, "listeners": [{"type": "model", "name": "llm", "port": 80}]})
    assert pod(found)["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]


def test_a_gateway_that_only_listens_on_loopback_is_refused(tmp_path: Path) -> None:
    listeners = [{"type": "model", "name": "llm", "port": 12000, "address": "127.0.0.1"}]
    shown = render(tmp_path, {**BASIC, "listeners": listeners})
    assert shown.exit_code == 1
    assert "0.0.0.0" in shown.stderr


def test_a_provider_on_localhost_is_pointed_out(tmp_path: Path) -> None:
    entry = {"model": "ollama/llama3.1", "base_url": "http://localhost:11434"}
    shown = render(tmp_path, {**BASIC, "model_providers": [entry]})
    assert shown.exit_code == 0
    assert "localhost:11434 means the container itself" in shown.stderr


def test_the_autoscaler_decides_only_where_it_may(tmp_path: Path) -> None:
    found = resources(tmp_path, BASIC, "--replicas", "3", "--max-replicas", "7")
    assert "replicas" not in found["Deployment"]["spec"]
    scaler = found["HorizontalPodAutoscaler"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 7)
    assert scaler["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]

    fixed = resources(tmp_path, BASIC, "--replicas", "3", "--max-replicas", "3")
    assert fixed["Deployment"]["spec"]["replicas"] == 3
    assert "HorizontalPodAutoscaler" not in fixed


def test_a_single_pod_does_not_block_the_draining_of_its_node(tmp_path: Path) -> None:
    assert resources(tmp_path, BASIC)["PodDisruptionBudget"]["spec"]["minAvailable"] == 1
    assert "PodDisruptionBudget" not in resources(tmp_path, BASIC, "--replicas", "1")


def test_a_pod_that_goes_has_time_for_more_than_its_drain(tmp_path: Path) -> None:
    found = resources(tmp_path, BASIC, "--drain-seconds", "120")
    (envoy,) = pod(found)["containers"]
    command = envoy["lifecycle"]["preStop"]["exec"]["command"]
    assert command[command.index("--seconds") + 1] == "120"
    assert pod(found)["terminationGracePeriodSeconds"] > 120


def test_envoy_gets_aws_credentials_only_if_it_signs(tmp_path: Path) -> None:
    entry = {
        "model": "amazon_bedrock/anthropic.claude-3",
        "base_url": "https://bedrock-runtime.us-east-1.amazonaws.com",
    }
    found = resources(tmp_path, {**BASIC, "model_providers": [entry]})
    (envoy,) = pod(found)["containers"]
    assert {item["name"] for item in envoy["env"]} >= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert all(item["valueFrom"]["secretKeyRef"]["optional"] for item in envoy["env"])


def test_who_checks_the_configuration_knows_the_region_that_envoy_will_have(tmp_path: Path) -> None:
    entry = {"model": "amazon_bedrock/anthropic.claude-3", "base_url": "https://proxy.example"}
    found = resources(tmp_path, {**BASIC, "model_providers": [entry]})
    agent = pod(found)["initContainers"][0]
    (region,) = (item for item in agent["env"] if item["name"] == "AWS_REGION")
    assert region["valueFrom"]["secretKeyRef"]["optional"]


def test_a_folder_becomes_a_kustomize_base(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shown = render(tmp_path, BASIC, "--name", "edge", output=str(folder))
    assert shown.exit_code == 0, shown.output
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in folder.iterdir()} == {"kustomization.yaml", *listed}
    kinds = {yaml.safe_load((folder / name).read_text())["kind"] for name in listed}
    assert kinds == set(resources(tmp_path, BASIC))
    assert f"kubectl apply -k {folder}" in shown.stdout


def test_rendering_twice_gives_the_same_file(tmp_path: Path) -> None:
    assert render(tmp_path, BASIC).stdout == render(tmp_path, BASIC, TEST_OPENAI_KEY="now set").stdout


def test_options_of_another_target_are_refused(tmp_path: Path) -> None:
    shown = render(tmp_path, BASIC, "--with-secrets")
    assert shown.exit_code == 2
    assert "--with-secrets is for --target envoy only" in shown.stderr


@pytest.mark.parametrize("option", ["--name", "--namespace", "--secret"])
def test_names_that_kubernetes_would_refuse_are_refused(tmp_path: Path, option: str) -> None:
    assert render(tmp_path, BASIC, option, "Not_A_Name").exit_code == 1


def test_the_agent_knows_the_ports_that_the_commands_name(tmp_path: Path) -> None:
    found = resources(tmp_path, BASIC, PLANO_ADMIN_PORT="7001", PLANO_BRIGHTSTAFF_PORT="7002")
    agent, brightstaff, *_ = containers(found)
    settings = {entry["name"]: entry.get("value") for entry in agent["env"]}
    assert (settings["PLANO_ADMIN_PORT"], settings["PLANO_BRIGHTSTAFF_PORT"]) == ("7001", "7002")
    assert "7002" in brightstaff["command"]
    assert "http://127.0.0.1:7001" in json.dumps(pod(found)["containers"][0]["lifecycle"])


TLS = {"certificate": "/etc/plano-tls/tls.crt", "private_key": "/etc/plano-tls/tls.key"}


def with_tls(**more: Any) -> dict[str, Any]:
    return {**BASIC, "listeners": [{**BASIC["listeners"][0], "tls": {**TLS, **more}}]}


@pytest.mark.parametrize("version", VERSIONS)
def test_certificates_come_from_a_secret_and_probes_speak_tls(tmp_path: Path, version: str) -> None:
    found = resources(tmp_path, with_tls())
    for item in found.values():
        kubernetes_validate.validate(item, version, strict=True)
    assert {"name": "tls", "secret": {"secretName": "plano-tls", "defaultMode": 0o440}} in pod(found)["volumes"]
    mounting = {
        item["name"] for item in containers(found) if "tls" in {mount["name"] for mount in item["volumeMounts"]}
    }
    assert mounting == {"config", "envoy"}
    envoy = pod(found)["containers"][0]
    assert envoy["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 12000, "scheme": "HTTPS"}


def test_where_clients_need_certificates_probes_ask_inside(tmp_path: Path) -> None:
    envoy = pod(resources(tmp_path, with_tls(client_ca="/etc/plano-tls/ca.crt")))["containers"][0]
    asked = envoy["readinessProbe"]["exec"]["command"]
    assert asked[-4:] == ["http", "http://127.0.0.1:9901/ready", "http", "http://127.0.0.1:9091/readyz"]
    assert envoy["livenessProbe"]["exec"]["command"][-2:] == ["http", "http://127.0.0.1:9901/ready"]


def test_the_secret_of_certificates_is_shown_as_a_command(tmp_path: Path) -> None:
    shown = render(tmp_path, with_tls(), output=str(tmp_path / "out"))
    assert "kubectl create secret generic plano-tls --from-file=tls.crt --from-file=tls.key" in shown.output


@pytest.mark.parametrize(
    ("certificate", "reason"), [("tls.crt", "beside the configuration"), ("/elsewhere/tls.crt", "several folders")]
)
def test_certificates_that_cannot_be_mounted_are_refused(tmp_path: Path, certificate: str, reason: str) -> None:
    shown = render(tmp_path, with_tls(certificate=certificate))
    assert shown.exit_code == 1
    assert reason in shown.output
