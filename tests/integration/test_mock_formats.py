"""Conversations through the gateway with the mock in each provider format: what we send, it does not refuse."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, running_gateway

MODELS = pytest.mark.parametrize("model", ["vertex/mock", "amazon_bedrock/mock", "chatgpt/mock"])
WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def native(mock: RunningMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    paths = {
        "vertex": "/v1/projects/p/locations/l/publishers/google",
        "amazon_bedrock": "",
        "chatgpt": "",
    }
    document = {
        "model_providers": [
            {"model": f"{provider}/mock", "base_url": mock.url + path, "access_key": "$MOCK_KEY"}
            for provider, path in paths.items()
        ]
    }
    with running_gateway(tmp_path_factory.mktemp("native"), document, {"MOCK_KEY": KEY}) as running:
        yield running


@pytest.fixture
def client(native: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{native.url}/v1", api_key="unused", max_retries=0, timeout=20) as made:
        yield made


@MODELS
def test_a_conversation_with_tools(client: openai.OpenAI, model: str) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "call get_weather"},
    ]
    first = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls
    call = first.message.tool_calls[0]
    messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER]).choices[0]
    assert "sunny" in (second.message.content or "")


@MODELS
def test_a_stream(client: openai.OpenAI, model: str) -> None:
    messages: Any = [{"role": "user", "content": "one two three"}]
    chunks = list(client.chat.completions.create(model=model, messages=messages, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: one two three"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


@MODELS
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault(client: openai.OpenAI, model: str, stream: bool) -> None:
    headers = {"x-mock-behaviour": "status=429"}
    with pytest.raises(openai.RateLimitError, match="The mock was asked for status 429") as caught:
        client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "a"}], stream=stream, extra_headers=headers
        )
    assert caught.value.response.headers["retry-after"] == "1"


@MODELS
@pytest.mark.parametrize("fault", ["error-event=2", "cut=2", "reset-after=2", "malformed"])
def test_a_stream_that_fails_midway(client: openai.OpenAI, model: str, fault: str) -> None:
    messages: Any = [{"role": "user", "content": "one two three"}]
    with pytest.raises(openai.APIError):
        list(
            client.chat.completions.create(
                model=model, messages=messages, stream=True, extra_headers={"x-mock-behaviour": fault}
            )
        )
