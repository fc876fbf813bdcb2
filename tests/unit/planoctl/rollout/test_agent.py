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
def test_a_file_that_the_configuration_names_is_followed_once_it_names_it(tmp_path: Path) -> None:
    source, keys = tmp_path / "plano_config.yaml", tmp_path / "keys.json"
    source.write_text("")
    keys.write_text("old")
    deployment = Deployment(run_dir=tmp_path / "run")
    loads: list[str] = []

    def load() -> Rendered:
        deployment.config_path.unlink(missing_ok=True)  # nothing runs that would have to take it up
        loads.append(keys.read_text())
        if loads[-1] == "broken":
            raise Invalid("no key set")
        return Rendered("rendered", {}, {}, (keys,) if source.read_text() else ())

    agent = Agent(deployment, [source], load, Invalid)
    agent.render()
    stop = threading.Event()
    following = threading.Thread(target=agent.follow, args=(stop,))
    following.start()

    def until_loaded(times: int) -> None:
        while len(loads) < times:
            stop.wait(0.05)

    try:
        keys.write_text("not named yet")
        source.write_text("names it")
        until_loaded(2)
        keys.write_text("broken")
        until_loaded(3)
        keys.write_text("renewed")
        until_loaded(4)
    finally:
        stop.set()
        following.join()
    assert loads == ["old", "not named yet", "broken", "renewed"]


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
