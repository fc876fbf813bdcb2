"""The load client of the benchmark, against its own fake upstream: figures that are wrong would go unnoticed."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cases import Case, Client
from tests.bench.servers import Target, build_program, free_port, start_upstream

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
GAP_MS = 20
STREAM = Case("stream", "chat", "openai", stream=True, connections=4)
UNARY = Case("unary", "messages", "anthropic", connections=2)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder: Path = tmp_path_factory.mktemp("llmbench")
    return Client(build_program(), folder, seconds=1.0, warmup=0.2, key="k")


@pytest.fixture(scope="module")
def upstream(client: Client) -> Iterator[Target]:
    with start_upstream(client.program, port=0, events=10, gap_us=GAP_MS * 1000) as target:
        yield target


def measured(client: Client, case: Case, address: str) -> dict[str, Any]:
    return client.measure(case, address, "a-model", {})


def test_the_time_between_events_is_that_of_the_upstream(client: Client, upstream: Target) -> None:
    figures = measured(client, STREAM, upstream.address)
    assert figures["errors"] == 0
    assert GAP_MS * 0.9 <= figures["gap50_ms"] <= GAP_MS * 5
    assert figures["ttft50_ms"] < figures["p50_ms"]
    assert figures["p50_ms"] >= 10 * GAP_MS


def test_answers_without_the_expected_text_are_errors(client: Client, upstream: Target) -> None:
    chat = dataclasses.replace(UNARY, client="chat")
    figures = client.measure(chat, upstream.address, "a-model", {}, prefix="/messages")  # is answered as Messages
    assert figures["requests"] == 0
    assert "expected text missing" in figures["first_error"]


def test_an_open_loop_keeps_its_rate(client: Client, upstream: Target) -> None:
    figures = measured(dataclasses.replace(client, rate=100.0), UNARY, upstream.address)
    assert figures["errors"] == 0
    assert figures["rps"] == pytest.approx(100, rel=0.2)


def test_an_open_loop_says_what_it_could_not_send(client: Client, upstream: Target) -> None:
    figures = measured(dataclasses.replace(client, rate=100.0), STREAM, upstream.address)
    assert figures["rps"] < 60
    assert figures["unanswered"] > 30
    assert figures["p99_ms"] > 2 * 10 * GAP_MS


def test_a_refused_connection_is_an_error(client: Client) -> None:
    figures = measured(client, UNARY, f"127.0.0.1:{free_port()}")
    assert (figures["requests"], figures["p50_ms"]) == (0, 0)
    assert figures["errors"] > 0
