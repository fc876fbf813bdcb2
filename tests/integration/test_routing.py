"""Requests go where preferences send them, and on without a decision when none can be had."""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, running_gateway
from tests.redis_server import RedisServer

CODING, REASONING = "code generation", "complex reasoning"
PREFERENCES: list[dict[str, Any]] = [
    {
        "name": CODING,
        "description": "writing new functions, scripts and programs",
        "models": ["anthropic/coder", "openai/general"],
    },
    {
        "name": REASONING,
        "description": "hard problems that need mathematical or logical thinking in many steps",
        "models": ["openai/thinker", "anthropic/coder"],
    },
]
CODE: Any = [{"role": "user", "content": "write a sort function in Rust"}]
SMALL_TALK: Any = [{"role": "user", "content": "hello there"}]
TIMEOUT_MS = 700


class FakeOrchestrator(BaseHTTPRequestHandler):
    """Chooses by a word in the prompt; `server.mode` makes it misbehave, `server.prompts` is what it was asked."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = body["messages"][0]["content"]
        server.prompts.append((body, dict(self.headers)))
        if server.mode == "hang":
            time.sleep(5)
        talk = prompt.partition("<conversation>\n")[2]
        route = [CODING] if "sort function" in talk else [REASONING] if "prove" in talk else []
        content = "this is no JSON" if server.mode == "garbage" else json.dumps({"route": route})
        answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()
        with contextlib.suppress(OSError):
            self.send_response(503 if server.mode == "broken" else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def orchestrator() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), FakeOrchestrator)
    server.mode, server.prompts = "", []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def document(mock: RunningMock, **sections: Any) -> dict[str, Any]:
    def entry(model: str, **more: Any) -> dict[str, Any]:
        return {"model": model, "base_url": mock.url, "access_key": "$MOCK_KEY", **more}

    return {
        "model_providers": [
            entry("openai/general", default=True),
            entry("openai/thinker"),
            entry("anthropic/coder"),
            *sections.pop("more_providers", ()),
        ],
        "model_aliases": {"mine": {"target": "openai/general"}},
        "routing_preferences": PREFERENCES,
        **sections,
    }


@pytest.fixture(scope="module")
def gateway(mock: RunningMock, orchestrator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    router = {
        "model": "openai/router-model",
        "base_url": f"http://127.0.0.1:{orchestrator.server_address[1]}",
        "access_key": "$MOCK_KEY",
    }
    config = document(
        mock,
        more_providers=[router],
        overrides={"llm_routing_model": "openai/router-model", "routing_timeout_ms": TIMEOUT_MS},
    )
    with running_gateway(tmp_path_factory.mktemp("routed"), config, {"MOCK_KEY": KEY}, workers=2) as running:
        yield running


@pytest.fixture(autouse=True)
def well_behaved(orchestrator: Any) -> None:
    orchestrator.mode = ""
    orchestrator.prompts.clear()


def ask(gateway: Gateway, messages: Any, **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    path = more.pop("path", "/v1/chat/completions")
    body = {"model": "openai/general", "messages": messages, **more}
    return httpx.post(f"{gateway.url}{path}", json=body, headers=headers, timeout=20)


def test_a_request_that_fits_a_preference_goes_to_its_first_model(gateway: Gateway, orchestrator: Any) -> None:
    answer = ask(gateway, CODE)
    assert answer.status_code == 200
    told = {name: answer.headers.get(f"x-plano-{name}") for name in ("model", "route", "routing", "attempts")}
    assert told == {"model": "anthropic/coder", "route": CODING, "routing": "routed", "attempts": "1"}
    assert answer.json()["object"] == "chat.completion"
    body, headers = orchestrator.prompts[0]
    assert body.keys() == {"messages", "model", "temperature"}
    assert body["model"] == "router-model"
    assert headers["authorization"] == f"Bearer {KEY}"


def test_another_preference_another_model(gateway: Gateway) -> None:
    answer = ask(gateway, [{"role": "user", "content": "prove that there are infinitely many primes"}])
    assert answer.headers["x-plano-model"] == "openai/thinker"


def test_without_a_match_the_named_model_answers(gateway: Gateway) -> None:
    for named in ("openai/general", "mine", ""):
        answer = ask(gateway, SMALL_TALK, model=named)
        assert answer.status_code == 200
        assert answer.headers["x-plano-model"] == "openai/general"
        assert answer.headers["x-plano-routing"] == "no-route"
        assert "x-plano-route" not in answer.headers


def test_all_three_client_formats_are_routed(gateway: Gateway) -> None:
    with anthropic.Anthropic(base_url=gateway.url, api_key="k", max_retries=0) as claude:
        raw = claude.messages.with_raw_response.create(model="openai/general", max_tokens=20, messages=CODE)
        assert raw.headers["x-plano-model"] == "anthropic/coder"
        assert raw.parse().content[0].type == "text"
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="k", max_retries=0) as chat:
        response = chat.responses.with_raw_response.create(model="openai/general", input="write a sort function")
        assert response.headers["x-plano-model"] == "anthropic/coder"
        chunks = list(chat.chat.completions.create(model="openai/general", messages=CODE, stream=True))
        assert chunks[0].model == "coder"


def test_inline_preferences_win_and_reach_no_provider(gateway: Gateway, mock: RunningMock) -> None:
    inline = [{"name": CODING, "description": "writing code", "models": ["openai/nobody", "openai/thinker"]}]
    mock.requests.clear()
    answer = ask(gateway, CODE, routing_preferences=inline)
    assert answer.headers["x-plano-model"] == "openai/thinker"
    assert "routing_preferences" not in json.dumps(list(mock.requests))
    unrouted = ask(gateway, CODE, routing_preferences=[])
    assert unrouted.headers["x-plano-model"] == "openai/general"
    assert "x-plano-routing" not in unrouted.headers


def test_the_older_inline_form_still_works(gateway: Gateway, mock: RunningMock) -> None:
    policy = [{"model": "openai/thinker", "routing_preferences": [{"name": CODING, "description": "code"}]}]
    mock.requests.clear()
    assert ask(gateway, CODE, routing_policy=policy).headers["x-plano-model"] == "openai/thinker"
    assert "routing_policy" not in json.dumps(list(mock.requests))


@pytest.mark.parametrize(("mode", "reason"), [("hang", "timeout"), ("garbage", "parse"), ("broken", "status")])
def test_a_router_that_fails_never_fails_the_request(
    gateway: Gateway, orchestrator: Any, mode: str, reason: str
) -> None:
    orchestrator.mode = mode
    answer = ask(gateway, CODE)
    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "openai/general"
    assert answer.headers["x-plano-routing"] == f"failed; reason={reason}"
    metrics = httpx.get(gateway.metrics_url).text
    assert f'brightstaff_router_failures_total{{reason="{reason}",route="llm"}}' in metrics


def test_a_session_stays_with_its_model(gateway: Gateway, orchestrator: Any) -> None:
    headers = {"X-Model-Affinity": "session-1"}
    first = ask(gateway, CODE, headers=headers)
    second = ask(gateway, SMALL_TALK, headers=headers)
    assert [answer.headers["x-plano-model"] for answer in (first, second)] == ["anthropic/coder"] * 2
    assert [answer.headers["x-plano-routing"] for answer in (first, second)] == ["routed", "pinned"]
    assert second.headers["x-plano-route"] == CODING
    assert len(orchestrator.prompts) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/routing/v1/chat/completions", {"model": "openai/general", "messages": CODE}),
        ("/routing/v1/messages", {"model": "openai/general", "max_tokens": 5, "messages": CODE}),
        ("/routing/v1/responses", {"model": "openai/general", "input": "write a sort function"}),
    ],
)
def test_a_decision_can_be_had_without_the_model(
    gateway: Gateway, mock: RunningMock, path: str, body: dict[str, Any]
) -> None:
    mock.requests.clear()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = httpx.post(f"{gateway.url}{path}", json=body, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.json() == {
        "models": ["anthropic/coder", "openai/general"],
        "model": "anthropic/coder",
        "route": CODING,
        "trace_id": trace,
        "pinned": False,
    }
    assert not mock.requests


def test_a_decision_without_a_route_says_so_and_pins_nothing_wrong(gateway: Gateway) -> None:
    headers = {"x-model-affinity": "session-2"}
    body = {"model": "openai/general", "messages": SMALL_TALK}
    path = f"{gateway.url}/routing/v1/chat/completions"
    decision = httpx.post(path, json=body, headers=headers).json()
    assert (decision["models"], decision["route"], decision["session_id"]) == (["none"], None, "session-2")
    assert ask(gateway, CODE, headers=headers).headers["x-plano-model"] == "openai/general"
    assert httpx.post(path, json=body, headers=headers).json()["pinned"] is True


def test_a_bad_body_is_refused_in_the_clients_format(gateway: Gateway) -> None:
    for content in (b"{", b"[]", b'{"messages": 5}'):
        answer = httpx.post(f"{gateway.url}/routing/v1/messages", content=content)
        assert answer.status_code == 400
        assert answer.json()["type"] == "error"


@pytest.fixture
def embedded(mock: RunningMock, tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(tmp_path, document(mock), {"MOCK_KEY": KEY}) as running:
        yield running


def test_without_a_routing_model_the_embedded_router_decides(embedded: Gateway) -> None:
    answer = ask(embedded, [{"role": "user", "content": "write a program that sorts numbers"}])
    assert answer.headers["x-plano-route"] == CODING
    assert answer.headers["x-plano-model"] == "anthropic/coder"


def test_requests_go_on_while_brightstaff_is_dead_or_frozen(embedded: Gateway) -> None:
    question: Any = [{"role": "user", "content": "write a program that sorts numbers"}]
    assert ask(embedded, question).headers["x-plano-routing"] == "routed"
    embedded.brightstaff.send_signal(signal.SIGSTOP)
    try:
        frozen = ask(embedded, question)
        unrouted = ask(embedded, question, routing_preferences=[])
    finally:
        embedded.brightstaff.send_signal(signal.SIGCONT)
    assert (frozen.status_code, frozen.headers["x-plano-routing"]) == (200, "failed; reason=timeout")
    assert frozen.headers["x-plano-model"] == "openai/general"
    assert unrouted.status_code == 200
    assert ask(embedded, question).headers["x-plano-routing"] == "routed"
    metric = 'brightstaff_router_failures_total{reason="timeout",route="llm"} 1.0'
    url = embedded.metrics_url
    deadline = time.monotonic() + 15
    while metric not in httpx.get(url).text and time.monotonic() < deadline:
        time.sleep(0.2)
    assert metric in httpx.get(url).text
    embedded.brightstaff.send_signal(signal.SIGKILL)
    embedded.brightstaff.wait()
    dead = ask(embedded, question)
    assert (dead.status_code, dead.headers["x-plano-routing"]) == (200, "failed; reason=unavailable")


def test_sessions_survive_without_redis_and_use_it_again_when_it_is_back(mock: RunningMock, tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    routing = {"session_cache": {"type": "redis", "url": "$REDIS_URL"}}
    environment = {"MOCK_KEY": KEY, "REDIS_URL": server.url}
    question: Any = [{"role": "user", "content": "write a program that sorts numbers"}]

    def outcome(gateway: Gateway, session: str) -> str:
        answer = ask(gateway, question, headers={"x-model-affinity": session})
        assert answer.status_code == 200
        return answer.headers["x-plano-routing"]

    try:
        with running_gateway(tmp_path, document(mock, routing=routing), environment) as gateway:
            assert [outcome(gateway, "s"), outcome(gateway, "s")] == ["routed", "pinned"]
            server.stop()
            assert [outcome(gateway, "s"), outcome(gateway, "s")] == ["routed", "routed"]
            metrics = httpx.get(gateway.metrics_url).text
            assert 'brightstaff_session_cache_events_total{outcome="error"}' in metrics
            server.start()
            deadline = time.monotonic() + 20
            while (found := outcome(gateway, "t")) != "pinned" and time.monotonic() < deadline:
                time.sleep(0.2)
            assert found == "pinned"
    finally:
        server.stop()
