"""What models answer, on the spans of requests that are sampled, and not a byte of difference for clients."""

import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.integration.scripted_provider import ScriptedProvider, scripted_provider
from tests.integration.span_receiver import SpanReceiver, Trace, span_receiver

pytestmark = pytest.mark.envoy

CHAT, MESSAGES, RESPONSES, COMPLETIONS = "/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/completions"
CAPTURED = 2000
OUTPUT = "gen_ai.output.messages"
QUESTION = [{"role": "user", "content": "Say something about 🦀 and Grüße, please."}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": QUESTION, "max_tokens": 300},
    MESSAGES: {"messages": QUESTION, "max_tokens": 300},
    RESPONSES: {"input": QUESTION, "max_output_tokens": 300},
    COMPLETIONS: {"prompt": QUESTION[0]["content"], "max_tokens": 300},
}
OPENAI, ANTHROPIC, SCRIPTED = "openai/mock-gpt", "anthropic/mock-claude", "openai/scripted"


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with span_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with scripted_provider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, mock: RunningMock, receiver: SpanReceiver, provider: ScriptedProvider
) -> Iterator[Gateway]:
    """Captures what clients want to be traced."""

    def entry(model: str, url: str = mock.url, **more: Any) -> dict[str, Any]:
        return {"model": model, "base_url": url, "access_key": KEY, **more}

    down = f"http://127.0.0.1:{free_port()}"
    models = [
        entry(OPENAI, default=True),
        entry(ANTHROPIC),
        entry(SCRIPTED, provider.url),
        entry("openai/down-same", down, fallbacks=[OPENAI]),
        entry("openai/down-other", down, fallbacks=[ANTHROPIC]),
    ]
    tracing = {
        "random_sampling": 1,
        "opentracing_grpc_endpoint": receiver.url,
        "capture_content": True,
        "capture_bytes": CAPTURED,
    }
    config = {"model_providers": models, "tracing": tracing}
    with running_gateway(tmp_path_factory.mktemp("captured"), config) as running:
        yield running


class Asker:
    """Asks with traces of its own."""

    def __init__(self, gateway: Gateway, receiver: SpanReceiver) -> None:
        self.gateway = gateway
        self.receiver = receiver
        self.number = 0

    def ask(self, path: str, model: str, *, sampled: bool = True, **more: Any) -> httpx.Response:
        self.number += 1
        trace_id = f"{id(self) % 2**32:024x}{self.number:08x}"
        headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-{'01' if sampled else '00'}"}
        headers |= more.pop("headers", {})
        body = {"model": model, **BODIES[path], **more}
        return httpx.post(f"{self.gateway.url}{path}", json=body, headers=headers, timeout=20)

    def told(self, answer: httpx.Response) -> dict[str, Any]:
        """The attributes of an answer's LLM call."""

        def complete(trace: Trace) -> bool:
            return any(each.service == "plano(llm)" for each in trace)

        trace = self.receiver.awaited(answer.headers["x-request-id"], complete, lambda: None)
        return trace.of("plano(llm)").attributes

    def messages(self, answer: httpx.Response) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.told(answer)[OUTPUT])
        return found


@pytest.fixture(scope="module")
def asker(gateway: Gateway, receiver: SpanReceiver) -> Asker:
    return Asker(gateway, receiver)


def text_of(path: str, document: dict[str, Any]) -> str:
    """What a client reads in an answer that is one document."""
    match path:
        case "/v1/chat/completions":
            return str(document["choices"][0]["message"]["content"])
        case "/v1/completions":
            return str(document["choices"][0]["text"])
        case "/v1/messages":
            return "".join(block["text"] for block in document["content"] if block["type"] == "text")
        case _:
            items = [item for item in document["output"] if item["type"] == "message"]
            return "".join(part["text"] for item in items for part in item["content"])


def said(message: dict[str, Any]) -> str:
    assert message["role"] == "assistant"
    return "".join(part["content"] for part in message["parts"] if part["type"] == "text")


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC, "openai/down-same", "openai/down-other"])
@pytest.mark.parametrize("path", BODIES)
def test_what_a_client_reads_is_on_the_span_whole_or_streamed(asker: Asker, path: str, model: str) -> None:
    whole = asker.ask(path, model)
    streamed = asker.ask(path, model, stream=True)
    assert (whole.status_code, streamed.status_code) == (200, 200)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    read = text_of(path, whole.json())
    assert read
    for answer in (whole, streamed):
        (message,) = asker.messages(answer)
        assert (said(message), message["finish_reason"]) == (read, "stop")


TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: dict[str, list[dict[str, Any]]] = {
    CHAT: [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}],
    MESSAGES: [{"name": "weather", "input_schema": TOOL}],
    RESPONSES: [{"type": "function", "name": "weather", "parameters": TOOL}],
}
CHOICE: dict[str, Any] = {CHAT: "required", MESSAGES: {"type": "any"}, RESPONSES: "required"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("path", TOOLS)
def test_tool_calls_are_on_the_span_with_their_arguments(asker: Asker, path: str, model: str, stream: bool) -> None:
    answer = asker.ask(path, model, stream=stream, tools=TOOLS[path], tool_choice=CHOICE[path])
    assert answer.status_code == 200
    (message,) = asker.messages(answer)
    (call,) = [part for part in message["parts"] if part["type"] == "tool_call"]
    assert (call["name"], message["finish_reason"]) == ("weather", "tool_call")
    assert call["id"] in answer.text
    assert set(call["arguments"]) == {"city"}


STREAM = b"".join(
    b"data: %s\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()
    for text in ("Grüße ", "🦀", "\r\n\\", "x" * 5000)
)
STREAM += b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,'
STREAM += b'"completion_tokens":5,"total_tokens":8}}\r\n\r\n: bye\n\ndata: [DONE]\n\ndata: unfini'
WHOLE = b'{"choices":[{"message":{"content":"short"}}],"usage":{"prompt_tokens":3,"completion_tokens":5}}'
LONG = json.dumps({"choices": [{"message": {"content": "long " * 300_000}}]}).encode()


def told_apart(answer: httpx.Response) -> dict[str, str]:
    own = ("date", "x-request-id")
    return {name: value for name, value in answer.headers.items() if name not in own}


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("body", [STREAM, WHOLE, LONG, b"", b"{no json", b"\xff\x00\xfe"], ids=len)
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_gets_the_same_bytes_and_tokens_are_counted(
    asker: Asker, provider: ScriptedProvider, body: bytes, size: int, stream: bool
) -> None:
    size = max(size, len(body) // 1000)
    provider.pieces = lambda: (body[start : start + size] for start in range(0, len(body), size))
    provider.content_type = "text/event-stream" if stream else "application/json"
    for headers in ({"accept-encoding": "identity"}, {"accept-encoding": "gzip"}):
        plain = asker.ask(CHAT, SCRIPTED, sampled=False, stream=stream, headers=headers)
        captured = asker.ask(CHAT, SCRIPTED, stream=stream, headers=headers)
        assert (captured.status_code, captured.content) == (plain.status_code, plain.content) == (200, body)
        assert told_apart(captured) == told_apart(plain)
    if (body, stream) in ((STREAM, True), (WHOLE, False)):
        told = asker.told(captured)
        assert (told["llm.usage.prompt_tokens"], told["llm.usage.completion_tokens"]) == (3, 5)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_client_gets_the_same_headers_of_an_answer_with_a_length(asker: Asker, path: str) -> None:
    model = OPENAI if path == CHAT else ANTHROPIC
    for encoding in ("identity", "gzip"):
        heads = [
            asker.ask(path, model, sampled=sampled, headers={"accept-encoding": encoding}).headers
            for sampled in (False, True)
        ]
        assert "content-length" in heads[0]
        assert heads[0].keys() == heads[1].keys()
        assert heads[0]["content-length"] == heads[1]["content-length"]


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_is_held_back(asker: Asker, provider: ScriptedProvider, stream: bool) -> None:
    read = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield STREAM[:300]
        assert read.wait(10)
        yield STREAM[300:]

    provider.pieces = pieces
    provider.content_type = "text/event-stream" if stream else "application/json"
    body = {"model": SCRIPTED, **BODIES[CHAT], "stream": stream}
    headers = {"traceparent": f"00-{id(read):032x}-b7ad6b7169203331-01", "accept-encoding": "identity"}
    url = f"{asker.gateway.url}{CHAT}"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=20) as answer:
        arriving = answer.iter_raw()
        got = b""
        while len(got) < 300:
            got += next(arriving)
        read.set()
        assert got + b"".join(arriving) == STREAM


def test_what_is_too_much_is_cut(asker: Asker, provider: ScriptedProvider) -> None:
    provider.pieces, provider.content_type = lambda: (STREAM,), "text/event-stream"
    told = asker.told(asker.ask(CHAT, SCRIPTED, stream=True))
    assert CAPTURED - 32 < len(told[OUTPUT].encode()) <= CAPTURED
    (message,) = json.loads(told[OUTPUT])
    assert said(message).startswith("Grüße 🦀\r\n\\xxx")
    assert message["finish_reason"] == "stop"


def messages_sent(gateway: Gateway) -> int:
    """To the sidecar's listener stage, so far."""
    stats = httpx.get(f"{gateway.admin_url}/stats?filter=ext_proc.listener.stream_msgs_sent", timeout=5).text
    return sum(int(line.rpartition(": ")[2]) for line in stats.splitlines() if ": " in line)


@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_of_a_request_that_is_not_sampled_does_not_pass_the_sidecar(
    asker: Asker, provider: ScriptedProvider, stream: bool
) -> None:
    provider.pieces = lambda: (STREAM,)
    provider.content_type = "text/event-stream" if stream else "application/json"
    before = messages_sent(asker.gateway)
    asker.ask(CHAT, SCRIPTED, sampled=False, stream=stream)
    between = messages_sent(asker.gateway)
    asker.ask(CHAT, SCRIPTED, stream=stream)
    after = messages_sent(asker.gateway)
    assert between - before == 3
    assert after - between > 3


def test_errors_are_not_captured_and_no_log_shows_an_answer(asker: Asker, provider: ScriptedProvider) -> None:
    provider.answer(json.dumps({"choices": [{"message": {"content": "hush-4711"}}]}).encode())
    answer = asker.ask(CHAT, SCRIPTED)
    assert said(asker.messages(answer)[0]) == "hush-4711"
    asker.gateway.access_log(answer.headers["x-request-id"], seconds=20)
    for log in asker.gateway.deployment.log_dir.iterdir():
        assert "hush-4711" not in log.read_text()
    refused = asker.ask(CHAT, OPENAI, headers={"x-mock-behaviour": "status=500"})
    assert refused.status_code == 500
    assert OUTPUT not in asker.told(refused)


def test_without_capturing_nothing_is_told(tmp_path_factory: pytest.TempPathFactory, mock: RunningMock) -> None:
    models = [{"model": OPENAI, "base_url": mock.url, "access_key": KEY, "default": True}]
    with span_receiver() as receiver:
        tracing = {"random_sampling": 100, "opentracing_grpc_endpoint": receiver.url}
        config = {"model_providers": models, "tracing": tracing}
        with running_gateway(tmp_path_factory.mktemp("off"), config) as gateway:
            asker = Asker(gateway, receiver)
            before = messages_sent(gateway)
            answers = [asker.ask(CHAT, OPENAI, stream=stream) for stream in (False, True)]
            assert messages_sent(gateway) - before == 3 * len(answers)
            assert all(OUTPUT not in asker.told(answer) for answer in answers)


def test_an_encoded_answer_is_passed_on_and_not_captured(asker: Asker, provider: ScriptedProvider) -> None:
    encoded = gzip.compress(WHOLE)
    provider.answer(encoded)
    provider.headers = {"content-encoding": "gzip"}
    before = messages_sent(asker.gateway)
    answer = asker.ask(CHAT, SCRIPTED, headers={"accept-encoding": "gzip"})
    provider.headers = {}
    assert (answer.headers["content-encoding"], answer.content) == ("gzip", WHOLE)
    assert messages_sent(asker.gateway) - before == 3
    assert OUTPUT not in asker.told(answer)
