"""What the Dockerfile and the Compose file promise, as far as it can be read off them."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from click.testing import CliRunner
from dockerfile_parse import DockerfileParser

from planoctl.cli import cli
from planoctl.config.pipeline import load_document
from planoctl.render.image import CONFIG, USER, VOLATILE

ROOT = Path(__file__).parents[2]
STEPS: list[dict[str, Any]] = DockerfileParser(str(ROOT / "Dockerfile"), cache_content=True).structure
STAGES = [index for index, step in enumerate(STEPS) if step["instruction"] == "FROM"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


def values(instruction: str, steps: list[dict[str, Any]]) -> list[str]:
    return [step["value"] for step in steps if step["instruction"] == instruction]


def last(instruction: str) -> str:
    return values(instruction, STEPS[STAGES[-1] :])[-1]


def test_the_build_gets_everything_that_the_wheel_needs_and_nothing_else() -> None:
    copied = {Path(source).name for value in values("COPY", STEPS[: STAGES[-1]]) for source in value.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    needed = {name.strip("/") for name in project["sdist"]["include"]} | {"pyproject.toml"}
    assert copied == needed
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == needed
    assert all((ROOT / name).exists() for name in needed)


def test_the_image_runs_as_the_user_of_the_manifests_without_build_tools() -> None:
    runtime = STEPS[STAGES[-1] :]
    assert last("USER") == f"{USER}:{USER}"
    assert runtime.index(next(step for step in runtime if step["instruction"] == "USER")) > max(
        runtime.index(step) for step in runtime if step["instruction"] == "RUN"
    )
    assert values("COPY", runtime) == ["--from=build /opt/plano /opt/plano"]
    commands = " ".join(values("RUN", runtime))
    assert "apt" not in commands
    assert "curl" not in commands
    assert str(VOLATILE) in commands


def test_the_image_starts_the_gateway_and_asks_it_whether_it_is_ready() -> None:
    command = json.loads(last("CMD"))
    assert json.loads(last("ENTRYPOINT")) == ["planoctl"]
    assert command == ["up", "--foreground", str(CONFIG)]
    health = last("HEALTHCHECK").partition("CMD ")[2]
    assert json.loads(health) == COMPOSE["services"]["gateway"]["healthcheck"]["test"][1:]


@pytest.fixture
def rendered(tmp_path: Path) -> dict[str, Any]:
    source = ROOT / "config/compose/plano_config.yaml"
    arguments = ["render", str(source), "--target", "compose", "-o", "-"]
    shown = CliRunner().invoke(cli, arguments, env={"LOG_LEVEL": "", "PLANO_WORKERS": "", "PLANO_CONCURRENCY": ""})
    assert shown.exit_code == 0, shown.output
    document: dict[str, Any] = yaml.safe_load(shown.stdout)
    return document


def test_the_compose_file_runs_the_gateway_as_it_is_rendered(rendered: dict[str, Any]) -> None:
    ours, theirs = COMPOSE["services"]["gateway"], rendered["services"]["gateway"]
    own = {"image", "environment", "volumes", "ports"}
    assert {key: ours[key] for key in theirs if key not in own} == {
        key: value for key, value in theirs.items() if key not in own
    }
    assert set(theirs["ports"]) <= set(ours["ports"])
    assert set(theirs["environment"]) <= set(ours["environment"])


def test_compose_files_follow_the_specification(rendered: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(get_builtin_schema("vendor.compose-spec"))
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []
    assert [error.message for error in validator.iter_errors(rendered)] == []
    broken = {"services": {"gateway": {"imag": "x"}}}
    assert list(validator.iter_errors(broken))


def test_only_the_gateway_and_dashboards_are_published_and_on_loopback() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert all(port.startswith(("127.0.0.1:", "${PLANO_BIND:-127.0.0.1}:")) for port in published)


def test_mounted_files_are_there_and_the_configuration_is_valid() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            source = source.removeprefix("${PLANO_CONFIG:-").removesuffix("}")
            assert not source.startswith("./") or (ROOT / source).exists(), source
    document = yaml.safe_load((ROOT / "config/compose/plano_config.yaml").read_text())
    assert load_document(document, environment={}).warnings == ()


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.json")), ids=lambda path: path.name)
def test_dashboards_read_the_provisioned_source(path: Path) -> None:
    source = yaml.safe_load((ROOT / "config/grafana/provisioning/datasources/prometheus.yaml").read_text())
    uids = {panel["datasource"]["uid"] for panel in json.loads(path.read_text())["panels"] if "datasource" in panel}
    variables = json.loads(path.read_text())["templating"]["list"]
    chosen = {f"${{{each['name']}}}": each["current"]["value"] for each in variables if each["type"] == "datasource"}
    assert {chosen[uid] for uid in uids} == {source["datasources"][0]["uid"]}
