"""Embeddings, legacy completions and token counting, with the official SDKs."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import httpx
import openai
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, running_gateway

EMBEDDING = {
    "object": "list",
    "model": "embedder",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "instruct",
    "choices": [{"text": " there", "index": 0, "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/embeddings": EMBEDDING,
    "/v1/completions": COMPLETION,
    "/v1/messages/count_tokens": {"input_tokens": 42},
}


class Provider(BaseHTTPRequestHandler):
    """Answers each path with its canned answer and keeps the requests."""

    protocol_version = "HTTP/1.1"
    requests: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.requests.append((self.path, body))
        answer = json.dumps(ANSWERS[self.path.partition("?")[0]]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    requests: list[tuple[str, dict[str, Any]]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Recorder", (Provider,), {"requests": requests}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def served(
    provider: tuple[str, list[Any]], mock: RunningMock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    url, _ = provider
    document = {
        "model_providers": [
            {"model": "openai/embedder", "base_url": url, "access_key": "$MOCK_KEY"},
            {"model": "openai/instruct", "base_url": url, "access_key": "$MOCK_KEY"},
            {"model": "anthropic/counter", "base_url": url, "access_key": "$MOCK_KEY"},
            {"model": "groq/mock-gpt", "base_url": f"{mock.url}/v1", "access_key": "$MOCK_KEY"},
            {"model": "anthropic/mock-claude", "base_url": mock.url, "access_key": "$MOCK_KEY"},
        ]
    }
    with running_gateway(tmp_path_factory.mktemp("others"), document, {"MOCK_KEY": KEY}) as gateway:
        yield gateway


@pytest.fixture
def client(served: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="x", max_retries=0)


def test_embeddings_pass_with_the_providers_model(
    client: openai.OpenAI, provider: tuple[str, list[tuple[str, dict[str, Any]]]]
) -> None:
    answer = client.embeddings.create(model="openai/embedder", input=["hi"], encoding_format="float")
    assert answer.data[0].embedding == [0.25, -0.5]
    path, body = provider[1][-1]
    assert (path, body["model"], body["input"]) == ("/v1/embeddings", "embedder", ["hi"])


def test_embeddings_of_a_provider_without_them_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="anthropic"):
        client.embeddings.create(model="mock-claude", input="hi")


def test_legacy_completions_pass_where_the_provider_has_them(
    client: openai.OpenAI, provider: tuple[str, list[tuple[str, dict[str, Any]]]]
) -> None:
    assert client.completions.create(model="instruct", prompt="Hello").choices[0].text == " there"
    assert provider[1][-1] == ("/v1/completions", {"model": "instruct", "prompt": "Hello"})


@pytest.mark.parametrize("stream", [False, True])
def test_legacy_completions_become_a_chat_elsewhere(client: openai.OpenAI, stream: bool) -> None:
    if stream:
        chunks = client.completions.create(model="mock-gpt", prompt="Hello", stream=True)
        assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "You said: Hello"
    else:
        answer = client.completions.create(model="mock-gpt", prompt="Hello")
        assert answer.choices[0].text == "You said: Hello"
        assert answer.object == "text_completion"


def test_an_anthropic_provider_counts_tokens_itself(served: Gateway) -> None:
    counter = anthropic.Anthropic(base_url=served.url, api_key="x", max_retries=0)
    messages: Any = [{"role": "user", "content": "hello"}]
    assert counter.messages.count_tokens(model="counter", messages=messages).input_tokens == 42


def test_for_other_providers_the_gateway_counts(served: Gateway) -> None:
    counter = anthropic.Anthropic(base_url=served.url, api_key="x", max_retries=0)
    sentence: Any = [{"role": "user", "content": "How many tokens does this sentence have?"}]
    assert counter.messages.count_tokens(model="mock-gpt", messages=sentence).input_tokens == 12
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        counter.messages.count_tokens(model="mock-gpt", messages=[])
    raw = httpx.post(f"{served.url}/v1/messages/count_tokens", json={"model": "mock-gpt", "messages": sentence})
    assert raw.headers["x-plano-estimated"] == "true"
