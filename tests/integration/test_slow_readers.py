"""A client that stops reading holds its provider back, costs the gateway a few megabytes, and blocks nobody else."""

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator

import httpx
import psutil
import pytest

from hermesllm.formats import Format
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.integration.scripted_provider import ScriptedProvider, scripted_provider

READERS = 12
MEGABYTE = 1_000_000
GATEWAY_LIMIT = 40 * MEGABYTE  # what the gateway may hold of one stream
PROVIDER_LIMIT = 40 * MEGABYTE  # and with it what lies in the sockets' buffers, which the kernel may grow
WORD = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
)
PATHS = pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"], ids=["translated", "same format"])


def endless() -> Iterable[bytes]:
    return itertools.repeat(WORD % (b"word " * 200) * 16)


def short() -> Iterable[bytes]:
    return [WORD % b"Hello", WORD.replace(b"null", b'"stop"') % b"", b"data: [DONE]\n\n"]


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with scripted_provider() as running:
        yield running


@pytest.fixture
def gateway(provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    port = free_port()
    document = {
        "listeners": [{"type": "model", "name": "llm", "address": "127.0.0.1", "port": port, "max_retries": 1}],
        "model_providers": [{"model": "openai/m", "base_url": provider.url, "access_key": "k"}],
    }
    with running_gateway(tmp_path_factory.mktemp("slow"), document, {}, port=port) as running:
        yield running


def question(text: str = "hi", *, stream: bool = True) -> bytes:
    body = {"model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": text}]}
    return json.dumps(body).encode()


def memory(gateway: Gateway) -> int:
    """What Envoy and the sidecars have of the machine's memory, in bytes."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(str(gateway.deployment.run_dir) in word for word in process.cmdline()):
                total += process.memory_info().rss
    return total


def stalled(gateway: Gateway, path: str) -> socket.socket:
    """A client that sends its request and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.settimeout(20)
    client.connect(("127.0.0.1", gateway.port))
    body = question()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)
    return client


def wait_until_nothing_moves(provider: ScriptedProvider) -> None:
    for _ in range(100):
        before = provider.sent
        time.sleep(0.5)
        if before == provider.sent > 0:
            return
    raise AssertionError("the provider still sends")


def read_until(client: socket.socket, size: int) -> None:
    while size > 0:
        data = client.recv(1 << 20)
        assert data
        size -= len(data)


@PATHS
def test_clients_that_stop_reading_hold_their_providers_back_and_nobody_else(
    gateway: Gateway, provider: ScriptedProvider, path: str
) -> None:
    before = memory(gateway)
    provider.stream(Format.CHAT, endless)
    clients = [stalled(gateway, path) for _ in range(READERS)]
    try:
        wait_until_nothing_moves(provider)
        assert memory(gateway) - before < READERS * GATEWAY_LIMIT
        assert provider.sent < READERS * PROVIDER_LIMIT
        provider.stream(Format.CHAT, short)
        answer = httpx.post(gateway.url + path, content=question(), timeout=20)
        assert "Hello" in answer.text
        read_until(clients[0], 100 * MEGABYTE)
    finally:
        for client in clients:
            client.close()


@PATHS
def test_a_client_that_reads_again_gets_the_rest(gateway: Gateway, provider: ScriptedProvider, path: str) -> None:
    words = 40_000
    provider.stream(Format.CHAT, lambda: itertools.chain(itertools.repeat(WORD % (b"word " * 200), words), short()))
    with httpx.stream("POST", gateway.url + path, content=question(), timeout=30) as response:
        pieces = response.iter_bytes()
        received = [next(pieces)]
        wait_until_nothing_moves(provider)
        received.extend(pieces)
    text = b"".join(received)
    assert text.count(b"word ") == words * 200
    assert b"Hello" in text
    assert b"[DONE]" in text or b"message_stop" in text


@PATHS
def test_large_requests_and_answers_pass_while_slow_readers_wait(
    gateway: Gateway, provider: ScriptedProvider, path: str
) -> None:
    provider.stream(Format.CHAT, endless)
    clients = [stalled(gateway, path) for _ in range(4)]
    try:
        wait_until_nothing_moves(provider)
        large = "x" * (31 * 1024 * 1024)
        message = {"index": 0, "message": {"role": "assistant", "content": large}, "finish_reason": "stop"}
        provider.answer(json.dumps({"id": "c", "model": "m", "choices": [message]}).encode())
        statuses: list[int] = []

        def ask() -> None:
            answer = httpx.post(gateway.url + path, content=question(large, stream=False), timeout=60)
            statuses.append(answer.status_code)
            assert len(answer.content) > len(large)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * 3
    finally:
        for client in clients:
            client.close()
