"""Tracing as its switches say: whose decision sampling is, what of the content is told, dead collectors, reloads."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from planoctl.config.pipeline import dump_rendered, load_document
from planoctl.mock_provider.server import RunningMock
from planoctl.render import render_envoy, write_envoy
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.integration.span_receiver import SpanReceiver, Trace, http_span_receiver, span_receiver

pytestmark = pytest.mark.envoy

CHAT = "/v1/chat/completions"
CAPTURED = 300
CODE = {
    "name": "code generation",
    "description": "write a sort function, code, programs and scripts in a programming language",
    "models": ["anthropic/mock-claude"],
}


def document(mock: RunningMock, tracing: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    models = [
        {"model": "openai/mock-gpt", "base_url": mock.url, "access_key": KEY, "default": True},
        {"model": "anthropic/mock-claude", "base_url": mock.url, "access_key": KEY},
    ]
    return {"model_providers": models, **({} if tracing is None else {"tracing": tracing}), **more}


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with span_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def rarely(tmp_path_factory: pytest.TempPathFactory, mock: RunningMock, receiver: SpanReceiver) -> Iterator[Gateway]:
    """Traces what clients want to be traced, with its content, and hardly anything else."""
    tracing = {
        "random_sampling": 1,
        "opentracing_grpc_endpoint": receiver.url,
        "capture_content": True,
        "capture_bytes": CAPTURED,
        "message_preview": False,
    }
    config = document(mock, tracing, routing_preferences=[CODE])
    with running_gateway(tmp_path_factory.mktemp("rarely"), config) as running:
        yield running


class Asker:
    """Asks with traces of its own: `number` is one that no other request has."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.number = 0
        self.headers: dict[str, str] = {}

    def ask(self, text: str = "write a sort function in Rust", *, flags: str = "01", **body: Any) -> httpx.Response:
        self.number += 1
        body = {"model": "openai/mock-gpt", "messages": [{"role": "user", "content": text}], **body}
        headers = {"traceparent": f"00-{self.trace_id}-b7ad6b7169203331-{flags}", **self.headers}
        return httpx.post(f"{self.gateway.url}{CHAT}", json=body, headers=headers, timeout=20)

    @property
    def trace_id(self) -> str:
        return f"{id(self) % 2**32:024x}{self.number:08x}"


def llm_of(trace: Trace) -> dict[str, Any] | None:
    return next((each.attributes for each in trace if each.service == "plano(llm)"), None)


def traced(asker: Asker, receiver: SpanReceiver, answer: httpx.Response) -> Trace:
    def complete(trace: Trace) -> bool:
        return {"plano(llm)", "plano(inbound)", "plano(routing)"} <= {each.service for each in trace}

    def nudge() -> None:
        headers = {"traceparent": f"00-{1:032x}-{1:016x}-01"}
        httpx.get(f"{asker.gateway.url}/v1/models", headers=headers, timeout=5)

    return receiver.awaited(answer.headers["x-request-id"], complete, nudge)


def test_a_client_decides_whether_its_trace_is_recorded(
    rarely: Gateway, receiver: SpanReceiver, mock: RunningMock
) -> None:
    asker = Asker(rarely)
    unwanted = [asker.ask(flags="00") and asker.trace_id for _ in range(20)]
    trace = traced(asker, receiver, asker.ask())
    assert {each.span.trace_id.hex() for each in trace} == {asker.trace_id}
    assert [each for trace_id in unwanted for each in receiver.trace(trace_id)] == []
    sent = [each["headers"].get("traceparent", "") for each in mock.requests if each["method"] == "POST"]
    assert all(any(f"00-{trace_id}" in each and each.endswith("-00") for each in sent) for trace_id in unwanted)


def test_an_embedded_decision_is_a_span_without_calls(rarely: Gateway, receiver: SpanReceiver) -> None:
    asker = Asker(rarely)
    trace = traced(asker, receiver, asker.ask())
    decision = trace.of("plano(routing)")
    (llm,) = [each for each in trace if each.service == "plano(llm)"]
    assert decision.parent == llm.id
    assert [each for each in trace if each.parent == decision.id] == []
    assert decision.attributes["route.selected_model"] == "anthropic/mock-claude"
    assert decision.attributes["routing.determination_ms"] >= 0


def test_a_session_that_keeps_its_model_makes_no_span_of_a_decision(rarely: Gateway, receiver: SpanReceiver) -> None:
    asker = Asker(rarely)
    asker.headers = {"x-model-affinity": "session-pinned"}
    decided = traced(asker, receiver, asker.ask())
    assert decided.of("plano(routing)").attributes["routing.strategy"] == "routed"
    kept = asker.ask()
    trace = receiver.awaited(kept.headers["x-request-id"], lambda trace: llm_of(trace) is not None, lambda: None)
    told = llm_of(trace)
    assert told is not None
    assert (told["routing.strategy"], told["routing.selection_reason"]) == ("pinned", "earlier decision of the session")
    time.sleep(2)  # as long as a span of brightstaff takes at most
    assert [each.service for each in receiver.trace(asker.trace_id) if each.service == "plano(routing)"] == []


def test_content_is_told_where_it_is_wanted_and_no_more_of_it_than_that(
    rarely: Gateway, receiver: SpanReceiver
) -> None:
    asker = Asker(rarely)
    told = llm_of(traced(asker, receiver, asker.ask("Grüße 🦀")))
    assert told is not None
    assert json.loads(told["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Grüße 🦀"}]}
    ]
    assert "llm.user_message_preview" not in told
    long = llm_of(traced(asker, receiver, asker.ask("🦀" * 5000)))
    assert long is not None
    (message,) = json.loads(long["gen_ai.input.messages"])
    assert len(long["gen_ai.input.messages"].encode()) <= CAPTURED
    assert set(message["parts"][0]["content"]) == {"🦀"}


def reload(gateway: Gateway, config: dict[str, Any]) -> None:
    """Give the running gateway another configuration, and wait until it follows it."""
    listener = {"type": "model", "name": "llm", "address": "127.0.0.1", "port": gateway.port}
    loaded = load_document({"version": "v0.4.0", "listeners": [listener], **config}, environment={})
    gateway.deployment.secrets_path.write_text(json.dumps(loaded.secrets))
    gateway.deployment.config_path.write_text(dump_rendered(loaded.document))
    write_envoy(render_envoy(loaded.runtime, gateway.deployment), gateway.deployment.envoy_dir)


def until(true: Callable[[], object], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def clusters(gateway: Gateway) -> str:
    return httpx.get(f"{gateway.admin_url}/clusters", timeout=5).text


def test_tracing_is_switched_by_reloads_and_no_request_minds_a_collector_that_is_away(
    tmp_path: Path, mock: RunningMock
) -> None:
    off = document(mock, {"random_sampling": 0, "opentracing_grpc_endpoint": f"http://127.0.0.1:{free_port()}"})

    def on(url: str) -> dict[str, Any]:
        return document(mock, {"random_sampling": 100, "opentracing_grpc_endpoint": url})

    with span_receiver() as receiver, running_gateway(tmp_path / "run", off) as gateway:
        asker = Asker(gateway)
        log = gateway.deployment.log_dir / "brightstaff.log"
        assert asker.ask().status_code == 200
        assert "opentelemetry_collector" not in clusters(gateway)

        reload(gateway, on(f"http://127.0.0.1:{free_port()}"))
        until(lambda: "opentelemetry_collector" in clusters(gateway))
        until(lambda: asker.ask().status_code == 200 and "did not reach" in log.read_text())
        for _ in range(10):
            assert asker.ask().status_code == 200
            time.sleep(0.25)
        assert log.read_text().count("did not reach") == 1
        until(lambda: lost_in_export(gateway) >= 10)

        reload(gateway, on(receiver.url))
        until(lambda: asker.ask().status_code == 200 and {"plano(llm)", "plano(inbound)"} <= services(receiver))

        receiver.delay = 3
        answers = [asker.ask() for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert max(answer.elapsed.total_seconds() for answer in answers) < receiver.delay
        receiver.delay = 0

        reload(gateway, off)
        until(lambda: "opentelemetry_collector" not in clusters(gateway))
        until(lambda: still(receiver))
        assert [asker.ask().status_code for _ in range(3)] == [200] * 3
        time.sleep(2)
        assert receiver.trace(asker.trace_id) == []


def test_collectors_that_speak_only_http_receive_whole_traces(tmp_path: Path, mock: RunningMock) -> None:
    with http_span_receiver("x-auth", "s3cret-4711") as receiver:
        exporters = [
            {"type": "otlp_http", "url": receiver.url, "headers": {"x-auth": "$COLLECTOR_AUTH"}},
            {"type": "console"},
        ]
        config = document(mock, {"random_sampling": 100, "exporters": exporters})
        environment = {"COLLECTOR_AUTH": "s3cret-4711"}
        with running_gateway(tmp_path / "run", config, environment) as gateway:
            asker = Asker(gateway)
            answer = asker.ask()
            assert answer.status_code == 200
            trace = traced_wholly(asker, receiver, answer)
            log = gateway.deployment.log_dir / "brightstaff.log"
            until(lambda: '"service": "plano(llm)"' in log.read_text())
            files = [path.read_text() for path in gateway.deployment.envoy_dir.iterdir() if path.is_file()]
            assert not [text for text in files if "s3cret-4711" in text or "localhost:4317" in text]
    (inbound,) = [each for each in trace if each.span.name == f"POST {CHAT}" and each.service == "plano(inbound)"]
    assert trace.of("plano(llm)").parent == inbound.id
    assert trace.of("plano(inbound)", "attempt 1").parent == inbound.id


def traced_wholly(asker: Asker, receiver: SpanReceiver, answer: httpx.Response) -> Trace:
    wanted = {"plano(llm)", "plano(inbound)"}
    return receiver.awaited(
        answer.headers["x-request-id"], lambda trace: wanted <= {each.service for each in trace}, asker.ask
    )


def lost_in_export(gateway: Gateway) -> float:
    lines = httpx.get(gateway.metrics_url, timeout=5).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith('plano_spans_lost_total{stage="export"}'))


def services(receiver: SpanReceiver) -> set[str]:
    return {each.service for each in list(receiver.spans)}


def still(receiver: SpanReceiver) -> bool:
    """Whether nothing has come for a second."""
    before = len(receiver.spans)
    time.sleep(1)
    return len(receiver.spans) == before
