import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from brightstaff.telemetry import outlet as outlet_module
from brightstaff.telemetry import telemetry as telemetry_module
from brightstaff.telemetry.exporters import Console, OtlpGrpc, OtlpHttp, PostHog, exporters, relays
from brightstaff.telemetry.outlet import Outlet
from brightstaff.telemetry.span import Relayed, Span, TraceContext
from brightstaff.telemetry.telemetry import Telemetry
from planoctl.config.runtime import Tracing
from tests.unit.brightstaff.telemetry.observations import record

ON = Tracing(random_sampling=100, opentracing_grpc_endpoint="http://127.0.0.1:9")


class Losses:
    """Counts what is lost."""

    def __init__(self) -> None:
        self.spans = 0

    def __call__(self, spans: int) -> None:
        self.spans += spans


class Destination:
    """Takes spans, or fails as `fault` says; `gate` holds it up."""

    target = "http://there"

    def __init__(self, fault: Exception | None = None) -> None:
        self.taken: list[Any] = []
        self.fault = fault
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False
        self.calls = 0

    async def export(self, spans: Sequence[Any]) -> None:
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.taken += spans
        self.calls += 1

    async def close(self) -> None:
        self.closed = True


def span(*, sampled: bool = True, text: str = "") -> Span:
    context = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled)
    return Span(service="s", name="n", context=context, started=1, ended=2, attributes={"text": text})


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet_module, "_PAUSE_SECONDS", 0.01)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def telemetry_to(monkeypatch: pytest.MonkeyPatch, *destinations: Any) -> Telemetry:
    given = iter(destinations)
    monkeypatch.setattr(
        telemetry_module, "exporters", lambda tracing: [next(given)] if tracing and tracing.active else []
    )
    return Telemetry(lambda _provider, _model: None, Losses())


async def test_what_does_not_arrive_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    there = Destination(OSError("nobody listens"))
    losses = Losses()
    outlet = Outlet(there, losses)
    with caplog.at_level(logging.WARNING):
        for lost in (1, 2, 3):
            outlet.take(span())
            await until(lambda lost=lost: losses.spans == lost)
    assert [entry.message for entry in caplog.records] == ["1 spans did not reach http://there: nobody listens"]
    there.fault = None
    outlet.take(span())
    await until(lambda: there.taken)
    await outlet.close(1)
    assert there.closed


async def test_a_destination_that_takes_nothing_costs_no_more_memory_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outlet_module, "_MOST_WAITING", 1_000_000)
    there = Destination()
    there.gate.clear()
    losses = Losses()
    outlet = Outlet(there, losses)
    for number in range(100):
        outlet.take(span(text=str(number) + "x" * 50_000))
    there.gate.set()
    await until(lambda: there.taken)
    await outlet.close(1)
    assert len(there.taken) + losses.spans == 100
    assert losses.spans >= 80
    assert str(there.taken[-1].attributes["text"]).startswith("99x")


async def test_a_slow_destination_holds_up_no_other_and_the_end_is_not_waited_for_long() -> None:
    slow, quick = Destination(), Destination()
    slow.gate.clear()
    losses = Losses()
    outlets = [Outlet(slow, losses), Outlet(quick, losses)]
    for outlet in outlets:
        outlet.take(span())
    await until(lambda: quick.taken)
    async with asyncio.timeout(5):
        await outlets[0].close(0.05)
    assert (losses.spans, slow.taken, slow.closed) == (1, [], True)
    await outlets[1].close(1)


async def test_what_waits_is_exported_at_the_end() -> None:
    there = Destination()
    outlet = Outlet(there, Losses())
    outlet.take(span())
    await outlet.close(1)
    assert len(there.taken) == 1


async def test_another_configuration_is_another_destination_and_the_same_one_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = Destination(), Destination()
    telemetry = telemetry_to(monkeypatch, first, second)
    assert not telemetry.active
    await telemetry.configure(ON)
    await telemetry.configure(Tracing(random_sampling=100, opentracing_grpc_endpoint=ON.opentracing_grpc_endpoint))
    telemetry.record(span())
    await telemetry.configure(Tracing(random_sampling=50, opentracing_grpc_endpoint=ON.opentracing_grpc_endpoint))
    telemetry.record(span())
    await until(lambda: first.taken and first.closed and second.taken)
    await telemetry.configure(None)
    assert not telemetry.active
    telemetry.record(span())
    await until(lambda: second.closed)
    await telemetry.stop()
    assert (len(first.taken), len(second.taken)) == (1, 1)


async def test_only_what_is_sampled_is_recorded_and_a_bad_record_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there = Destination()
    telemetry = telemetry_to(monkeypatch, there)
    telemetry.record_requests([record()])
    await telemetry.configure(ON)
    telemetry.record(span(sampled=False))
    telemetry.record_requests([b"no JSON", record(), b"{}", record(trace_id="")])
    await until(lambda: there.taken)
    await telemetry.stop()
    assert [each.name for each in there.taken] == ["POST /v1/chat/completions gpt-4o"]
    assert sum("makes no span" in entry.message for entry in caplog.records) == 1


async def test_what_envoy_sends_here_is_exported_in_portions_and_counted_by_spans() -> None:
    there = Destination()
    losses = Losses()
    outlet = Outlet(there, losses)
    for _ in range(5):
        outlet.take(Relayed(b"x", 100))
    await until(lambda: len(there.taken) == 5)
    assert there.calls == 3
    there.fault = OSError("nobody listens")
    outlet.take(Relayed(b"x", 100))
    await until(lambda: losses.spans == 100)
    await outlet.close(1)


async def test_envoys_spans_go_to_http_collectors_unless_it_has_a_collector_of_its_own() -> None:
    entries: tuple[dict[str, Any], ...] = (
        {"type": "otlp_http", "url": "http://h/v1/traces"},
        {"type": "console"},
        {"type": "otlp_http", "url": "http://i/v1/traces"},
    )
    found = relays(Tracing(random_sampling=1, exporters=entries))
    assert [each.target for each in found] == ["http://h/v1/traces", "http://i/v1/traces"]
    for each in found:
        await each.close()
    assert relays(Tracing(random_sampling=1, opentracing_grpc_endpoint="http://c:4317", exporters=entries)) == []
    assert relays(Tracing(random_sampling=0, exporters=entries)) == []


async def test_each_exporter_of_a_configuration_has_one() -> None:
    entries: tuple[dict[str, Any], ...] = (
        {"type": "posthog", "url": "http://p", "api_key": "k"},
        {"type": "otlp_http", "url": "http://h/v1/traces", "headers": {"x-key": "schlüssel"}},
        {"type": "console"},
    )
    tracing = Tracing(random_sampling=1, opentracing_grpc_endpoint="http://c:4317", exporters=entries)
    made = exporters(tracing)
    assert [type(each) for each in made] == [OtlpGrpc, PostHog, OtlpHttp, Console]
    assert made[1].target == "http://p/batch/"
    for exporter in made:
        await exporter.close()
    assert exporters(Tracing(random_sampling=0, exporters=entries)) == []
