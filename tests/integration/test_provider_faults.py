"""What a client is told when the provider fails: status, its own API's error shape, provider, model and remedy."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.integration.test_bad_requests import CHAT, GOOD, MESSAGES, error_of, post

PAIRS = pytest.mark.parametrize(
    ("path", "provider", "model"),
    [
        (CHAT, "openai", "mock-gpt"),
        (CHAT, "anthropic", "mock-claude"),
        (MESSAGES, "openai", "mock-gpt"),
        (MESSAGES, "anthropic", "mock-claude"),
    ],
)
STREAMED = pytest.mark.parametrize("stream", [False, True])

ANTHROPIC_TYPES = {
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def ask(
    gateway: Gateway, path: str, model: str, behaviour: str = "", *, stream: bool = False, **more: Any
) -> httpx.Response:
    headers = {"x-mock-behaviour": behaviour} if behaviour else {}
    return post(gateway, path, json={**GOOD, "model": model, "stream": stream, **more}, headers=headers)


def assert_explained(response: httpx.Response, path: str, provider: str, model: str) -> str:
    error = error_of(response, path)
    assert error["provider"] == provider
    assert error["model"] == model
    assert error["remedy"]
    for word in (provider, model, error["remedy"]):
        assert word in error["message"]
    assert KEY not in response.text
    return str(error["message"])


@PAIRS
@STREAMED
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503, 529])
def test_a_providers_error_status_comes_through_in_the_clients_shape(
    gateway: Gateway, path: str, provider: str, model: str, stream: bool, status: int
) -> None:
    response = ask(gateway, path, model, f"status={status}", stream=stream)
    assert response.status_code == status
    message = assert_explained(response, path, provider, model)
    assert f"The mock was asked for status {status}" in message
    if path == MESSAGES and status in ANTHROPIC_TYPES:
        assert response.json()["error"]["type"] == ANTHROPIC_TYPES[status]
    if status == 429:
        assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(("provider", "model"), [("openai", "wrong-key"), ("anthropic", "wrong-key-claude")])
def test_a_refused_key_is_a_401_that_names_the_entry_to_correct(
    gateway: Gateway, path: str, provider: str, model: str
) -> None:
    response = ask(gateway, path, model)
    assert response.status_code == 401
    assert "access_key" in assert_explained(response, path, provider, model)


@PAIRS
@STREAMED
def test_an_html_error_page_becomes_json(gateway: Gateway, path: str, provider: str, model: str, stream: bool) -> None:
    response = ask(gateway, path, model, "html=502", stream=stream)
    assert response.status_code == 502
    message = assert_explained(response, path, provider, model)
    assert "502 Bad Gateway" in message
    assert "<" not in message


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@STREAMED
@pytest.mark.parametrize(
    ("provider", "model", "status", "words"),
    [
        ("openai", "down", 503, "connection refused"),
        ("anthropic", "down-claude", 503, "connection refused"),
        ("openai", "tls", 502, "TLS"),
        ("anthropic", "tls-claude", 502, "TLS"),
    ],
)
def test_a_provider_that_cannot_be_reached_is_told_apart_from_one_that_fails(
    gateway: Gateway, path: str, provider: str, model: str, status: int, words: str, stream: bool
) -> None:
    response = ask(gateway, path, model, stream=stream)
    assert response.status_code == status
    assert words in assert_explained(response, path, provider, model)


@PAIRS
@STREAMED
def test_a_connection_reset_before_the_answer_is_a_502(
    gateway: Gateway, path: str, provider: str, model: str, stream: bool
) -> None:
    response = ask(gateway, path, model, "reset", stream=stream)
    assert response.status_code == 502
    assert "closed the connection" in assert_explained(response, path, provider, model)


TRANSLATED = pytest.mark.parametrize(
    ("path", "provider", "model"), [(CHAT, "anthropic", "mock-claude"), (MESSAGES, "openai", "mock-gpt")]
)


@TRANSLATED
@pytest.mark.parametrize("behaviour", ["malformed", "empty", "cutclean"])
def test_an_answer_that_is_not_what_the_api_promises_is_a_502(
    gateway: Gateway, path: str, provider: str, model: str, behaviour: str
) -> None:
    response = ask(gateway, path, model, behaviour)
    assert response.status_code == 502
    assert "Response parsing error" in assert_explained(response, path, provider, model)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = response.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]


@TRANSLATED
@pytest.mark.parametrize("behaviour", ["cutclean=3", "malformed", "error-event=2"])
def test_a_translated_stream_that_fails_ends_with_an_error_event_of_the_clients_api(
    gateway: Gateway, path: str, provider: str, model: str, behaviour: str
) -> None:
    response = ask(gateway, path, model, behaviour, stream=True)
    assert response.status_code == 200
    last = events(response)[-1]
    assert "error" in last
    assert "data: [DONE]" not in response.text
    if path == MESSAGES:
        assert last["type"] == "error"
        assert "event: error" in response.text
        assert "message_stop" not in response.text


@PAIRS
def test_a_stream_whose_connection_breaks_never_looks_complete(
    gateway: Gateway, path: str, provider: str, model: str
) -> None:
    try:
        response = ask(gateway, path, model, "cut=3", stream=True)
    except httpx.RemoteProtocolError:
        return
    if response.status_code != 200:  # it broke before Envoy had sent the first byte
        assert response.status_code == 502
        assert_explained(response, path, provider, model)
        return
    assert "[DONE]" not in response.text
    assert "message_stop" not in response.text


@PAIRS
@pytest.mark.parametrize("behaviour", ["chunk=1", "chunk=7", "crlf", "comments", "dribble", "gzip", "delay=0.3"])
def test_a_stream_is_the_same_however_its_bytes_arrive(
    gateway: Gateway, path: str, provider: str, model: str, behaviour: str
) -> None:
    question = [{"role": "user", "content": "Grüße 🙂 an alle"}]
    plain = ask(gateway, path, model, stream=True, messages=question)
    other = ask(gateway, path, model, behaviour, stream=True, messages=question)
    assert other.status_code == 200
    assert texts(other, path) == texts(plain, path) == "You said: Grüße 🙂 an alle"
    assert [event.get("type", event.get("object")) for event in events(other)] == [
        event.get("type", event.get("object")) for event in events(plain)
    ]


def texts(response: httpx.Response, path: str) -> str:
    if path == MESSAGES:
        return "".join(event.get("delta", {}).get("text", "") for event in events(response))
    choices = [choice for event in events(response) for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@PAIRS
def test_a_compressed_answer_is_read(gateway: Gateway, path: str, provider: str, model: str) -> None:
    response = ask(gateway, path, model, "gzip;big=100000", max_tokens=1_000_000)
    assert response.status_code == 200
    assert len(response.text) > 100000


@TRANSLATED
def test_a_provider_that_answers_plain_json_to_a_stream_still_gives_a_stream(
    gateway: Gateway, path: str, provider: str, model: str
) -> None:
    response = ask(gateway, path, model, "plain", stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert texts(response, path) == "You said: hi"


@PAIRS
def test_a_client_that_goes_away_harms_nobody(gateway: Gateway, path: str, provider: str, model: str) -> None:
    body = {**GOOD, "model": model, "stream": True}
    headers = {"x-mock-behaviour": "stall=2"}
    with httpx.stream("POST", gateway.url + path, json=body, headers=headers, timeout=5) as response:
        next(response.iter_bytes())
    assert ask(gateway, path, model).status_code == 200


@pytest.fixture(scope="module")
def impatient(mock: RunningMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose listener gives up after two seconds without a byte."""
    port = free_port()
    document = {
        "listeners": [{"type": "model", "name": "llm", "address": "127.0.0.1", "port": port, "timeout": "2s"}],
        "model_providers": [
            {"model": "openai/mock-gpt", "base_url": mock.url, "access_key": "$MOCK_KEY"},
            {"model": "anthropic/mock-claude", "base_url": mock.url, "access_key": "$MOCK_KEY"},
        ],
    }
    with running_gateway(tmp_path_factory.mktemp("impatient"), document, {"MOCK_KEY": KEY}, port=port) as running:
        yield running


@PAIRS
def test_a_provider_that_hangs_is_given_up_after_the_listeners_timeout(
    impatient: Gateway, path: str, provider: str, model: str
) -> None:
    response = ask(impatient, path, model, "delay=20")
    assert response.status_code == 504
    message = assert_explained(response, path, provider, model)
    assert "did not answer in time" in message


@PAIRS
def test_a_stream_longer_than_the_timeout_lives_as_long_as_bytes_flow(
    impatient: Gateway, path: str, provider: str, model: str
) -> None:
    question = [{"role": "user", "content": "one two three four five six seven"}]
    started = time.monotonic()
    response = ask(impatient, path, model, "gap=0.4", stream=True, messages=question)
    assert texts(response, path).endswith("seven")
    assert time.monotonic() - started > 2


@PAIRS
@STREAMED
@pytest.mark.parametrize("status", ["", ";status=503"])
def test_headers_of_proxies_before_the_provider_do_not_reach_the_client(
    gateway: Gateway, path: str, provider: str, model: str, stream: bool, status: str
) -> None:
    headers = ask(gateway, path, model, f"proxied{status}", stream=stream).headers
    assert not [name for name in headers if name.startswith(("x-envoy-", "x-arch-"))]
    assert not {"via", "alt-svc", "x-plano-gateway-error"} & set(headers)
    assert headers["server"] == "plano"
    assert (headers["x-plano-model"], headers["x-plano-provider"]) == (f"{provider}/{model}", provider)
