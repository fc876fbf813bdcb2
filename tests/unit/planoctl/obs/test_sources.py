"""Spans from files, and from a collector that comes and goes."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

from planoctl.obs.collector import CollectorSource, running_collector
from planoctl.obs.sources import FileSource, SourceError
from tests.obs_spans import span

Watch = Callable[[str], Iterator[dict[str, Any]]]


class _Unavailable(Exception):
    pass


class _NotACollector(_Unavailable):
    pass


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Callable[[Watch], None]:
    """Puts a function in the place of the client's `watch_spans`."""

    def put(watch: Watch) -> None:
        module = ModuleType("planoctl.traces.client")
        vars(module).update(watch_spans=watch, CollectorUnavailable=_Unavailable, NotACollector=_NotACollector)
        monkeypatch.setitem(sys.modules, "planoctl.traces", ModuleType("planoctl.traces"))
        monkeypatch.setitem(sys.modules, "planoctl.traces.client", module)

    monkeypatch.setattr("planoctl.obs.collector._RETRY_SECONDS", 0.01)
    return put


async def _take(source: CollectorSource, count: int) -> list[str]:
    taken: list[str] = []
    async for found in source.spans():
        taken.append(found["spanId"])
        if len(taken) == count:
            break
    return taken


async def test_a_file_has_one_span_per_line(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(span(number)) for number in range(250)) + b"\n\n")
    assert [found["spanId"] async for found in FileSource(file).spans()] == [f"{n:016x}" for n in range(250)]


@pytest.mark.parametrize(("line", "message"), [("{", "is not JSON"), ("[]", "is no JSON object")])
async def test_a_mistake_in_a_file_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text(f"{{}}\n{line}\n")
    with pytest.raises(SourceError, match=message) as caught:
        [found async for found in FileSource(file).spans()]
    assert f"{file}:2" in str(caught.value)


async def test_a_lost_connection_is_made_again_and_no_span_comes_twice(client: Callable[[Watch], None]) -> None:
    connections = iter([[span(1), span(2)], [], [span(2), span(3)]])
    over = threading.Event()

    def watch(address: str) -> Iterator[dict[str, Any]]:
        assert address == "here:1"
        spans = next(connections, None)
        if spans is None:
            over.wait(30)
            return
        yield from spans
        raise _Unavailable

    client(watch)
    source = CollectorSource("here:1")
    try:
        assert await asyncio.wait_for(_take(source, 3), 30) == [f"{number:016x}" for number in (1, 2, 3)]
    finally:
        over.set()


async def test_a_stranger_on_the_port_ends_the_stream(client: Callable[[Watch], None]) -> None:
    def watch(address: str) -> Iterator[dict[str, Any]]:
        yield span(1)
        raise _NotACollector(f"what listens on {address} is no collector")

    client(watch)
    spans = CollectorSource("here:1").spans()
    assert (await anext(spans))["spanId"] == f"{1:016x}"
    with pytest.raises(SourceError, match="no collector: stop it, or choose another --port"):
        await anext(spans)


async def test_the_oldest_spans_go_when_nobody_takes_them(
    client: Callable[[Watch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planoctl.obs.collector._WAITING", 10)
    first_taken, all_sent = threading.Event(), threading.Event()

    def watch(address: str) -> Iterator[dict[str, Any]]:
        yield span(0)
        first_taken.wait(30)
        yield from (span(number) for number in range(1, 50))
        all_sent.set()
        raise _NotACollector(address)

    client(watch)
    source = CollectorSource("here:1")
    spans = source.spans()
    await anext(spans)
    first_taken.set()
    assert await asyncio.to_thread(all_sent.wait, 30)
    rest = [(await anext(spans))["spanId"] for _ in range(10)]
    assert (rest, source.dropped) == ([f"{number:016x}" for number in range(40, 50)], 39)


class _Background(ModuleType):
    class NotStarted(Exception):
        lines = ("address in use",)

    def __init__(self, running: int | None, *, startable: bool = True) -> None:
        super().__init__("planoctl.traces.background")
        self.log: list[str] = []
        self._running, self._startable = running, startable

    def local_address(self, host: str, port: int) -> str:
        return f"{host}:{port}"

    def collector_at(self, host: str, port: int) -> int | None:
        return self._running

    def start(self, settings: Any, leash: int) -> str:
        if not self._startable:
            raise self.NotStarted("it ended")
        self.log.append(f"start {settings}")
        return "identity"

    def stop(self, port: int, identity: str) -> None:
        self.log.append(f"stop {port} {identity}")


@pytest.fixture
def background(monkeypatch: pytest.MonkeyPatch) -> Callable[[_Background], _Background]:
    def put(module: _Background) -> _Background:
        collector = ModuleType("planoctl.traces.collector")
        vars(collector).update(Settings=lambda host, port, http_port: f"{host} {port} {http_port}")
        monkeypatch.setitem(sys.modules, "planoctl.traces", ModuleType("planoctl.traces"))
        monkeypatch.setitem(sys.modules, "planoctl.traces.background", module)
        monkeypatch.setitem(sys.modules, "planoctl.traces.collector", collector)
        return module

    return put


def test_a_collector_that_runs_is_used_and_left_running(background: Callable[[_Background], _Background]) -> None:
    module = background(_Background(running=17))
    with running_collector("127.0.0.1", 4317) as found:
        assert found == ("127.0.0.1:4317", False)
    assert module.log == []


def test_a_collector_started_for_the_console_ends_with_it(background: Callable[[_Background], _Background]) -> None:
    module = background(_Background(running=None))
    with running_collector("127.0.0.1", 4317) as found:
        assert found == ("127.0.0.1:4317", True)
        assert module.log == ["start 127.0.0.1 4317 4318"]
    assert module.log[1:] == ["stop 4317 identity"]


def test_a_collector_that_cannot_start_is_an_error_with_its_log(
    background: Callable[[_Background], _Background],
) -> None:
    background(_Background(running=None, startable=False))
    started = running_collector("127.0.0.1", 4317)
    with pytest.raises(SourceError, match="no collector could be started there: it ended\naddress in use"):
        started.__enter__()
