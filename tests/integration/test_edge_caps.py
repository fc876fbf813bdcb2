"""Caps, CORS and header hygiene of a listener."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import h2.config
import h2.connection
import httpx
import openai
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway

pytestmark = pytest.mark.envoy

PAGE = "https://app.example.com"
KEYS = {"x-plano-key": "gw-team-a-4c1d9e7f20"}
CHAT: dict[str, Any] = {"model": "mock-gpt", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def started(folder: Any, mock: RunningMock, **listener: Any) -> Any:
    port = free_port()
    entry = {"type": "model", "name": "capped", "address": "127.0.0.1", "port": port, **listener}
    model = {"model": "openai/mock-gpt", "base_url": mock.url, "access_key": "$MOCK_KEY"}
    access = {"headers": KEYS} if "auth" in listener else {}
    environment = {"MOCK_KEY": KEY, "TEAM_A_KEY": KEYS["x-plano-key"]}
    document = {"listeners": [entry], "model_providers": [model]}
    return running_gateway(folder / "run", document, environment, port=port, access=access)


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory, mock: RunningMock) -> Iterator[Gateway]:
    with started(
        tmp_path_factory.mktemp("capped"),
        mock,
        auth={"keys": [{"name": "team-a", "key": "$TEAM_A_KEY"}]},
        cors={"allow_origins": [PAGE, "https://*.pages.test"]},
        max_request_bytes=20_000,
        max_header_bytes=8192,
        max_headers=40,
    ) as gateway:
        yield gateway


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/models", "/routing/v1/messages", "/x"])
def test_a_preflight_of_an_allowed_page_needs_no_key(capped: Gateway, path: str) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-api-key"}
    answer = httpx.options(capped.url + path, headers={"origin": PAGE, **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {"authorization", "x-api-key", "content-type"} <= set(
        answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
    )
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-max-age"] == "600"
    for stranger in ("https://evil.test", f"{PAGE}.evil.test", "https://xpages.test", "null"):
        answer = httpx.options(capped.url + path, headers={"origin": stranger, **asked})
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_every_kind_of_answer_can_be_read_by_the_page(capped: Gateway, path: str) -> None:
    def post(**options: Any) -> httpx.Response:
        headers = {"origin": PAGE, "content-type": "application/json", **options.pop("headers", KEYS)}
        return httpx.post(capped.url + path, headers=headers, timeout=20, **options)

    def chunks() -> Iterator[bytes]:
        for _ in range(2000):
            yield b" " * 1000

    answers = {
        200: post(json=CHAT), 401: post(json=CHAT, headers={}), 404: post(json={**CHAT, "model": "none"}),
        413: post(content=b" " * 20_001), 400: post(content=b"x"),
    }  # fmt: skip
    for status, answer in [*answers.items(), (413, post(content=chunks()))]:
        assert answer.status_code == status
        assert answer.headers.get_list("access-control-allow-origin") == [PAGE]
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert "20000" in answers[413].json()["error"]["message"]
    listing = httpx.get(capped.url + "/v1/models", headers={**KEYS, "origin": "https://evil.test"})
    assert (listing.status_code, listing.headers.get("access-control-allow-origin")) == (200, None)
    listing = httpx.get(capped.url + "/v1/models", headers={**KEYS, "origin": "https://a.pages.test"})
    assert listing.headers.get_list("access-control-allow-origin") == ["https://a.pages.test"]


def test_headers_beyond_the_limits_are_a_431(capped: Gateway) -> None:
    for extra in ({"x-large": "v" * 9000}, {f"x-{number}": "v" for number in range(50)}):
        answer = httpx.get(capped.url + "/v1/messages", headers={**KEYS, **extra})
        assert answer.status_code == 431
        assert answer.json()["error"]["code"] == "headers_too_large"


def test_a_body_within_the_limit_passes(capped: Gateway) -> None:
    body = json.dumps(CHAT).encode().ljust(20_000)
    headers = {**KEYS, "content-type": "application/json"}
    assert httpx.post(capped.url + "/v1/chat/completions", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/routing/v1/chat/completions", "/routing/v1/messages", "/routing/v1/responses"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_routing_decision_takes_bodies_up_to_the_limit_and_no_longer_ones(
    capped: Gateway, path: str, chunked: bool
) -> None:
    def post(size: int) -> httpx.Response:
        body = json.dumps({**CHAT, "input": "hi"}).encode().ljust(size)
        content = iter([body[:15_000], *(body[at : at + 50_000] for at in range(15_000, size, 50_000))])
        headers = {**KEYS, "content-type": "application/json"}
        return httpx.post(capped.url + path, content=content if chunked else body, headers=headers, timeout=20)

    assert post(20_000).status_code == 200
    for size in (20_001, 3_000_000):
        answer = post(size)
        assert answer.status_code == 413
        assert "20000 bytes" in answer.json()["error"]["message"]
        assert answer.json().get("type") == ("error" if path.endswith("/messages") else None)


def test_who_has_no_key_learns_nothing_of_the_limit_of_routing_decisions(capped: Gateway) -> None:
    assert httpx.post(capped.url + "/routing/v1/messages", content=b" " * 30_000, timeout=20).status_code == 401


def test_a_client_brings_in_no_header_of_the_gateway(capped: Gateway, mock: RunningMock) -> None:
    forged = {
        "X-Arch-Upstream": "1", "x-arch-llm-provider-hin": "1", "x-arch-llm-provider-hintx": "1", "x-arch-": "1",
        "X-PLANO-Model": "1", "x-plano-": "1", "x-plano-keys": "1", "x_arch_upstream": "1", "x_plano_identity": "1",
        "x-envoy_upstream": "1", "x-envoy-upstream-alt-stat-name": "1", "x-forwarded-host": "evil",
        "forwarded": "for=1", "x-real-ip": "6.6.6.6", "x-forwarded-for": "6.6.6.6",
    }  # fmt: skip
    pairs = [(name, value) for name, value in forged.items() for _ in range(2)]
    answer = httpx.post(capped.url + "/v1/chat/completions", json=CHAT, headers=[*KEYS.items(), *pairs], timeout=20)
    assert answer.status_code == 200
    seen = mock.requests[-1]["headers"]
    assert not {name.lower() for name in forged} & seen.keys()
    assert not [name for name in seen if name.startswith(("x-arch", "x-plano", "x_"))]


def test_trailers_of_a_client_do_not_reach_a_provider(capped: Gateway, mock: RunningMock) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    with socket.create_connection(("127.0.0.1", capped.port), timeout=20) as raw:
        connection.initiate_connection()
        pseudo = [(":method", "POST"), (":path", "/v1/chat/completions"), (":scheme", "http"), (":authority", "x")]
        connection.send_headers(1, [*pseudo, *KEYS.items(), ("content-type", "application/json")])
        connection.send_data(1, json.dumps(CHAT).encode())
        connection.send_headers(1, [("x-arch-llm-provider", "brightstaff"), ("x-plano-key", "1")], end_stream=True)
        raw.sendall(connection.data_to_send())
        status = b""
        while not status:
            for event in connection.receive_data(raw.recv(65536)):
                status = dict(getattr(event, "headers", [])).get(b":status", status)
            raw.sendall(connection.data_to_send())
    assert status == b"200"
    assert "x-arch-llm-provider" not in mock.requests[-1]["headers"]


def exhaust(gateway: Gateway) -> None:
    with httpx.Client(timeout=20) as client:
        while client.get(gateway.url + "/v1/models").status_code != 429:
            pass


def refused(gateway: Gateway, call: Callable[[], Any]) -> Exception | None:
    """The error of a call for which the bucket was empty; on a slow machine it may have a token again by then."""
    for _ in range(20):
        exhaust(gateway)
        try:
            call()
        except (anthropic.RateLimitError, openai.RateLimitError) as error:
            return error
    return None


def test_more_requests_than_the_rate_are_a_429_in_the_clients_format(tmp_path: Any, mock: RunningMock) -> None:
    cors = {"allow_origins": ["*"]}
    rate = {"requests": 300, "unit": "minute"}  # what the harness asks until all is ready counts
    with started(tmp_path, mock, rate=rate, cors=cors) as gateway:
        for _ in range(20):
            exhaust(gateway)
            answer = httpx.post(gateway.url + "/v1/messages", json=CHAT, headers={"origin": PAGE}, timeout=20)
            if answer.status_code == 429:
                break
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.json()["error"]["type"] == "rate_limit_error"
        sdks = (
            lambda: anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0).messages.create(**CHAT),
            lambda: openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0).responses.create(
                model="mock-gpt", input="x"
            ),
        )
        for call in sdks:
            assert "300 requests per minute" in str(refused(gateway, call))
        for path in ("/healthz", "/readyz"):
            assert httpx.get(gateway.url + path).status_code == 200


def test_connections_beyond_the_limit_are_closed(tmp_path: Any, mock: RunningMock) -> None:
    with started(tmp_path, mock, max_connections=3) as gateway:
        time.sleep(0.2)  # those of the harness are gone
        held = [httpx.Client(timeout=20) for _ in range(3)]
        for client in held:
            assert client.get(gateway.url + "/healthz").status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(gateway.url + "/healthz", timeout=10)
        for client in held:
            client.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                assert httpx.get(gateway.url + "/healthz", timeout=10).status_code == 200
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        else:
            raise AssertionError("the connections never came free")


def test_without_cors_a_provider_cannot_set_any_and_the_model_list_stays_readable(gateway: Gateway) -> None:
    assert httpx.get(gateway.url + "/v1/models").headers["access-control-allow-origin"] == "*"
    answer = httpx.post(gateway.url + "/v1/chat/completions", json=CHAT, headers={"origin": PAGE}, timeout=20)
    assert not [name for name in answer.headers if name.startswith("access-control")]
