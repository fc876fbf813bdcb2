"""The kit's command line, and the configuration that it prints."""

import json
from pathlib import Path

import pytest
import yaml

from planoctl.config.pipeline import load_document
from tests.conformance.__main__ import main
from tests.conformance.case import CASES, load_cases
from tests.conformance.plano_config import KEY, KEY_VARIABLE
from tests.integration.gateway import free_port


def test_the_printed_configuration_is_one_that_plano_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "--gateway-url", "http://127.0.0.1:14321", "--provider-port", "14322"]) == 0
    loaded = load_document(yaml.safe_load(capsys.readouterr().out), environment={KEY_VARIABLE: KEY})
    wanted = {f"{case.provider}/{case.model}" for case in load_cases()}
    assert {entry.name for entry in loaded.runtime.model_providers} >= wanted
    assert loaded.runtime.listeners[0].port == 14321


def test_cases_are_chosen_by_name_or_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", "chat-chat/text"]) == 0
    assert capsys.readouterr().out.split()[0] == "chat-chat/text"
    assert main(["--list", "--only", "*-chat/stream-t*"]) == 0
    assert "anthropic-chat/stream-text" in capsys.readouterr().out


def test_no_case_or_no_port_is_an_error_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", "nothing-like-this"]) == 2
    assert "nothing-like-this" in capsys.readouterr().err


def test_failures_give_an_exit_code_a_table_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    written = tmp_path / "results.json"
    arguments = ["--gateway-url", nobody, "--provider-port", str(free_port()), "--json", str(written)]
    assert main([*arguments, "--only", "chat-chat/text"]) == 1
    out = capsys.readouterr().out
    assert "FAILED chat-chat/text" in out
    assert out.splitlines()[-2].split() == ["all", "1", "1", "0", "1"]
    assert json.loads(written.read_text())[0]["passed"] is False


@pytest.mark.parametrize("folder", sorted(CASES.iterdir()), ids=lambda folder: folder.name)
def test_every_pair_has_at_least_25_cases(folder: Path) -> None:
    assert len(list(folder.glob("*/meta.json"))) >= 25
