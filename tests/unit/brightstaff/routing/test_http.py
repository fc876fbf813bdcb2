"""`/routing/v1/*` through the whole application, decided by the embedded router."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY, generate_latest
from starlette.testclient import TestClient

from brightstaff.app import create_app
from brightstaff.state import State
from planoctl.config.runtime import ModelProvider, Overrides, Routing, RoutingPreference, RuntimeConfig

MODELS = tuple(
    ModelProvider(
        name=f"openai/{model}", provider_interface="openai", model=model, base_url="http://x", default=model == "c"
    )
    for model in ("a", "b", "c")
)
CODE = RoutingPreference(
    name="code generation",
    description="writing, fixing and explaining program code and functions",
    models=("openai/a", "openai/b"),
)
TRACE = "0123456789abcdef" * 2
PYTHON = "Write a Python function that sorts a list of integers, and fix the bug in this code"
BODIES: dict[str, dict[str, Any]] = {
    "/routing/v1/chat/completions": {"messages": [{"role": "user", "content": PYTHON}]},
    "/routing/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": PYTHON}]},
    "/routing/v1/responses": {"input": PYTHON},
}
CHAT = "/routing/v1/chat/completions"


def config(**members: Any) -> RuntimeConfig:
    return RuntimeConfig(version="v0.4.0", model_providers=MODELS, routing_preferences=(CODE,), **members)


def connected(settings: RuntimeConfig) -> TestClient:
    return TestClient(create_app(State(settings, Path("/nowhere/models.sock"))))


@pytest.fixture
def client() -> Iterator[TestClient]:
    with connected(config()) as client:
        yield client


@pytest.mark.parametrize("path", BODIES)
def test_each_api_gets_the_models_best_first_and_the_route(client: TestClient, path: str) -> None:
    response = client.post(path, json=BODIES[path], headers={"traceparent": f"00-{TRACE}-{'1' * 16}-01"})
    assert response.status_code == 200
    assert response.json() == {
        "models": ["openai/a", "openai/b"],
        "model": "openai/a",
        "route": "code generation",
        "trace_id": TRACE,
        "pinned": False,
    }
    assert response.headers["access-control-allow-origin"] == "*"


def test_without_a_trace_of_the_client_there_is_a_new_one_each_time(client: TestClient) -> None:
    for header in ({}, {"traceparent": "nonsense"}):
        first, second = (client.post(CHAT, json=BODIES[CHAT], headers=header).json()["trace_id"] for _ in range(2))
        assert len(first) == len(second) == 32
        assert first != second


def test_where_the_request_asks_for_no_routing_no_model_is_named(client: TestClient) -> None:
    answer = client.post(CHAT, json={**BODIES[CHAT], "routing_preferences": []}).json()
    assert (answer["models"], answer["model"], answer["route"]) == (["none"], "none", None)


def test_preferences_of_the_request_count_and_unknown_models_do_not(client: TestClient) -> None:
    own = {"name": "mine", "description": CODE.description, "models": ["nobody/x", "openai/c"]}
    answer = client.post(CHAT, json={**BODIES[CHAT], "routing_preferences": [own]}).json()
    assert (answer["models"], answer["route"]) == (["openai/c"], "mine")


def test_a_session_is_pinned_by_its_header(client: TestClient) -> None:
    header = {"x-model-affinity": "s-1"}
    first = client.post(CHAT, json=BODIES[CHAT], headers=header).json()
    weather = {"messages": [{"role": "user", "content": "What is the weather like?"}]}
    second = client.post(CHAT, json=weather, headers=header).json()
    assert (first["session_id"], first["pinned"]) == ("s-1", False)
    assert (second["session_id"], second["pinned"]) == ("s-1", True)
    assert (second["models"], second["route"]) == (first["models"], first["route"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b"{not json"),
        (CHAT, b"[]"),
        (CHAT, b"{}"),
        (CHAT, b'{"messages":"Hi"}'),
        ("/routing/v1/messages", b'{"input":"Hi"}'),
        ("/routing/v1/responses", b'{"messages":[]}'),
        ("/routing/v1/responses", b'{"input":5}'),
        (CHAT, b""),
    ],
)
def test_what_is_no_request_is_refused_in_the_shape_of_its_api(client: TestClient, path: str, body: bytes) -> None:
    response = client.post(path, content=body, headers={"x-request-id": "r-1"})
    assert response.status_code == 400
    answer = response.json()
    assert answer["error"]["message"].startswith("Failed to parse request")
    assert (answer.get("type") == "error") is (path == "/routing/v1/messages")


def test_browsers_may_ask_and_keep_sessions(client: TestClient) -> None:
    for path in BODIES:
        response = client.options(path)
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "*"
        assert "POST" in response.headers["access-control-allow-methods"]
        assert "X-Model-Affinity" in response.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", path, 405) for path in BODIES),
        ("DELETE", CHAT, 405),
        ("POST", "/routing/v1/embeddings", 405),
        ("POST", "/routing/v1/messages/count_tokens", 405),
        ("GET", "/nowhere", 404),
    ],
)
def test_only_post_to_the_three_apis_is_served(client: TestClient, method: str, path: str, status: int) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["message"].startswith(f"{method} {path} is not served here")


@pytest.mark.parametrize("on_error", ["fallback", "fail"])
def test_a_routing_model_that_cannot_be_reached_is_told_or_fails_the_request(on_error: Any) -> None:
    settings = config(routing=Routing(on_error=on_error), overrides=Overrides(llm_routing_model="openai/a"))
    with connected(settings) as client:
        response = client.post(CHAT, json=BODIES[CHAT])
    answer = response.json()
    if on_error == "fail":
        assert response.status_code == 500
        assert answer["error"]["code"] == "routing_failed"
        assert answer["error"]["message"].startswith("Failed to determine route")
    else:
        assert response.status_code == 200
        assert (answer["models"], answer["route"]) == (["none"], None)
        assert answer["error"]["code"]
        assert answer["error"]["message"]


def test_outcomes_are_counted(client: TestClient) -> None:
    def count(outcome: str) -> float:
        sought = f'brightstaff_routing_service_requests_total{{outcome="{outcome}"}} '
        lines = generate_latest(REGISTRY).decode().splitlines()
        return sum(float(line.removeprefix(sought)) for line in lines if line.startswith(sought))

    outcomes = ("decision_served", "no_candidates", "bad_request")
    before = [count(outcome) for outcome in outcomes]
    client.post(CHAT, json=BODIES[CHAT])
    client.post(CHAT, json={**BODIES[CHAT], "routing_preferences": []})
    client.post(CHAT, content=b"{")
    assert [count(outcome) for outcome in outcomes] == [number + 1 for number in before]


@pytest.mark.parametrize("path", BODIES)
def test_a_body_beyond_the_limit_is_a_413_in_the_clients_format(path: str) -> None:
    with connected(config(overrides=Overrides(max_request_bytes=1024))) as client:
        for limit, headers in ((1024, {}), (2000, {"x-arch-body-limit": "2000"})):
            body = orjson.dumps(BODIES[path]).ljust(limit)
            assert client.post(path, content=body, headers=headers).status_code == 200
            refused = client.post(path, content=body + b" ", headers=headers)
            assert refused.status_code == 413
            assert f"{limit} bytes" in refused.json()["error"]["message"]
            assert refused.json().get("type") == ("error" if path.endswith("/messages") else None)
