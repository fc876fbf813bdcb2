"""What the agent notes of the changes that it follows."""

import threading
from pathlib import Path

import pytest

from planoctl.config.deployment import Deployment
from planoctl.config.reloads import read_record
from planoctl.rollout.agent import Agent
from planoctl.rollout.rollout import Rendered


class Invalid(Exception):
    pass


@pytest.mark.timeout(30)
def test_a_change_that_cannot_be_used_is_noted(tmp_path: Path) -> None:
    source = tmp_path / "plano_config.yaml"
    source.write_text("good")

    def load() -> Rendered:
        if source.read_text() != "good":
            raise Invalid("a slip of the pen")
        return Rendered("rendered", {}, {})

    deployment = Deployment(run_dir=tmp_path / "run")
    agent = Agent(deployment, [source], load, Invalid)
    agent.render()
    assert read_record(deployment.run_dir) is None
    stop = threading.Event()
    following = threading.Thread(target=agent.follow, args=(stop,))
    source.write_text("no good at all")
    following.start()
    try:
        while (record := read_record(deployment.run_dir)) is None:
            stop.wait(0.05)
    finally:
        stop.set()
        following.join()
    assert (record.ok, record.message, record.failed) == (False, "a slip of the pen", 1)
