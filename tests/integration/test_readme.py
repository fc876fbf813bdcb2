"""The README's examples, run as they stand against the demo, on a port of the test's own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from planoctl.port_check import free_port
from tests.integration.test_cli_up import Cli

ROOT = Path(__file__).parents[2]
EXAMPLES: list[tuple[str, str]] = re.findall(
    r"<!-- tested -->\n```(sh|python)\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
)
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
