"""The commands as far as nothing has to run: help, checks, and what they say when there is nothing to do."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from planoctl import __version__
from planoctl.cli import cli
from planoctl.cli.lazy import COMMANDS

Run = Callable[..., Result]

KEY = "sk-do-not-show-1234567890"
DOCUMENT = {
    "version": "v0.4.0",
    "listeners": [{"name": "llm", "type": "model", "port": 12000}],
    "model_providers": [{"model": "openai/gpt-4o", "access_key": "$OPENAI_API_KEY", "default": True}],
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs planoctl in this process, in an empty folder with an empty state folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANO_HOME", str(tmp_path / "home"))
    for name in ("OPENAI_API_KEY", "LOG_LEVEL", "PLANO_INSTANCE"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(cli, arguments, env=environment, prog_name="planoctl")

    return invoke


def write(document: object, name: str = "plano_config.yaml") -> Path:
    path = Path(name)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def test_without_a_command_there_are_logo_and_help(run: Run) -> None:
    done = run()
    assert done.exit_code == 0
    assert "|_|   |_|\\__,_|_| |_|\\___/" in done.output
    assert "Usage: planoctl [OPTIONS] [COMMAND] [ARGS]..." in done.output
    for panel in ("Gateway", "Configuration", "Try it"):
        assert f"─ {panel} ─" in done.output


def test_the_version_is_printed_and_nothing_is_asked_of_the_network(run: Run) -> None:
    done = run("--version")
    assert (done.exit_code, done.output) == (0, f"plano version {__version__}\n")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_that_begins_with_its_summary(name: str, run: Run) -> None:
    done = run(name, "--help")
    assert done.exit_code == 0
    assert f"Usage: planoctl {name}" in done.output
    assert COMMANDS[name].summary in " ".join(done.output.split())


def test_every_command_is_in_the_help(run: Run) -> None:
    lines = [line.strip("│ ").split(" ")[0] for line in run("--help").output.splitlines()]
    assert [line for line in lines if line in COMMANDS] == list(COMMANDS)


def test_underscores_in_a_command_name_are_accepted(run: Run) -> None:
    assert run("mock_provider", "--help").exit_code == 0


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    done = run("strat")
    assert done.exit_code == 2
    assert "No such command 'strat'" in done.output


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    heavy = {"psutil", "jsonschema", "httpx", "yaml", "grpc", "starlette", "uvicorn", "msgspec", "jinja2"}
    script = (
        "import sys; from planoctl.cli import cli; cli(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    )
    began = time.monotonic()
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert time.monotonic() - began < 5
    assert heavy.isdisjoint(eval(shown.splitlines()[-1]))


def test_output_in_a_pipe_has_no_colour(run: Run) -> None:
    assert "\x1b" not in run("--help").output
    assert "\x1b" not in run("validate", "none.yaml").output


def test_a_valid_file_is_confirmed(run: Run) -> None:
    path = write(DOCUMENT)
    done = run("validate", OPENAI_API_KEY=KEY)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"✓ {path.absolute()} is valid\n"
    assert json.loads(run("validate", "--json", OPENAI_API_KEY=KEY).stdout)["ok"] is True


def test_each_finding_is_a_block_with_place_message_and_remedy(run: Run) -> None:
    path = write(DOCUMENT).absolute()
    done = run("validate")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error  {path}:8:3  model_providers[0].access_key\n")
    assert "\nEnvironment variable OPENAI_API_KEY is not set\n→ run `export OPENAI_API_KEY=...`" in done.stderr
    assert done.stderr.endswith("✗ Validation failed: 1 error\n")


def test_all_findings_are_shown_at_once(run: Run) -> None:
    write({**DOCUMENT, "model_aliases": {"fast": {"target": "nowhere"}}, "unknown_key": 1})
    done = run("validate", OPENAI_API_KEY=KEY)
    assert done.exit_code == 1
    assert "unknown_key" in done.stderr
    assert "nowhere" in done.stderr
    assert KEY not in done.output


def test_findings_as_json(run: Run) -> None:
    write(DOCUMENT)
    done = run("validate", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"]) == (1, False)
    (finding,) = report["findings"]
    assert (finding["severity"], finding["code"]) == ("error", "unset-variable")
    assert finding["path"] == "model_providers[0].access_key"
    assert set(finding) == {"severity", "code", "message", "remedy", "path", "file", "line", "column"}


def test_a_file_that_is_named_but_missing_is_a_finding(run: Run) -> None:
    done = run("validate", "none.yaml")
    assert done.exit_code == 1
    assert "none.yaml: no such file" in done.stderr
    assert json.loads(run("validate", "none.yaml", "--json").stdout)["findings"][0]["code"] == "no-such-file"


def test_nothing_to_validate_is_a_usage_error(run: Run) -> None:
    done = run("validate")
    assert done.exit_code == 2
    assert "no FILE was named" in done.output
    assert run("validate", "--path", "nowhere").exit_code == 2


def test_variables_come_from_the_env_file(run: Run, tmp_path: Path) -> None:
    write(DOCUMENT)
    (tmp_path / "keys").write_text(f"export OPENAI_API_KEY='{KEY}'\n")
    assert run("validate", "--env-file", "keys").exit_code == 0
    missing = run("validate", "--env-file", "none")
    assert missing.exit_code == 1
    assert "✗ env file none does not exist" in missing.stderr


def test_validate_can_write_what_it_checked(run: Run, tmp_path: Path) -> None:
    write(DOCUMENT)
    assert run("validate", "--render", "out", OPENAI_API_KEY=KEY).exit_code == 0
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {"plano_config_rendered.yaml", "envoy.yaml", "lds.yaml", "cds.yaml"} <= {path.name for path in files}
    assert not [path for path in files if KEY in path.read_text()]


def test_a_bedrock_provider_without_a_region_is_the_one_finding(run: Run, tmp_path: Path) -> None:
    entry = {"model": "amazon_bedrock/claude", "base_url": "https://proxy.example"}
    path = write({**DOCUMENT, "model_providers": [entry]}).absolute()
    nowhere = {"HOME": str(tmp_path), **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"), "")}
    for command in ("validate", "up"):
        done = run(command, str(path), **nowhere)
        assert done.exit_code == 1
        assert done.stderr.startswith(f"error  {path}:")
        assert "  model_providers[0].base_url\n" in done.stderr
        assert "→ write base_url: https://bedrock-runtime.<region>.amazonaws.com, or set AWS_REGION" in done.stderr
        assert "report it" not in done.stderr


def test_a_configuration_that_envoy_refuses_is_a_finding_with_envoy_s_reason(run: Run, tmp_path: Path) -> None:
    envoy = tmp_path / "envoy"
    envoy.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'envoy version: a/1.40.0/Clean/RELEASE/BoringSSL' && exit 0\n"
        "echo '[2026-01-01 00:00:00.000][1][critical][main] [source/a.cc:1] no such field: bogus' >&2; exit 1\n"
    )
    envoy.chmod(0o755)
    write(DOCUMENT)
    done = run("validate", "--envoy-path", str(envoy), OPENAI_API_KEY=KEY)
    assert done.exit_code == 1
    assert "Envoy refuses the result: no such field: bogus" in done.stderr
    assert "[critical]" not in done.stderr


def test_an_envoy_that_does_not_exist_is_an_error(run: Run) -> None:
    write(DOCUMENT)
    done = run("validate", "--envoy-path", "/no/envoy", OPENAI_API_KEY=KEY)
    assert done.exit_code == 1
    assert "✗ --envoy-path names /no/envoy, which is not an executable file" in done.stderr


def test_status_of_nothing(run: Run) -> None:
    done = run("status")
    assert (done.exit_code, done.output) == (3, "Plano is not running (instance default)\n")
    report = run("status", "--json", "--instance", "blue")
    assert report.exit_code == 3
    assert json.loads(report.output) == {
        "instance": "blue",
        "running": False,
        "ready": False,
        "other_instances": [],
    }


def test_down_of_nothing_is_no_error_and_leaves_no_folder(run: Run, tmp_path: Path) -> None:
    done = run("down")
    assert (done.exit_code, done.output) == (0, f"Plano CLI v{__version__}\nNo Plano instance was running\n")
    assert not (tmp_path / "home").exists()


def test_logs_of_nothing(run: Run) -> None:
    done = run("logs")
    assert done.exit_code == 1
    assert "✗ there are no logs yet" in done.stderr
    assert "→ run `planoctl up`" in done.stderr


def test_the_last_lines_of_the_wanted_logs_are_shown(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "run" / "logs"
    folder.mkdir(parents=True)
    (folder / "envoy.log").write_text("one\ntwo\nthree [bold]\n")
    (folder / "access.log").write_text("GET /\n")
    assert run("logs", "-n", "2").output == "access        GET /\nenvoy         two\nenvoy         three [bold]\n"
    assert run("logs", "--component", "access").output == "access        GET /\n"
    nothing = run("logs", "-c", "extproc")
    assert nothing.exit_code == 1
    assert "there are no such logs" in nothing.stderr
    assert run("logs", "-c", "nonsense").exit_code == 2


def test_requests_can_be_read_and_other_lines_stay_as_they_are(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "run" / "logs"
    folder.mkdir(parents=True)
    (folder / "envoy.log").write_text('{"status": 1, "time": "x"}\n')
    record = {"time": "2026-11-21T08:57:33Z", "status": 200, "method": "POST", "path": "/v1/messages", "duration_ms": 7,
              "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 1000, "output_tokens": 10},
              "request_id": "r-9"}  # fmt: skip
    (folder / "access.log").write_text("not JSON\n" + json.dumps(record) + "\n")
    garbled, pretty, envoy = run("logs", "--pretty").output.splitlines()
    assert garbled == "access        not JSON"
    assert envoy == 'envoy         {"status": 1, "time": "x"}'
    assert re.fullmatch(
        r"access        [0-9:.]+ 200 POST /v1/messages openai/gpt-4o 7ms 1,000 → 10 tokens \$0\.[0-9]+ r-9", pretty
    )


@pytest.mark.parametrize("arguments", [("--instance", "../x"), ("--instance", "A B")])
def test_a_bad_instance_name_is_a_usage_error(arguments: tuple[str, ...], run: Run) -> None:
    done = run("status", *arguments)
    assert done.exit_code == 2
    assert "Invalid value for '--instance'" in done.output


@pytest.mark.parametrize("level", ["loud", ""])
def test_a_bad_log_level_of_the_environment_is_a_friendly_error(level: str, run: Run) -> None:
    done = run("up", "missing.yaml", LOG_LEVEL=level)
    assert done.exit_code == (2 if level else 1)
    assert "Traceback" not in done.output


def test_an_internal_port_that_is_no_port_is_explained(run: Run) -> None:
    done = run("up", PLANO_ADMIN_PORT="http")
    assert done.exit_code == 1
    assert "✗ PLANO_ADMIN_PORT=http is no TCP port" in done.stderr


def test_a_listener_on_an_internal_port_is_explained(run: Run) -> None:
    done = run("up", "--listener-port", "9901")
    assert done.exit_code == 1
    assert "port 9901 is wanted by listener llm and by Envoy admin" in done.stderr
