"""What the sidecar's subscribers learn of each request: the same whether Envoy measured the answer or it was parsed."""

import contextlib
import copy
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from hermesllm.formats import Format
from hermesllm.usage import Usage, read_usage
from planoctl.render.xds import discovery_file, read_resources
from tests.integration.gateway import free_port
from tests.integration.observing import ObservingGateway, observing_gateway
from tests.integration.scripted_provider import ScriptedProvider, scripted_provider

CASES = Path(__file__).parents[1] / "conformance" / "cases"
BEDROCK = Path(__file__).parents[1] / "data" / "bedrock_streams"
PATHS = {Format.CHAT: "/v1/chat/completions", Format.ANTHROPIC: "/v1/messages", Format.RESPONSES: "/v1/responses"}
# A model whose provider speaks the format to every client, and one that speaks it to its own clients.
MODELS = {
    Format.CHAT: "groq/plain", Format.ANTHROPIC: "anthropic/claude", Format.RESPONSES: "openai/gpt-5-codex",
    Format.CONVERSE: "amazon_bedrock/us.anthropic.claude-sonnet-4-5-v1:0", Format.GEMINI: "gemini/gemini-2.5-pro",
}  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with scripted_provider() as running:
        yield running


@pytest.fixture(scope="module")
def failing() -> Iterator[ScriptedProvider]:
    """Takes its time to say that it cannot."""
    with scripted_provider() as running:
        running.status, running.pause = 503, 0.5
        yield running


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, provider: ScriptedProvider, failing: ScriptedProvider
) -> Iterator[ObservingGateway]:
    entries = [{"model": model, "base_url": provider.url, "access_key": "k"} for model in MODELS.values()]
    entries.append({"model": "openai/embedder", "base_url": provider.url, "access_key": "k"})
    refused = f"http://127.0.0.1:{free_port()}"
    for spoken in ("openai", "anthropic"):  # chains whose second model answers
        fallbacks = [MODELS[Format.CHAT], MODELS[Format.ANTHROPIC]][:: -1 if spoken == "openai" else 1]
        entries.append({"model": f"{spoken}/down", "base_url": refused, "access_key": "k", "fallbacks": fallbacks[:1]})
    for model, fallback in (("failing", MODELS[Format.CHAT]), ("failing-alone", "openai/down-alone")):
        entry = {"model": f"openai/{model}", "base_url": failing.url, "access_key": "k", "fallbacks": [fallback]}
        entries.append(entry)
    entries.append({"model": "openai/down-alone", "base_url": refused, "access_key": "k"})
    document = {"model_providers": entries, "routing": {"failover": {"failures": 1000}}}  # the dead stay first in line
    with observing_gateway(tmp_path_factory.mktemp("gw"), document) as running:
        yield running


def request(client: Format, model: str, *, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "stream": stream}
    if client is Format.RESPONSES:
        return {**body, "input": "Hi"}
    body |= {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 99}
    return {**body, "stream_options": {"include_usage": True}} if stream and client is Format.CHAT else body


CLIENT = httpx.Client(
    headers={"anthropic-version": "2023-06-01", "accept-encoding": "identity"}, timeout=30, trust_env=False
)


def ask(gateway: ObservingGateway, client: Format, model: str, *, stream: bool) -> str:
    """Reads a whole answer; returns the request's id."""
    answer = CLIENT.post(gateway.url + PATHS[client], json=request(client, model, stream=stream))
    identity: str = answer.headers["x-request-id"]
    return identity


def captured(spoken: Format, suffix: str) -> dict[str, bytes]:
    """The different answers of providers that speak a format, by the case that has them."""
    found: dict[bytes, str] = {}
    for path in sorted(CASES.glob(f"*-{spoken.value}/*/upstream_response{suffix}")):
        meta = json.loads((path.parent / "meta.json").read_text())
        if meta.get("upstream_status", 200) == 200 and "upstream_headers" not in meta:
            raw = bytes.fromhex(path.read_text()) if suffix == ".hex" else path.read_bytes()
            found.setdefault(raw, f"{path.parent.parent.name}/{path.parent.name}")
    return {name: raw for raw, name in found.items()}


def usages(gateway: ObservingGateway, ids: dict[str, str]) -> dict[str, Usage | None]:
    """The usage of each request; `ids` are request ids by what the caller calls them."""
    gateway.observation(list(ids.values())[-1])
    by_id = {seen.request_id: seen.usage for seen in gateway.observed()}
    return {name: by_id[each] for name, each in ids.items()}


SAME_FORMAT = [Format.CHAT, Format.ANTHROPIC, Format.RESPONSES]
OTHER = {Format.CHAT: Format.ANTHROPIC, Format.ANTHROPIC: Format.CHAT, Format.RESPONSES: Format.CHAT}


# Moonshot's own way, into an element of a list, which Envoy's selectors cannot reach.
UNSEEN = {"anthropic-chat/stream-usage-in-choice", "responses-chat/stream-usage-in-choice"}


def used(
    gateway: ObservingGateway,
    provider: ScriptedProvider,
    client: Format,
    spoken: Format,
    answers: dict[str, bytes],
    kind: str,
) -> dict[str, Usage | None]:
    """What subscribers learn when a provider gives these answers to a client, in two pieces each."""
    ids = {}
    for name, raw in answers.items():
        provider.stream(spoken, lambda raw=raw: filter(None, (raw[:200], raw[200:])))
        if kind == ".json":
            provider.content_type = "application/json; charset=utf-8"
        ids[name] = ask(gateway, client, MODELS[spoken], stream=kind != ".json")
    return usages(gateway, ids)


@pytest.mark.parametrize("kind", [".sse", ".json"])
@pytest.mark.parametrize("spoken", SAME_FORMAT)
def test_an_answer_has_used_the_same_whether_it_passed_or_was_translated(
    gateway: ObservingGateway, provider: ScriptedProvider, spoken: Format, kind: str
) -> None:
    answers = captured(spoken, kind)
    passed = used(gateway, provider, spoken, spoken, answers, kind)
    translated = used(gateway, provider, OTHER[spoken], spoken, answers, kind)
    assert {name for name in answers if passed[name] != translated[name]} == UNSEEN & answers.keys()
    assert sum(usage is not None and usage.total > 0 for usage in passed.values()) >= 10


@pytest.mark.parametrize(
    ("spoken", "kind"),
    [(Format.CONVERSE, ".json"), (Format.CONVERSE, ".hex"), (Format.GEMINI, ".json"), (Format.GEMINI, ".sse")],
)
def test_an_answer_has_used_the_same_for_every_client_it_is_translated_for(
    gateway: ObservingGateway, provider: ScriptedProvider, spoken: Format, kind: str
) -> None:
    answers = captured(spoken, kind)
    if kind == ".hex":
        answers |= {path.stem: path.read_bytes() for path in BEDROCK.iterdir()}
    messages, responses = (
        used(gateway, provider, client, spoken, answers, kind) for client in (Format.ANTHROPIC, Format.RESPONSES)
    )
    assert messages == responses
    assert sum(usage is not None and usage.total > 0 for usage in messages.values()) >= 10


WHOLE = {
    "nested": {"choices": [{"message": {"input": {"usage": {"prompt_tokens": 1}}}}], "usage": {"prompt_tokens": 2}},
    "first": {"usage": {"prompt_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 1}}, "id": "x"},
    "quotes": {"id": 'a " b \\', "text": '"usage":{"prompt_tokens":9}', "usage": {"prompt_tokens": 4}},
    "braces": {"id": "{{", "usage": {"note": "}\\\"}", "prompt_tokens": 5}, "end": "}"},
    "value": {"id": "usage", "list": ["usage", {"prompt_tokens": 1}], "usage": {"prompt_tokens": 6}},
    "names": {"usages": {"prompt_tokens": 1}, "my usage": {}, "usag": {"a": 1}, "usage": {"prompt_tokens": 7}},
    "unicode": {"id": "\u00e9\u4e2d\U0001f600", "usage": {"prompt_tokens": 8}},
    "null": {"usage": None, "id": {"usage": {"prompt_tokens": 1}}},
    "empty": {"usage": {}},
    "text": {"usage": "prompt_tokens"},
    "none": {"id": "x"},
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_usage_of_a_whole_answer_is_that_of_the_outermost_object(
    gateway: ObservingGateway, provider: ScriptedProvider, indent: int | None, ascii_only: bool
) -> None:
    answers = {name: json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode() for name, body in WHOLE.items()}
    found = used(gateway, provider, Format.CHAT, Format.CHAT, answers, ".json")
    assert found == {name: read_usage(Format.CHAT, body) for name, body in WHOLE.items()}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[1]",
        b'[{"usage":{"prompt_tokens":1}}]',
        b'"usage":{"prompt_tokens":1}',
        b'{"usage":{"p',
        b"}}{{",
    ],
)
def test_what_is_no_object_has_used_nothing_and_passes(
    gateway: ObservingGateway, provider: ScriptedProvider, raw: bytes
) -> None:
    provider.answer(raw)
    answer = CLIENT.post(
        gateway.url + "/v1/chat/completions", json=request(Format.CHAT, MODELS[Format.CHAT], stream=False)
    )
    assert answer.content == raw
    assert gateway.observation(answer.headers["x-request-id"]).usage is None


def test_a_whole_answer_may_be_cut_anywhere(gateway: ObservingGateway, provider: ScriptedProvider) -> None:
    body = b'{"a\\\\":"\\"","usage" : {"prompt_tokens":5,"n":"}\\"","completion_tokens":2},"x":["{"]}'
    assert read_usage(Format.CHAT, json.loads(body)) == Usage(prompt=5, completion=2)

    def pieces(cut: int) -> Iterable[bytes]:
        yield body[:cut]
        time.sleep(0.004)  # so that Envoy reads them one after the other
        yield body[cut:]

    ids = {}
    for cut in range(1, len(body)):
        provider.answer(b"")
        provider.pieces = lambda cut=cut: pieces(cut)
        ids[str(cut)] = ask(gateway, Format.CHAT, MODELS[Format.CHAT], stream=False)
    assert set(usages(gateway, ids).values()) == {Usage(prompt=5, completion=2)}


def test_a_whole_answer_larger_than_all_buffers_passes_and_counts(
    gateway: ObservingGateway, provider: ScriptedProvider
) -> None:
    vectors = [{"embedding": [0.25] * 3000, "index": index} for index in range(400)]
    raw = json.dumps({"data": vectors, "usage": {"prompt_tokens": 11, "total_tokens": 11}}).encode()
    assert len(raw) > 4 * 1024 * 1024
    provider.answer(raw)
    body = {"model": "openai/embedder", "input": "x"}
    answer = CLIENT.post(gateway.url + "/v1/embeddings", json=body)
    assert answer.content == raw
    seen = gateway.observation(answer.headers["x-request-id"])
    assert (seen.client_format, seen.usage, seen.bytes_out) == (Format.EMBEDDINGS, Usage(prompt=11), len(raw))


def begun_slowly(head: bytes, rest: bytes) -> Callable[[], Iterable[bytes]]:
    """A stream whose head comes at once and whose first event 0.3 s later, the rest 0.3 s after that."""

    def pieces() -> Iterable[bytes]:
        time.sleep(0.3)
        yield head
        time.sleep(0.3)
        yield rest

    return pieces


ANTHROPIC_BEGIN = b'data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],\
"model":"c","usage":{"input_tokens":7,"output_tokens":1}}}\n\n'
ANTHROPIC_REST = b"""data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}

data: {"type":"message_stop"}

"""


@pytest.mark.parametrize("client", SAME_FORMAT)
@pytest.mark.parametrize("model", [MODELS[Format.ANTHROPIC], "openai/down"])
def test_the_time_to_the_first_token_is_that_of_the_first_event_for_every_client(
    gateway: ObservingGateway, provider: ScriptedProvider, client: Format, model: str
) -> None:
    provider.stream(Format.ANTHROPIC, begun_slowly(ANTHROPIC_BEGIN, ANTHROPIC_REST))
    seen = gateway.observation(ask(gateway, client, model, stream=True))
    assert (seen.stream, seen.status, seen.usage) == (True, 200, Usage(prompt=7, completion=5))
    assert seen.ttft is not None
    assert seen.first_byte is not None
    assert 0.3 <= seen.ttft < seen.duration - 0.2
    assert seen.first_byte <= seen.ttft


CHAT_FIRST = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":\
{"role":"assistant","content":"Hi"},"finish_reason":null}]}\n\n'
CHAT_REST = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("sooner", "cut"),
    [
        (b"", 0),
        (b": PROCESSING\n\n", 0),
        (b": no data: yet\n\n", 0),
        (b": PROCESSING\r\n\r\n", 4),
        (b"event: chunk\n", 0),
        *((b": PROCESSING\n", cut) for cut in range(5)),
    ],
)
@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
def test_what_comes_before_the_first_event_is_no_token(
    gateway: ObservingGateway, provider: ScriptedProvider, client: Format, sooner: bytes, cut: int
) -> None:
    def pieces() -> Iterable[bytes]:
        if early := sooner + CHAT_FIRST[:cut]:
            yield early
        time.sleep(0.2)
        yield CHAT_FIRST[cut:]
        time.sleep(0.2)
        yield CHAT_REST

    provider.stream(Format.CHAT, pieces)
    seen = gateway.observation(ask(gateway, client, MODELS[Format.CHAT], stream=True))
    assert seen.ttft is not None
    assert 0.2 <= seen.ttft < seen.duration - 0.1


def test_a_stream_without_an_event_has_no_first_token(gateway: ObservingGateway, provider: ScriptedProvider) -> None:
    provider.stream(Format.CHAT, lambda: [b": PROCESSING\n\n", b"event: ping\n\n"])
    assert gateway.observation(ask(gateway, Format.CHAT, MODELS[Format.CHAT], stream=True)).ttft is None


@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
def test_it_is_known_when_the_provider_that_served_was_asked(
    gateway: ObservingGateway, provider: ScriptedProvider, client: Format
) -> None:
    def pieces() -> Iterable[bytes]:
        time.sleep(0.2)
        yield CHAT_FIRST + CHAT_REST

    provider.stream(Format.CHAT, pieces)
    seen = gateway.observation(ask(gateway, client, "openai/failing", stream=True))
    assert (seen.status, seen.attempts, seen.provider) == (200, 2, "groq")
    assert seen.sent is not None
    assert seen.ttft is not None
    assert 0.5 <= seen.sent <= seen.ttft - 0.2


def test_one_attempt_was_sent_soon(gateway: ObservingGateway, provider: ScriptedProvider) -> None:
    provider.stream(Format.CHAT, begun_slowly(CHAT_FIRST, CHAT_REST))
    seen = gateway.observation(ask(gateway, Format.CHAT, MODELS[Format.CHAT], stream=True))
    assert seen.sent is not None
    assert seen.ttft is not None
    assert seen.sent <= seen.ttft - 0.3


@pytest.mark.parametrize(("model", "attempts"), [("openai/down-alone", 1), ("openai/failing-alone", 2)])
def test_a_last_attempt_without_a_connection_was_not_sent(gateway: ObservingGateway, model: str, attempts: int) -> None:
    seen = gateway.observation(ask(gateway, Format.CHAT, model, stream=True))
    assert (seen.attempts, seen.sent, seen.first_byte) == (attempts, None, None)


def test_a_whole_answer_has_no_first_token(gateway: ObservingGateway, provider: ScriptedProvider) -> None:
    provider.answer(b"{}")
    seen = gateway.observation(ask(gateway, Format.CHAT, MODELS[Format.CHAT], stream=False))
    assert (seen.ttft, seen.stream) == (None, False)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", SAME_FORMAT)
@pytest.mark.parametrize("spoken", [Format.CHAT, Format.ANTHROPIC])
def test_a_chain_tells_who_answered_and_what_it_used(
    gateway: ObservingGateway, provider: ScriptedProvider, spoken: Format, client: Format, stream: bool
) -> None:
    file = "stream-text/upstream_response.sse" if stream else "text/upstream_response.json"
    raw = (CASES / f"{spoken.value}-{spoken.value}" / file).read_bytes()
    provider.stream(spoken, lambda: (raw,))
    if not stream:
        provider.content_type = "application/json"
    down = "anthropic/down" if spoken is Format.CHAT else "openai/down"
    seen = gateway.observation(ask(gateway, client, down, stream=stream))
    assert (seen.requested_model, seen.attempts, seen.status) == (down, 2, 200)
    assert seen.chain == (down, MODELS[spoken])
    assert f"{seen.provider}/{seen.model}" == MODELS[spoken]
    alone = gateway.observation(ask(gateway, client, MODELS[spoken], stream=stream))
    assert seen.usage == alone.usage
    assert alone.usage is not None or spoken is Format.CHAT


def test_a_client_that_leaves_has_used_what_was_reported_so_far(
    gateway: ObservingGateway, provider: ScriptedProvider
) -> None:
    def pieces() -> Iterator[bytes]:
        yield ANTHROPIC_BEGIN
        for _ in range(200):
            time.sleep(0.02)
            yield b'data: {"type":"ping"}\n\n'

    provider.stream(Format.ANTHROPIC, pieces)
    seen = []
    for client in (Format.ANTHROPIC, Format.CHAT):
        body = request(client, MODELS[Format.ANTHROPIC], stream=True)
        with CLIENT.stream("POST", gateway.url + PATHS[client], json=body) as answer:
            next(answer.iter_raw())
        seen.append(gateway.observation(answer.headers["x-request-id"]))
    assert [(each.client_left, each.status, each.usage) for each in seen] == [
        (True, 200, Usage(prompt=7, completion=1))
    ] * 2


def test_a_refused_request_and_a_failed_one_are_observed(gateway: ObservingGateway, provider: ScriptedProvider) -> None:
    refused = CLIENT.post(gateway.url + "/v1/messages", json={"model": "nobody/knows", "messages": []})
    seen = gateway.observation(refused.headers["x-request-id"])
    assert (seen.client_format, seen.status, seen.details) == (Format.ANTHROPIC, 404, "plano_model_not_found")
    provider.answer(b"no JSON")
    failed = gateway.observation(ask(gateway, Format.ANTHROPIC, MODELS[Format.CHAT], stream=False))
    assert (failed.status, failed.provider, failed.usage) == (502, "groq", None)


def test_the_access_log_has_the_usage_too(tmp_path: Path, provider: ScriptedProvider) -> None:
    entry = {"model": MODELS[Format.CHAT], "base_url": provider.url, "access_key": "k", "default": True}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    provider.answer(json.dumps({"choices": [choice], "usage": usage}).encode())
    with observing_gateway(tmp_path, {"model_providers": [entry]}) as gateway:
        ids = [ask(gateway, client, MODELS[Format.CHAT], stream=False) for client in (Format.CHAT, Format.ANTHROPIC)]
    records = [gateway.access_log(each) for each in ids]
    assert [each["path"] for each in records] == [PATHS[Format.CHAT], PATHS[Format.ANTHROPIC]]
    passed, translated = (each["usage"] for each in records)
    assert json.loads(passed["usage"]) == usage
    assert (translated["input_tokens"], translated["output_tokens"]) == (5, 2)


def test_the_log_goes_on_when_a_killed_worker_is_back(tmp_path: Path, provider: ScriptedProvider) -> None:
    entry = {"model": MODELS[Format.CHAT], "base_url": provider.url, "access_key": "k"}
    provider.answer(b'{"usage":{"prompt_tokens":5,"completion_tokens":2}}')
    body = request(Format.CHAT, MODELS[Format.CHAT], stream=False)
    with observing_gateway(tmp_path, {"model_providers": [entry]}) as gateway:
        gateway.observation(ask(gateway, Format.CHAT, MODELS[Format.CHAT], stream=False))
        gateway.workers[0].send_signal(signal.SIGKILL)
        gateway.workers[0].wait()
        refused = CLIENT.post(gateway.url + PATHS[Format.CHAT], json=body)
        assert refused.status_code == 503
        gateway.workers[0] = gateway.start_worker(0)
        deadline = time.monotonic() + 30
        while (answer := CLIENT.post(gateway.url + PATHS[Format.CHAT], json=body)).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert gateway.observation(answer.headers["x-request-id"]).usage == Usage(prompt=5, completion=2)


def test_a_worker_that_is_told_to_stop_does_not_wait_for_the_log_to_end(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    entry = {"model": MODELS[Format.CHAT], "base_url": provider.url, "access_key": "k"}
    provider.answer(b"{}")
    with observing_gateway(tmp_path, {"model_providers": [entry]}) as gateway:
        gateway.observation(ask(gateway, Format.CHAT, MODELS[Format.CHAT], stream=False))
        gateway.workers[0].terminate()
        assert gateway.workers[0].wait(15) == 0


@contextlib.contextmanager
def deaf_server(*, listening: bool) -> Iterator[int]:
    """A port whose server takes connections and never reads, or where nothing listens."""
    server = socket.create_server(("127.0.0.1", 0))
    port: int = server.getsockname()[1]
    if not listening:
        server.close()
    kept: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                kept.append(server.accept()[0])

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        if listening:
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in kept:
            connection.close()
        thread.join(5)


class ElsewhereLoggingGateway(ObservingGateway):
    """Its access log goes to a port of its own, in a cluster that is otherwise the sidecar's."""

    def log_to(self, port: int) -> None:
        path = self.deployment.envoy_dir / "lds.yaml"
        listeners = read_resources(path.read_text())
        logs = listeners[0]["filter_chains"][0]["filters"][0]["typed_config"]["access_log"]
        (common,) = [log["typed_config"]["common_config"] for log in logs if "common_config" in log["typed_config"]]
        common["grpc_service"]["envoy_grpc"]["cluster_name"] = "elsewhere"
        path.write_text(discovery_file(listeners))
        bootstrap = yaml.safe_load(self.deployment.bootstrap_path.read_text())
        clusters = bootstrap["static_resources"]["clusters"]
        cluster = copy.deepcopy(next(each for each in clusters if each["name"] == "extproc"))
        cluster["name"] = cluster["load_assignment"]["cluster_name"] = "elsewhere"
        address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        del cluster["health_checks"]
        clusters.append(cluster)
        self.deployment.bootstrap_path.write_text(json.dumps(bootstrap))


def statistics(gateway: ObservingGateway, names: str) -> dict[str, int]:
    lines = CLIENT.get(f"{gateway.admin_url}/stats?filter={names}").text.splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


@pytest.mark.parametrize("listening", [True, False])
def test_nothing_waits_for_a_log_that_is_not_taken(tmp_path: Path, provider: ScriptedProvider, listening: bool) -> None:
    entry = {"model": MODELS[Format.CHAT], "base_url": provider.url, "access_key": "k"}
    provider.answer(b'{"usage":{"prompt_tokens":5}}')
    with deaf_server(listening=listening) as port:
        gateway = ElsewhereLoggingGateway(tmp_path, {"model_providers": [entry]}, {})
        gateway.log_to(port)
        try:
            gateway.start()
            slowest = 0.0
            for _ in range(400):  # 16 MB of records
                body = request(Format.CHAT, MODELS[Format.CHAT], stream=False)
                begin = time.monotonic()
                answer = CLIENT.post(gateway.url + PATHS[Format.CHAT], json=body, headers={"user-agent": "x" * 40_000})
                slowest = max(slowest, time.monotonic() - begin)
                assert answer.status_code == 200
            assert slowest < 5
            counters = statistics(gateway, "logs_dropped|elsewhere.*pending_send_bytes")
            assert sum(value for name, value in counters.items() if "pending" in name) < 1_000_000
            assert not listening or counters["access_logs.grpc_access_log.logs_dropped"] > 300
        finally:
            gateway.stop()


def test_the_log_has_a_code_for_each_error(gateway: ObservingGateway, provider: ScriptedProvider) -> None:
    def code(client: Format, model: str, *, stream: bool = False) -> tuple[int, str | None]:
        identity = ask(gateway, client, model, stream=stream)
        record = gateway.access_log(identity)
        assert gateway.observation(identity).error == (record["error"] or "")
        return record["status"], record["error"]

    provider.answer(b'{"choices":[],"usage":{}}')
    assert code(Format.CHAT, MODELS[Format.CHAT]) == (200, None)
    assert code(Format.CHAT, "nobody/unknown") == (404, "model_not_found")
    provider.answer(b"no JSON")
    assert code(Format.ANTHROPIC, MODELS[Format.CHAT]) == (502, "invalid_upstream_response")
    provider.stream(Format.CHAT, lambda: [b'data: {"error":{"message":"overloaded"}}\n\n'])
    assert code(Format.ANTHROPIC, MODELS[Format.CHAT], stream=True) == (200, "provider_error")
    provider.answer(b'{"error":{"message":"slow down"}}')
    provider.status = 429
    try:
        assert code(Format.CHAT, MODELS[Format.CHAT]) == (429, "provider_error")
    finally:
        provider.status = 200
