"""Rate limits through a real Envoy: what the official SDKs see of them, and that workers and gateways share them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx
import openai
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.redis_server import RedisServer

ENVIRONMENT = {"MOCK_KEY": KEY}


def document(mock: RunningMock, ratelimits: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    def entry(model: str, **extra: Any) -> dict[str, Any]:
        return {"model": model, "base_url": mock.url, "access_key": "$MOCK_KEY", **extra}

    models = [
        entry("openai/mock-gpt", default=True),
        entry("anthropic/mock-claude"),
        entry("openai/mock-first", fallbacks=["openai/mock-second"]),
        entry("openai/mock-second"),
        entry("openai/mock-free"),
    ]
    aliases = {"fast": {"target": "openai/mock-free"}}
    return {"model_providers": models, "model_aliases": aliases, "ratelimits": ratelimits, **more}


def requests(model: str, count: int, **more: Any) -> dict[str, Any]:
    return {"model": model, "limit": {"requests": count, "unit": "hour"}, **more}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, mock: RunningMock) -> Iterator[Gateway]:
    ratelimits = [
        requests("openai/mock-gpt", 3, selector={"key": "X-Team", "value": "*"}),
        {"model": "mock-gpt", "selector": {"key": "x-user"}, "limit": {"tokens": 1000, "unit": "hour"}},
        {
            "model": "mock-claude",
            "selector": {"key": "x-user"},
            "limit": {"tokens": 2000, "unit": "day"},
            "count": "total",
        },
        requests("mock-first", 1, selector={"key": "x-chain"}),
        requests("mock-second", 2, selector={"key": "x-chain"}),
        requests("fast", 1, selector={"key": "x-alias"}),
    ]
    with running_gateway(tmp_path_factory.mktemp("gw"), document(mock, ratelimits), ENVIRONMENT, workers=2) as running:
        yield running


def chat(gateway: Gateway, text: str = "hello", model: str = "mock-gpt", **headers: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=sent, timeout=20)


def test_the_openai_sdk_sees_its_limits_and_a_rate_limit_error(limited: Gateway) -> None:
    client = openai.OpenAI(
        base_url=f"{limited.url}/v1", api_key="k", max_retries=0, default_headers={"x-team": "openai"}
    )
    messages: Any = [{"role": "user", "content": "hello"}]
    for remaining in ("2", "1", "0"):
        raw = client.chat.completions.with_raw_response.create(model="mock-gpt", messages=messages)
        assert raw.headers["x-ratelimit-remaining-requests"] == remaining
        assert raw.headers["x-ratelimit-limit-requests"] == "3"
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="mock-gpt", messages=messages)
    headers = refused.value.response.headers
    assert 3500 < int(headers["retry-after"]) <= 3660
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.value.code == "rate_limit_exceeded"
    expected = 'exceeded limit provider=mock-gpt, selector=Header { key: "X-Team", value: "openai" }, tokens_used=0'
    assert expected in refused.value.message


def test_the_anthropic_sdk_sees_its_limits_and_a_rate_limit_error(limited: Gateway) -> None:
    client = anthropic.Anthropic(base_url=limited.url, api_key="k", max_retries=0, default_headers={"x-user": "claude"})
    ask: Any = {"model": "mock-claude", "messages": [{"role": "user", "content": "hello"}]}
    raw = client.messages.with_raw_response.create(max_tokens=1500, **ask)
    assert int(raw.headers["x-ratelimit-remaining-tokens"]) in range(480, 500)
    with pytest.raises(anthropic.RateLimitError) as refused:
        client.messages.create(max_tokens=1999, **ask)
    assert refused.value.response.json()["error"]["type"] == "rate_limit_error"
    assert refused.value.response.headers["x-ratelimit-limit-tokens"] == "2000"
    assert refused.value.response.headers["request-id"]
    with pytest.raises(anthropic.RateLimitError, match="larger than the limit") as refused:
        client.messages.create(max_tokens=5000, **ask)
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_all_workers_share_the_quotas(limited: Gateway) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: chat(limited, x_team="crowd").status_code, range(24)))
    assert sorted(statuses) == [200] * 3 + [429] * 21


def test_a_client_cannot_choose_to_be_unlimited(limited: Gateway) -> None:
    statuses = [
        chat(limited, x_team="sly", **more).status_code
        for more in (
            {},
            {"x_arch_ratelimit_selector": "x-other"},
            {"x_arch_ratelimit_selector": "x-team"},
            {"X_TEAM_ID": "1"},
        )
    ]
    assert statuses == [200, 200, 200, 429]


def test_other_callers_and_those_without_the_header_are_not_touched(limited: Gateway) -> None:
    for _ in range(4):
        answer = chat(limited)
        assert answer.status_code == 200
        assert "x-ratelimit-limit-requests" not in answer.headers


def test_a_translated_answer_corrects_the_estimate_by_the_providers_usage(limited: Gateway) -> None:
    body = {"model": "mock-claude", "max_tokens": 1900, "messages": [{"role": "user", "content": "hello"}]}
    for _ in range(3):
        answer = httpx.post(f"{limited.url}/v1/chat/completions", json=body, headers={"x-user": "whole"}, timeout=20)
        assert answer.status_code == 200, "the output that was reserved, and not used, has come back"
    for _ in range(3):
        streamed = httpx.post(
            f"{limited.url}/v1/chat/completions",
            json={**body, "stream": True},
            headers={"x-user": "stream"},
            timeout=20,
        )
        assert streamed.status_code == 200
        assert streamed.text.endswith("data: [DONE]\n\n")


def test_a_failed_request_gives_its_tokens_back(limited: Gateway) -> None:
    text = "word " * 900
    for _ in range(3):
        answer = chat(limited, text, x_user="unlucky", x_mock_behaviour="status=500")
        assert answer.status_code == 500
        assert answer.headers["x-ratelimit-limit-tokens"] == "1000"
    assert chat(limited, text, x_user="unlucky").status_code == 200
    assert chat(limited, text, x_user="unlucky").status_code == 429


def test_models_without_room_are_left_out_of_a_chain_until_none_is_left(limited: Gateway) -> None:
    answers = [chat(limited, model="mock-first", x_chain="a") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    served = [answer.headers.get("x-plano-model") for answer in answers[:3]]
    assert served == ["openai/mock-first", "openai/mock-second", "openai/mock-second"]
    assert [answer.headers["x-ratelimit-limit-requests"] for answer in answers[:3]] == ["1", "2", "2"]


def test_an_alias_has_limits_of_its_own(limited: Gateway) -> None:
    assert [chat(limited, model="fast", x_alias="a").status_code for _ in range(2)] == [200, 429]
    assert chat(limited, model="mock-free", x_alias="a").status_code == 200


def _served_until_refused(gateway: Gateway) -> int:
    """How many requests pass before a 429, without those for which Redis took too long."""
    served = 0
    for _ in range(200):
        answer = chat(gateway, x_team="a")
        if answer.status_code == 429:
            return served
        served += "x-ratelimit-limit-requests" in answer.headers
    raise AssertionError("the limit is never reached")


def test_gateways_share_a_redis_and_serve_without_it(
    tmp_path_factory: pytest.TempPathFactory, mock: RunningMock
) -> None:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    store = {"type": "redis", "url": "$REDIS_URL"}
    configuration = document(mock, [requests("*", 6, selector={"key": "x-team"})], rate_limit_store=store)
    environment = {**ENVIRONMENT, "REDIS_URL": server.url}
    try:
        with (
            running_gateway(tmp_path_factory.mktemp("one"), configuration, environment) as one,
            running_gateway(tmp_path_factory.mktemp("two"), configuration, environment) as two,
        ):
            served = sum(_served_until_refused(gateway) for gateway in (one, two, one, two))
            assert 1 <= served <= 6
            server.stop()
            assert chat(one, x_team="a").status_code == 200
    finally:
        server.stop()


def test_a_gateway_that_is_to_deny_without_redis_says_so_in_the_clients_format(
    tmp_path_factory: pytest.TempPathFactory, mock: RunningMock
) -> None:
    store = {"type": "redis", "url": f"redis://127.0.0.1:{free_port()}", "on_error": "deny"}
    configuration = document(mock, [requests("*", 6)], rate_limit_store=store)
    with running_gateway(tmp_path_factory.mktemp("gw"), configuration, ENVIRONMENT) as gateway:
        client = anthropic.Anthropic(base_url=gateway.url, api_key="k", max_retries=0)
        with pytest.raises(anthropic.APIStatusError) as refused:
            client.messages.create(model="mock-claude", max_tokens=9, messages=[{"role": "user", "content": "hello"}])
        assert refused.value.status_code == 503
        assert "on_error" in refused.value.message


def test_each_authenticated_caller_has_a_quota_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, mock: RunningMock
) -> None:
    port = free_port()
    listener = {
        "type": "model",
        "name": "llm",
        "address": "127.0.0.1",
        "port": port,
        "auth": {"keys": [{"name": "blue", "key": "$BLUE"}, {"name": "red", "key": "$RED"}]},
    }
    keys = {"BLUE": "blue-key-0123456789", "RED": "red-key-0123456789"}
    limits = [requests("*", 1, selector={"identity": "*"})]
    settings = document(mock, limits, listeners=[listener])
    folder = tmp_path_factory.mktemp("gw")
    access = {"headers": {"x-api-key": keys["BLUE"]}}
    with running_gateway(folder, settings, {**ENVIRONMENT, **keys}, port=port, access=access) as gateway:
        asked = [chat(gateway, x_api_key=keys[name]).status_code for name in ("BLUE", "BLUE", "RED", "RED")]
        forged = chat(gateway, x_api_key="somebody").status_code
    assert asked == [200, 429, 200, 429]
    assert forged == 401
