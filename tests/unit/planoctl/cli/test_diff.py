"""`planoctl diff`: two files, and a file beside what an instance serves."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from planoctl.cli import cli
from planoctl.config.pipeline import dump_rendered, load_document
from planoctl.instance import Instance
from planoctl.supervise.identity import ProcessIdentity, write_identity

Diff = Callable[..., Result]

KEY = "sk-do-not-show-1234567890"
OLD = {
    "version": "v0.4.0",
    "listeners": [{"name": "llm", "type": "model", "port": 12000}],
    "model_providers": [{"model": "openai/gpt-4o", "access_key": "$OPENAI_API_KEY", "default": True}],
}
NEW = {
    **OLD,
    "listeners": [{"name": "llm", "type": "model", "port": 13000}],
    "model_providers": [*OLD["model_providers"], {"model": "groq/llama", "access_key": "$NOBODY_SET_THIS"}],
}


@pytest.fixture
def diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Diff:
    """Runs `planoctl diff` in a folder with `old.yaml` and `new.yaml`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NOBODY_SET_THIS", raising=False)
    Path("old.yaml").write_text(yaml.safe_dump(OLD))
    Path("new.yaml").write_text(f"# a comment\n{yaml.safe_dump(NEW)}")

    def invoke(*arguments: str, key: str = KEY) -> Result:
        return CliRunner().invoke(cli, ("diff", *arguments), env={"OPENAI_API_KEY": key}, prog_name="planoctl")

    return invoke


def serve(name: str, key: str) -> None:
    """An instance whose supervisor is this process, with the old configuration."""
    instance = Instance.named(name, os.environ)
    loaded = load_document(OLD, environment={"OPENAI_API_KEY": key})
    instance.create(instance.paths)
    instance.paths.config_path.write_text(dump_rendered(loaded.document))
    instance.paths.secrets_path.write_text(json.dumps(loaded.secrets))
    write_identity(ProcessIdentity.of(os.getpid()), instance.paths.pid_path)


def test_two_files_are_compared_without_the_keys_they_name(diff: Diff) -> None:
    done = diff("old.yaml", "new.yaml")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "old.yaml → new.yaml",
        "",
        "listeners",
        "  ~ llm",
        "      port  12000 → 13000",
        "",
        "models",
        "  + groq/llama  access_key: $NOBODY_SET_THIS",
        "",
        "1 listener changed, 1 model added",
        "  new listener address: 0.0.0.0:13000 (llm)",
        "  listener address given up: 0.0.0.0:12000 (llm); requests that are open may finish",
        "  the rest is taken up without dropping a request",
    ]


def test_the_json_says_the_same(diff: Diff) -> None:
    told = json.loads(diff("old.yaml", "new.yaml", "--json").stdout)
    assert told["different"] is True
    assert told["summary"] == "1 listener changed, 1 model added"
    assert [(each["kind"], each["name"]) for each in told["changes"]] == [("changed", "llm"), ("added", "groq/llama")]
    assert [effect["kind"] for effect in told["effects"]] == ["address", "closed", "live"]
    assert json.loads(diff("old.yaml", "old.yaml", "--json").stdout)["different"] is False


@pytest.mark.parametrize(("new", "code"), [("old.yaml", 0), ("new.yaml", 1)])
def test_the_exit_code_tells_on_request(diff: Diff, new: str, code: int) -> None:
    assert diff("old.yaml", new, "--exit-code").exit_code == code


def test_files_that_mean_the_same_are_said_to(diff: Diff) -> None:
    done = diff("old.yaml", "old.yaml")
    assert (done.exit_code, done.stdout) == (0, "old.yaml says the same as old.yaml\n")


def test_one_file_is_compared_with_what_runs(diff: Diff) -> None:
    serve("side", KEY)
    assert "running instance side → new.yaml" in diff("--instance", "side", "new.yaml").stdout
    assert diff("--instance", "side", "--exit-code", "old.yaml").exit_code == 0


def test_a_key_with_another_value_is_named_and_not_shown(diff: Diff) -> None:
    serve("side", "sk-old-value-1234567890")
    done = diff("--instance", "side", "old.yaml")
    assert "  ~ $OPENAI_API_KEY  another value" in done.stdout.splitlines()
    assert "everything is taken up without dropping a request" in done.stdout
    assert "sk-" not in done.output


def test_without_a_file_that_of_the_folder_is_taken(diff: Diff) -> None:
    serve("side", KEY)
    Path("new.yaml").rename("plano_config.yaml")
    assert "1 model added" in diff("--instance", "side").stdout


def test_nothing_to_compare_with_is_said_with_a_remedy(diff: Diff) -> None:
    done = diff("new.yaml")
    assert done.exit_code == 3
    assert "name two configurations" in done.output


def test_what_cannot_be_compared_is_refused(diff: Diff) -> None:
    assert diff("old.yaml", "missing.yaml").exit_code == 1
    assert diff("old.yaml", "new.yaml", "new.yaml").exit_code == 2
    assert diff().exit_code == 2
    Path("bad.yaml").write_text("version: v0.4.0\nlistenerz: []\n")
    done = diff("old.yaml", "bad.yaml")
    assert done.exit_code == 1
    assert "listenerz" in done.output
