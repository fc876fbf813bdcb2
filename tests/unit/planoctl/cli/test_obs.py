"""`planoctl obs` without its console: what it prints in a pipe, and what it refuses."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planoctl.cli import cli

SPANS = Path(__file__).parents[3] / "data" / "obs" / "spans.jsonl"


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["obs", *arguments], prog_name="planoctl")


def test_calls_are_printed_as_json_lines() -> None:
    done = _run("--replay", str(SPANS), "--json")
    assert done.exit_code == 0, done.output
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(calls) == 71
    assert {call["provider"] for call in calls} == {"anthropic", "openai", "gemini", "ollama", "mycompany"}
    assert sum(call["cost_usd"] or 0 for call in calls) > 0


def test_a_filter_holds_for_json_lines_too() -> None:
    done = _run("--replay", str(SPANS), "--json", "--filter", "status:4xx")
    assert [json.loads(line)["status_code"] for line in done.stdout.splitlines()] == [429, 429]


def test_own_prices_go_before_the_list(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("mycompany/assistant-internal-preview: {input: 1000000, output: 0}\n")
    done = _run("--replay", str(SPANS), "--json", "--filter", "provider:mycompany", "--prices", str(prices))
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert calls
    assert all(call["cost_usd"] == call["prompt_tokens"] for call in calls)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--replay", str(SPANS)], 1, "the console needs a terminal"),
        (["--json", "--replay", "missing.jsonl"], 1, "the file of --replay missing.jsonl does not exist"),
        (["--json", "--prices", "missing.yaml"], 1, "the price file missing.yaml does not exist"),
        (["--json", "--filter", "colour:red"], 2, "no field 'colour'"),
        (["--json", "--capacity", "0"], 2, "--capacity"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], code: int, message: str) -> None:
    done = _run(*arguments)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [("--prices", "gpt-4o: 3", "gpt-4o: no rates"), ("--replay", "{}\n[1]\n", ":2 is no JSON object")],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, option: str, text: str, message: str) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    done = _run("--json", option, str(file))
    assert done.exit_code == 1
    assert message in done.stderr
    assert "→" in done.stderr
