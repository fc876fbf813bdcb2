"""A sidecar worker dies under load: who notices, what they are told, and how soon it is back."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from planoctl.mock_provider.server import RunningMock
from planoctl.port_check import free_port
from planoctl.supervise.state import ChildState, read_state
from tests.integration.conftest import KEY
from tests.integration.planoctl_cli import Cli

pytestmark = pytest.mark.envoy

CLIENTS = 24
SECONDS = 6.0
BACK_WITHIN = 2.0


@dataclass(frozen=True)
class Outcome:
    at: float
    status: int
    body: Any


def worker(cli: Cli) -> ChildState:
    state = read_state(cli.paths.state_path)
    assert state is not None
    return next(child for child in state.children if child.name == "extproc-0")


async def ask(url: str, outcomes: list[Outcome], until: float) -> None:
    body = {"model": "mock-gpt", "messages": [{"role": "user", "content": "hi"}]}
    async with httpx.AsyncClient(timeout=10) as client:
        while time.monotonic() < until:
            response = await client.post(f"{url}/v1/chat/completions", json=body)
            outcomes.append(Outcome(time.monotonic(), response.status_code, response.json()))


async def load_with_a_kill(url: str, pid: int) -> tuple[list[Outcome], float]:
    outcomes: list[Outcome] = []
    until = time.monotonic() + SECONDS
    clients = [asyncio.create_task(ask(url, outcomes, until)) for _ in range(CLIENTS)]
    await asyncio.sleep(1.5)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*clients)
    return outcomes, killed


async def test_only_requests_in_flight_on_a_killed_worker_fail_and_it_is_back_within_two_seconds(
    cli: Cli, mock: RunningMock
) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", "--workers", "2", MOCK_KEY=KEY)
    outcomes, killed = await load_with_a_kill(f"http://127.0.0.1:{port}", cli.pid_of("extproc-0"))
    failed = [outcome for outcome in outcomes if outcome.status != 200]
    assert len(outcomes) > 100
    assert len(failed) <= CLIENTS
    for outcome in failed:
        assert outcome.status in {500, 502, 503, 504}
        assert outcome.body["error"]["message"]
        assert killed <= outcome.at <= killed + BACK_WITHIN
    assert [outcome for outcome in outcomes if outcome.at > killed + BACK_WITHIN and outcome.status == 200]
    assert worker(cli).restarts == 1
    assert worker(cli).phase == "ready"


def test_a_worker_that_hangs_is_replaced(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", "--workers", "2", MOCK_KEY=KEY)
    hung = cli.pid_of("extproc-0")
    os.kill(hung, signal.SIGSTOP)
    deadline = time.monotonic() + 40
    while worker(cli).pid in (hung, None):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    body = {"model": "mock-gpt", "messages": [{"role": "user", "content": "hi"}]}
    assert httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20).status_code == 200
