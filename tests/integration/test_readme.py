"""The README's examples, run as they stand against mock providers, on ports of the test's own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from planoctl.mock_provider.server import run_in_thread
from planoctl.port_check import free_port
from tests.integration.planoctl_cli import Cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES: list[tuple[str, str]] = re.findall(r"<!-- tested -->\n```(sh|python)\n(.*?)```", README, re.DOTALL)
ROUTED: list[str] = re.findall(r"<!-- routed -->\n```\w*\n(.*?)```", README, re.DOTALL)
EXPECTED = ["You said: Hello", "message_stop", "You said: HelloYou said: Hello", "rate_limit_error"]

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    cli = Cli(tmp_path_factory.mktemp("readme"))
    number = free_port()
    output = cli.start("demo", "--listener-port", str(number))
    assert "You said: What does an AI gateway do?" in output
    yield number
    cli.start("down", "--instance", "demo")
    cli.end()


def test_every_example_has_an_expectation() -> None:
    assert len(EXAMPLES) == len(EXPECTED)


@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_an_example_of_the_readme_does_what_it_says(port: int, number: int) -> None:
    language, text = EXAMPLES[number]
    text = text.replace(":12000", f":{port}")
    command = ["bash", "-c", text] if language == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert EXPECTED[number] in done.stdout.replace("\n", "")


def start_routed(cli: Cli, port: int, openai: str, anthropic: str) -> str:
    """Start, or replace, the gateway of the README's routing example, with other addresses for the providers."""
    document = yaml.safe_load(ROUTED[0])
    document["listeners"][0] |= {"port": port, "address": "127.0.0.1"}
    for entry in document["model_providers"]:
        entry["base_url"] = anthropic if entry["model"].startswith("anthropic/") else openai
    (cli.folder / "plano_config.yaml").write_text(yaml.safe_dump(document))
    return cli.start("up", OPENAI_API_KEY="a", ANTHROPIC_API_KEY="b")


def ask_routed(cli: Cli, port: int) -> dict[str, str]:
    """The headers that the README's command shows."""
    command = ["bash", "-c", ROUTED[1].replace(":12000", f":{port}")]
    done = subprocess.run(command, cwd=cli.folder, capture_output=True, text=True, timeout=60, check=True)
    return headers(done.stdout)


def headers(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_the_routing_example_shows_the_headers_that_the_readme_shows(tmp_path: Path) -> None:
    cli, port = Cli(tmp_path), free_port()
    try:
        with run_in_thread() as mock:
            assert "warning" not in start_routed(cli, port, mock.url, mock.url)
            assert ask_routed(cli, port) == headers(ROUTED[2])
            start_routed(cli, port, mock.url, f"http://127.0.0.1:{free_port()}")
            moved = {"x-plano-model": "openai/gpt-4o", "x-plano-provider": "openai", "x-plano-attempts": "2"}
            assert ask_routed(cli, port) == headers(ROUTED[2]) | moved
    finally:
        cli.end()
