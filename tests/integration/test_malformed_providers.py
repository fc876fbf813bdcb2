"""Providers that send what their API does not promise: the client gets its own API's error, the sidecar lives on."""

import itertools
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import pytest

from hermesllm.aws_event_stream import encode_event
from hermesllm.formats import Format
from tests.integration.gateway import Gateway, running_gateway
from tests.integration.scripted_provider import ScriptedProvider, scripted_provider
from tests.integration.test_bad_requests import error_of

PATHS = {Format.CHAT: "/v1/chat/completions", Format.ANTHROPIC: "/v1/messages", Format.RESPONSES: "/v1/responses"}
MODELS = {
    Format.CHAT: "groq/scripted",
    Format.ANTHROPIC: "anthropic/scripted",
    Format.RESPONSES: "chatgpt/scripted",
    Format.CONVERSE: "amazon_bedrock/anthropic.claude-scripted",
    Format.GEMINI: "vertex/scripted",
}
TRANSLATED = [pair for pair in itertools.product(PATHS, MODELS) if pair[0] is not pair[1]]
PAIRS = pytest.mark.parametrize(("client", "upstream"), TRANSLATED)
CLIENTS = pytest.mark.parametrize(("client", "upstream"), [pair for pair in TRANSLATED if pair[1] is Format.CONVERSE])
LARGE = 10_000_000
GROWTH_LIMIT = 150_000_000


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with scripted_provider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    entries = [{"model": model, "base_url": provider.url, "access_key": "k"} for model in MODELS.values()]
    with running_gateway(tmp_path_factory.mktemp("malformed"), {"model_providers": entries}, {}) as running:
        yield running


def body_of(client: Format, upstream: Format, *, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": MODELS[upstream], "stream": stream}
    if client is Format.RESPONSES:
        return body | {"input": "hi"}
    return body | {"max_tokens": 20, "messages": [{"role": "user", "content": "hi"}]}


def ask(gateway: Gateway, client: Format, upstream: Format, *, stream: bool = False) -> httpx.Response:
    return httpx.post(gateway.url + PATHS[client], json=body_of(client, upstream, stream=stream), timeout=30)


def event(upstream: Format, name: str, document: object) -> bytes:
    """One event as a provider of the format frames it."""
    data = json.dumps(document).encode()
    if upstream is Format.CONVERSE:
        return encode_event(name, data)
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def beginning(upstream: Format, text: str = "Hello") -> list[bytes]:
    """The first events of a good stream, with a piece of text."""
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    events: dict[Format, list[tuple[str, object]]] = {
        Format.CHAT: [("", chunk | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]})],
        Format.ANTHROPIC: [
            ("message_start", {"type": "message_start", "message": message}),
            ("content_block_start", {"type": "content_block_start", "index": 0,
                                     "content_block": {"type": "text", "text": ""}}),
            ("content_block_delta", {"type": "content_block_delta", "index": 0,
                                     "delta": {"type": "text_delta", "text": text}}),
        ],
        Format.RESPONSES: [
            ("response.created", {"type": "response.created", "response": {"id": "r", "output": []}}),
            ("response.output_item.added", {"type": "response.output_item.added", "output_index": 0,
                                            "item": {"type": "message", "id": "m", "content": []}}),
            ("response.output_text.delta", {"type": "response.output_text.delta", "item_id": "m", "output_index": 0,
                                            "content_index": 0, "delta": text}),
        ],
        Format.CONVERSE: [
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}),
        ],
        Format.GEMINI: [("", {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]})],
    }  # fmt: skip
    return [event(upstream, name, document) for name, document in events[upstream]]


def ending(upstream: Format) -> list[bytes]:
    """What completes `beginning`."""
    answer = {"id": "r", "status": "completed", "output": []}
    events: dict[Format, list[tuple[str, object]]] = {
        Format.CHAT: [("", {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})],
        Format.ANTHROPIC: [
            ("content_block_stop", {"type": "content_block_stop", "index": 0}),
            ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}),
            ("message_stop", {"type": "message_stop"}),
        ],
        Format.RESPONSES: [("response.completed", {"type": "response.completed", "response": answer})],
        Format.CONVERSE: [
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
        ],
        Format.GEMINI: [("", {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]})],
    }
    return [event(upstream, name, document) for name, document in events[upstream]]


def said(response: httpx.Response) -> list[dict[str, Any]]:
    lines = response.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]


def assert_ends_with_an_error(client: Format, response: httpx.Response) -> dict[str, Any]:
    """The error, after checking that the stream ends with it as the client's API ends a broken stream."""
    assert response.status_code == 200
    last = said(response)[-1]
    assert "[DONE]" not in response.text
    assert "message_stop" not in response.text
    assert "response.completed" not in response.text
    if client is Format.ANTHROPIC:
        assert last["type"] == "error"
    if client is Format.RESPONSES:
        assert last["type"] in ("error", "response.failed")
        return last.get("error") or last.get("response", {}).get("error") or last
    error: dict[str, Any] = last["error"]
    assert error["message"]
    return error


@pytest.fixture
def same_worker_serves_on(gateway: Gateway, provider: ScriptedProvider) -> Iterator[None]:
    """After the test, the worker that was there before it serves a good stream."""
    pid = gateway.workers[0].pid
    yield
    assert gateway.workers[0].poll() is None
    assert gateway.workers[0].pid == pid
    provider.stream(Format.CHAT, lambda: [*beginning(Format.CHAT), *ending(Format.CHAT), b"data: [DONE]\n\n"])
    response = ask(gateway, Format.ANTHROPIC, Format.CHAT, stream=True)
    assert "Hello" in response.text
    assert said(response)[-1]["type"] == "message_stop"
    log = (gateway.deployment.log_dir / "extproc-0.log").read_text()
    assert "Traceback" not in log
    assert "closing a connection" not in log


pytestmark = pytest.mark.usefixtures("same_worker_serves_on")


@PAIRS
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 400 + b"]" * 400,
        b'{"choices": 1, "content": 1, "output": 1, "candidates": 1}',
    ],
    ids=["empty", "cut", "not UTF-8", "null", "list", "string", "deep", "numbers"],
)
def test_a_json_answer_that_is_none_of_the_api_is_a_502_in_the_clients_shape(
    gateway: Gateway, provider: ScriptedProvider, client: Format, upstream: Format, body: bytes
) -> None:
    provider.answer(body)
    response = ask(gateway, client, upstream)
    assert response.status_code == 502
    error = error_of(response, PATHS[client])
    assert error["provider"] == MODELS[upstream].partition("/")[0]
    assert error["remedy"]


@PAIRS
@pytest.mark.parametrize(
    "body",
    [
        {"choices": [1], "content": [1], "output": [1], "candidates": [1]},
        {"choices": [{"message": []}], "content": [{"type": 1}], "output": [{"type": []}],
         "candidates": [{"content": 5}]},
        {"choices": [{"message": {"content": 5, "tool_calls": 5}}], "content": [{"type": "text", "text": 5}],
         "output": [{"type": "message", "content": 5}], "candidates": [{"content": {"parts": 5}}], "usage": 5},
    ],
    ids=["numbers", "wrong members", "wrong inner members"],
)  # fmt: skip
def test_a_json_answer_with_wrong_types_inside_keeps_the_clients_shape(
    gateway: Gateway, provider: ScriptedProvider, client: Format, upstream: Format, body: dict[str, Any]
) -> None:
    converse = {"output": {"message": {"role": 5, "content": body["content"]}}, "stopReason": 5}
    provider.answer(json.dumps(converse if upstream is Format.CONVERSE else body).encode())
    response = ask(gateway, client, upstream)
    if response.status_code == 502:
        error_of(response, PATHS[client])
        return
    assert response.status_code == 200
    kind = {"chat": "chat.completion", "anthropic": "message", "responses": "response"}[client]
    assert kind in (response.json().get("object"), response.json().get("type"))


def not_json(upstream: Format) -> bytes:
    return encode_event("contentBlockDelta", b"{") if upstream is Format.CONVERSE else b"data: {\n\n"


def not_an_object(upstream: Format) -> bytes:
    return event(upstream, "contentBlockDelta", [1])


def half_an_event(upstream: Format) -> bytes:
    return beginning(upstream)[-1][:-9]


@PAIRS
@pytest.mark.parametrize("fault", [not_json, not_an_object, half_an_event])
def test_a_stream_that_breaks_ends_with_the_clients_error_event(
    gateway: Gateway,
    provider: ScriptedProvider,
    client: Format,
    upstream: Format,
    fault: Callable[[Format], bytes],
) -> None:
    provider.stream(upstream, lambda: [*beginning(upstream), fault(upstream)])
    response = ask(gateway, client, upstream, stream=True)
    assert "Hello" in response.text
    assert_ends_with_an_error(client, response)


JUNK = [None, 7, [None], {"a": [1]}]


@PAIRS
@pytest.mark.parametrize("junk", JUNK, ids=map(str, JUNK))
def test_events_with_wrong_types_never_break_the_gateway(
    gateway: Gateway, provider: ScriptedProvider, client: Format, upstream: Format, junk: Any
) -> None:
    names = ("choices", "delta", "message", "content_block", "index", "item", "response", "candidates", "usage", "role")
    events = (
        event(upstream, name, {"type": name, member: junk})
        for name in ("contentBlockDelta", "content_block_delta", "response.output_item.added", "message_delta")
        for member in names
    )
    pieces = [*beginning(upstream), *events]
    provider.stream(upstream, lambda: pieces)
    assert_ends_with_an_error(client, ask(gateway, client, upstream, stream=True))


@CLIENTS
@pytest.mark.parametrize("at", [2, 9, 20, -2], ids=["length", "prelude checksum", "header", "checksum"])
def test_a_frame_with_a_wrong_checksum_ends_the_stream_with_an_error(
    gateway: Gateway, provider: ScriptedProvider, client: Format, upstream: Format, at: int
) -> None:
    frame = bytearray(beginning(upstream)[-1])
    frame[at] ^= 0x40
    provider.stream(upstream, lambda: [*beginning(upstream), bytes(frame), *ending(upstream)])
    assert_ends_with_an_error(client, ask(gateway, client, upstream, stream=True))


@CLIENTS
def test_a_frame_that_claims_gigabytes_is_refused_at_once(
    gateway: Gateway, provider: ScriptedProvider, client: Format, upstream: Format
) -> None:
    prelude = struct.pack("!II", 0x7FFFFFFF, 0)
    claim = prelude + struct.pack("!I", crc32(prelude))
    provider.stream(upstream, lambda: [*beginning(upstream), claim])
    error = assert_ends_with_an_error(client, ask(gateway, client, upstream, stream=True))
    assert "larger than" in json.dumps(error)


def resident_peak(pid: int) -> int:
    """The most memory, in bytes, that a process has had since `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def forget_peak(pid: int) -> int:
    """Forgets the peak; what the process has now, in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return resident_peak(pid)


@pytest.fixture
def bounded_memory(gateway: Gateway) -> Iterator[None]:
    """The sidecar's memory never grows by more than GROWTH_LIMIT during the test."""
    pid = gateway.workers[0].pid
    before = forget_peak(pid)
    yield
    assert resident_peak(pid) - before < GROWTH_LIMIT


def large_event(upstream: Format) -> bytes:
    return beginning(upstream, "x" * LARGE)[-1]


@PAIRS
@pytest.mark.usefixtures("bounded_memory")
def test_an_event_of_ten_megabytes_is_read_or_refused_and_the_sidecar_stays_small(
    gateway: Gateway, provider: ScriptedProvider, client: Format, upstream: Format
) -> None:
    provider.stream(upstream, lambda: [*beginning(upstream), large_event(upstream), *ending(upstream)])
    response = ask(gateway, client, upstream, stream=True)
    if upstream is Format.CONVERSE and client is not Format.RESPONSES:  # Bedrock's frames may have 16 MiB
        assert response.text.count("x") > LARGE
        assert "error" not in said(response)[-1]
    else:
        assert "larger than" in json.dumps(assert_ends_with_an_error(client, response))


@PAIRS
@pytest.mark.usefixtures("bounded_memory")
def test_a_provider_that_never_ends_its_line_is_cut_off(
    gateway: Gateway, provider: ScriptedProvider, client: Format, upstream: Format
) -> None:
    def endless() -> Iterable[bytes]:
        return itertools.chain(beginning(upstream), [b"data: "], itertools.repeat(b"x" * 65536))

    provider.stream(upstream, endless)
    body = body_of(client, upstream, stream=True)
    received: list[bytes] = []
    with (
        httpx.stream("POST", gateway.url + PATHS[client], json=body, timeout=30) as response,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        received.extend(response.iter_bytes())
    text = b"".join(received).decode()
    assert "Hello" in text
    assert '"error"' in text
    assert len(text) < 10_000
    assert provider.sent < 100_000_000
