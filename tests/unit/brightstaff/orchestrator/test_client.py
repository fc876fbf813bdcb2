import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from brightstaff.orchestrator.client import OrchestratorRouter, RoutingModel, routing_client
from brightstaff.orchestrator.prompt import RouteOption
from brightstaff.routing.types import Choice, RoutingFailed, Turn
from planoctl.config.runtime import Overrides, RoutingPreference
from tests.unit.brightstaff.orchestrator.fake_model import FakeModel, completion, http_answer, running_fake_model

_PREFERENCES = (
    RoutingPreference(name="Image generation", description="pictures", models=("a/1",)),
    RoutingPreference(name="Code generation", description="programs", models=("b/2",)),
)
_ASK = [Turn("user", "draw a cat")]


@pytest.fixture
async def model() -> AsyncIterator[FakeModel]:
    async with running_fake_model() as model:
        yield model


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with routing_client() as client:
        yield client


def _router(url: str, client: httpx.AsyncClient, model: str = "Plano-Orchestrator", **more: Any) -> OrchestratorRouter:
    overrides = Overrides(**more)
    return OrchestratorRouter(
        RoutingModel.configured(overrides, endpoint=url, model=model, provider="plano-orchestrator"), client
    )


async def test_the_first_route_of_the_answer_is_the_choice(model: FakeModel, client: httpx.AsyncClient) -> None:
    model.reply = completion('{"route": ["Nothing", "Code generation", "Image generation"]}')
    assert await _router(model.url, client).choose(_PREFERENCES, _ASK) == Choice("Code generation")


async def test_all_routes_can_be_had_in_the_answers_order(model: FakeModel, client: httpx.AsyncClient) -> None:
    model.reply = completion('{"route": ["b", "a"]}')
    routes = [RouteOption("a", "first"), RouteOption("b", "second")]
    assert await _router(model.url, client).choose_all(routes, _ASK) == ["b", "a"]


async def test_the_call_is_exact(model: FakeModel, client: httpx.AsyncClient) -> None:
    model.reply = completion('{"route": []}')
    trace = {"Traceparent": "00-aa-bb-01", "tracestate": "x=1", "authorization": "Bearer secret", "cookie": "c"}
    router = _router(f"{model.url}/", client)
    assert await router.choose(_PREFERENCES, _ASK, request_id="r-1", headers=trace) == Choice(None)
    (headers,) = model.headers
    hint = "x-arch-llm-provider-hint"
    assert model.targets == ["POST /v1/chat/completions HTTP/1.1"]
    assert {name: headers.get(name) for name in ("content-type", hint, "model", "x-request-id")} == {
        "content-type": "application/json",
        hint: "plano-orchestrator",
        "model": "plano-orchestrator",
        "x-request-id": "r-1",
    }  # fmt: skip
    assert (headers["traceparent"], headers["tracestate"]) == ("00-aa-bb-01", "x=1")
    assert not {"authorization", "cookie"} & headers.keys()
    prompt = json.dumps(model.prompt, ensure_ascii=False)
    expected = f'{{"messages":[{{"role":"user","content":{prompt}}}],"model":"Plano-Orchestrator","temperature":0.01}}'
    assert model.bodies == [expected.encode()]
    assert '{"name": "Image generation", "description": "pictures", "parameters": ' in model.prompt


async def test_an_arch_router_is_asked_in_its_own_words(model: FakeModel, client: httpx.AsyncClient) -> None:
    model.reply = completion('```json\n{"route": "Image generation"}\n```')
    assert await _router(model.url, client, "Arch-Router-1.5B").choose(_PREFERENCES, _ASK) == Choice("Image generation")
    assert model.headers[0]["model"] == "arch-router"
    assert '[{"name":"Image generation","description":"pictures"},' in model.prompt


@pytest.mark.parametrize(
    ("overrides", "most"),
    [({}, 8192 * 4), ({"orchestrator_model_context_length": 1000}, 4000), ({"routing_prompt": "arch_router_v1"}, 8192)],
)
async def test_the_prompt_keeps_to_the_budget(
    model: FakeModel, client: httpx.AsyncClient, overrides: dict[str, Any], most: int
) -> None:
    model.reply = completion("")
    await _router(model.url, client, **overrides).choose(_PREFERENCES, [Turn("user", "x" * 200_000)])
    assert most - 100 < len(model.prompt) < most + 200


@pytest.mark.parametrize(
    ("preferences", "conversation"),
    [((), _ASK), (_PREFERENCES, []), (_PREFERENCES, [Turn("user", "")])],
    ids=["no preferences", "no conversation", "no text"],
)
async def test_without_a_question_or_routes_nobody_is_asked(
    model: FakeModel,
    client: httpx.AsyncClient,
    preferences: tuple[RoutingPreference, ...],
    conversation: list[Turn],
) -> None:
    assert await _router(model.url, client).choose(preferences, conversation) == Choice(None)
    assert model.connections == 0


@pytest.mark.parametrize(
    "reply",
    [
        http_answer(b'{"choices":[]}'),
        http_answer(b'{"choices":[{"message":{"content":null}}]}'),
        completion('{"route": "other"}'),
        completion(""),
    ],
)
async def test_an_answer_without_a_route_is_no_failure(
    model: FakeModel, client: httpx.AsyncClient, reply: bytes
) -> None:
    model.reply = reply
    assert await _router(model.url, client).choose(_PREFERENCES, _ASK) == Choice(None)


_ERROR = b'{"error":{"message":"too long","param":"input_tokens","type":"BadRequestError"}}'


@pytest.mark.parametrize(
    ("reply", "code", "reason"),
    [
        (
            http_answer(_ERROR, "400 Bad Request"),
            "status",
            "Upstream returned 400: too long (param=input_tokens) [type=BadRequestError]",
        ),
        (http_answer(b"<html>", "502 Bad Gateway"), "status", "Upstream returned 502: <html>"),
        (http_answer(b"", "307 Temporary Redirect", "location: /elsewhere\r\n"), "status", "Upstream returned 307: "),
        (http_answer(b"<html>"), "parse", "Failed to parse JSON response: "),
        (http_answer(b'{"object":"list"}'), "parse", "Failed to parse JSON response: "),
        (http_answer(b"{}" + b" " * 1_000_000 + b"x"), "parse", "Failed to parse JSON response: "),
        (completion('{"route": ["Image'), "parse", "Orchestrator model error: Failed to parse JSON: "),
        (b"not http\r\n\r\n", "connect", "the routing model cannot be reached: RemoteProtocolError"),
        (http_answer(b'{"choices"')[:-3], "timeout", "no answer from the routing model within 300 ms"),
        (b"", "timeout", "no answer from the routing model within 300 ms"),
    ],
    ids=[
        "error object",
        "html error",
        "redirect",
        "html",
        "no completion",
        "endless",
        "cut",
        "no http",
        "hangs",
        "mute",
    ],
)
async def test_a_failure_is_told_with_its_kind(
    model: FakeModel, client: httpx.AsyncClient, reply: bytes, code: str, reason: str
) -> None:
    model.reply = reply
    with pytest.raises(RoutingFailed) as caught:
        await _router(model.url, client, routing_timeout_ms=300).choose(_PREFERENCES, _ASK)
    assert caught.value.code == code
    assert caught.value.reason.startswith(reason)
    assert len(model.targets) == 1


async def test_a_closed_connection_is_a_failure(model: FakeModel, client: httpx.AsyncClient) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.close()

    model.reply = hang_up
    with pytest.raises(RoutingFailed) as caught:
        await _router(model.url, client).choose(_PREFERENCES, _ASK)
    assert caught.value.code == "connect"


async def test_nobody_listening_is_a_failure(model: FakeModel, client: httpx.AsyncClient) -> None:
    async with running_fake_model() as gone:
        url = gone.url
    with pytest.raises(RoutingFailed) as caught:
        await _router(url, client).choose(_PREFERENCES, _ASK)
    assert caught.value.code == "connect"


async def test_an_answer_that_trickles_does_not_outlast_the_deadline(
    model: FakeModel, client: httpx.AsyncClient
) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    model.reply = trickle
    with pytest.raises(RoutingFailed) as caught:
        await _router(model.url, client, routing_timeout_ms=200).choose(_PREFERENCES, _ASK)
    assert caught.value.code == "timeout"


async def test_decisions_that_ran_out_of_time_leave_no_place_taken(model: FakeModel, client: httpx.AsyncClient) -> None:
    overrides = Overrides(routing_timeout_ms=500)
    asked = RoutingModel.configured(overrides, endpoint=model.url, model="m", provider="p")
    router = OrchestratorRouter(asked, client, at_once=2)
    outcomes = await asyncio.gather(*(router.choose(_PREFERENCES, _ASK) for _ in range(12)), return_exceptions=True)
    assert {getattr(outcome, "code", None) for outcome in outcomes} == {"timeout"}
    assert model.connections < 12
    model.reply = completion('{"route": ["Image generation"]}')
    for _ in range(4):
        assert await router.choose(_PREFERENCES, _ASK) == Choice("Image generation")


async def test_a_unix_socket_serves_any_url(tmp_path: Path) -> None:
    socket = tmp_path / "models"
    async with running_fake_model(socket) as model, routing_client(socket) as client:
        model.reply = completion('{"route": ["Image generation"]}')
        assert await _router("http://models", client).choose(_PREFERENCES, _ASK) == Choice("Image generation")
        assert model.headers[0]["host"] == "models"


async def test_connections_are_used_again(model: FakeModel, client: httpx.AsyncClient) -> None:
    model.reply = completion('{"route": []}')
    router = _router(model.url, client)
    for _ in range(5):
        await router.choose(_PREFERENCES, _ASK)
    assert model.connections == 1


async def test_proxies_of_the_environment_are_not_used(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    model.reply = completion('{"route": ["Image generation"]}')
    async with routing_client() as client:
        assert await _router(model.url, client).choose(_PREFERENCES, _ASK) == Choice("Image generation")


async def test_a_cancelled_decision_is_cancelled(model: FakeModel, client: httpx.AsyncClient) -> None:
    task = asyncio.create_task(_router(model.url, client, routing_timeout_ms=60_000).choose(_PREFERENCES, _ASK))
    while not model.bodies:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_text_that_utf8_cannot_hold_does_not_stop_a_decision(model: FakeModel, client: httpx.AsyncClient) -> None:
    model.reply = completion('{"route": ["Image generation"]}')
    preferences = (RoutingPreference(name="\ud800", description="\ud800", models=("a",)), _PREFERENCES[0])
    answer = await _router(model.url, client).choose(preferences, [Turn("user", "\udfff hi")], request_id="\n")
    assert answer == Choice("Image generation")
    assert "x-request-id" not in model.headers[0]
