"""Chains of models: the first that can answers, in the client's format, whoever failed before it."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import openai
import pytest

from planoctl.mock_provider.server import RunningMock, run_in_thread
from tests.integration.gateway import Gateway, free_port, running_gateway

OPENAI_KEY, ANTHROPIC_KEY, BEDROCK_KEY = "openai-key-1a2b", "anthropic-key-3c4d", "bedrock-key-5e6f"
QUESTION: Any = [{"role": "user", "content": "hello"}]
PER_TRY_SECONDS = 0.6

FAULTS = ["status=503", "status=429;retry-after=7", "status=401", "reset", "close", "hang", "html=502", "reset-after=0"]


@dataclass(frozen=True)
class Providers:
    openai: RunningMock
    anthropic: RunningMock
    bedrock: RunningMock

    def clear(self) -> None:
        for mock in (self.openai, self.anthropic, self.bedrock):
            mock.requests.clear()

    def requests(self, mock: RunningMock) -> list[dict[str, Any]]:
        return list(mock.requests)


@pytest.fixture(scope="module")
def providers() -> Iterator[Providers]:
    with (
        run_in_thread(key=OPENAI_KEY) as first,
        run_in_thread(key=ANTHROPIC_KEY) as second,
        run_in_thread(key=BEDROCK_KEY) as third,
    ):
        yield Providers(first, second, third)


def document(providers: Providers, *, per_try_seconds: float = PER_TRY_SECONDS, **failover: Any) -> dict[str, Any]:
    refused = f"http://127.0.0.1:{free_port()}"
    entries: list[dict[str, Any]] = [
        {"model": "openai/*", "base_url": providers.openai.url, "access_key": "$OPENAI"},
        {"model": "anthropic/*", "base_url": providers.anthropic.url, "access_key": "$ANTHROPIC",
         "headers": {"x-team": "blue"}},
        {"model": "amazon_bedrock/*", "base_url": providers.bedrock.url, "access_key": "$BEDROCK"},
        {"model": "openai/refused", "base_url": refused, "access_key": "$OPENAI"},
        {"model": "anthropic/tls", "base_url": f"https://127.0.0.1:{providers.openai.port}", "access_key": "$OPENAI"},
        {"model": "openai/passing", "base_url": providers.openai.url, "passthrough_auth": True},
    ]  # fmt: skip
    chain = ["anthropic/b@status=429", "amazon_bedrock/good"]
    aliases: dict[str, Any] = {
        "three": {"target": "openai/a@status=503", "fallbacks": chain},
        "unreachable": {"target": "openai/refused", "fallbacks": ["anthropic/tls", "amazon_bedrock/good"]},
        "hopeless": {"target": "openai/x@status=500", "fallbacks": ["anthropic/x@status=529"]},
        "wrong": {"target": "openai/x@status=400", "fallbacks": ["anthropic/good"]},
        "slow": {"target": "openai/x@hang", "fallbacks": ["anthropic/good"]},
        "cut": {"target": "openai/x@cut=3;gap=0.2", "fallbacks": ["anthropic/good"]},
        "cut-claude": {"target": "anthropic/x@cut=4;gap=0.2", "fallbacks": ["openai/good"]},
        "cut-at-once": {"target": "anthropic/x@reset-after=0", "fallbacks": ["openai/good"]},
        "error-event": {"target": "openai/x@error-event=3;gap=0.1", "fallbacks": ["anthropic/good"]},
        "error-event-claude": {"target": "anthropic/x@error-event=3;gap=0.1", "fallbacks": ["openai/good"]},
        "passed": {"target": "openai/passing", "fallbacks": ["anthropic/good"]},
        "deaf": {"target": "amazon_bedrock/no-audio", "fallbacks": ["openai/good"]},
        "same": {"target": "openai/one@status=503", "fallbacks": ["openai/two@status=503", "openai/good"]},
        "healthy": {"target": "openai/good", "fallbacks": ["anthropic/good"]},
        **{
            f"fault-{index}": {"target": f"openai/f@{fault}", "fallbacks": ["anthropic/good"]}
            for index, fault in enumerate(FAULTS)
        },
    }
    return {
        "model_providers": entries,
        "model_aliases": aliases,
        "routing": {"failover": {"per_try_timeout": f"{per_try_seconds}s", **failover}},
    }


@pytest.fixture(scope="module")
def gateway(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    keys = {"OPENAI": OPENAI_KEY, "ANTHROPIC": ANTHROPIC_KEY, "BEDROCK": BEDROCK_KEY}
    run_dir = tmp_path_factory.mktemp("chains")
    with running_gateway(run_dir, document(providers, failures=10**6), keys, workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def patient(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The same, but a provider may take long: for what is large, or much."""
    keys = {"OPENAI": OPENAI_KEY, "ANTHROPIC": ANTHROPIC_KEY, "BEDROCK": BEDROCK_KEY}
    config = document(providers, failures=10**6, per_try_seconds=60)
    with running_gateway(tmp_path_factory.mktemp("patient"), config, keys, workers=2) as running:
        yield running


@pytest.fixture
def chat(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="client-key", max_retries=0, timeout=20) as made:
        yield made


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key="client-key", max_retries=0, timeout=20) as made:
        yield made


CHAINS = pytest.mark.parametrize("alias", ["three", "unreachable"])


@CHAINS
def test_a_chat_client_gets_its_answer_from_the_third_provider(chat: openai.OpenAI, alias: str) -> None:
    raw = chat.chat.completions.with_raw_response.create(model=alias, messages=QUESTION)
    assert raw.parse().choices[0].message.content == "You said: hello"
    told = {name: raw.headers[name] for name in ("x-plano-model", "x-plano-provider", "x-plano-attempts")}
    assert told == {
        "x-plano-model": "amazon_bedrock/good", "x-plano-provider": "amazon_bedrock", "x-plano-attempts": "3",
    }  # fmt: skip


@CHAINS
def test_a_chat_stream_comes_whole_from_the_third_provider(chat: openai.OpenAI, alias: str) -> None:
    stream = chat.chat.completions.create(
        model=alias, messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: hello"
    assert chunks[-1].usage is not None


@CHAINS
def test_a_messages_client_gets_its_answer_and_its_stream(claude: anthropic.Anthropic, alias: str) -> None:
    answer = claude.messages.create(model=alias, max_tokens=50, messages=QUESTION)
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "You said: hello"
    with claude.messages.stream(model=alias, max_tokens=50, messages=QUESTION) as stream:
        assert stream.get_final_text() == "You said: hello"


@CHAINS
def test_a_responses_client_gets_its_answer_and_its_stream(chat: openai.OpenAI, alias: str) -> None:
    assert chat.responses.create(model=alias, input="hello").output_text == "You said: hello"
    with chat.responses.stream(model=alias, input="hello") as stream:
        for _event in stream:
            pass
        assert stream.get_final_response().output_text == "You said: hello"


def test_each_provider_gets_its_own_body_path_and_key(gateway: Gateway, providers: Providers) -> None:
    providers.clear()
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions",
        json={"model": "three", "messages": QUESTION, "seed": 7},
        headers={"authorization": "Bearer client-key", "x-api-key": "client-key", "cookie": "a=b"},
    )
    assert answer.status_code == 200
    first, second, third = (
        providers.requests(mock) for mock in (providers.openai, providers.anthropic, providers.bedrock)
    )
    assert [len(first), len(second), len(third)] == [1, 1, 1]
    assert first[0]["path"] == "/v1/chat/completions"
    assert first[0]["body"] == {"model": "a@status=503", "messages": QUESTION, "seed": 7}
    assert second[0]["path"] == "/v1/messages"
    assert second[0]["body"]["messages"] == QUESTION
    assert "seed" not in second[0]["body"]
    assert third[0]["path"].startswith("/model/good/converse")
    assert third[0]["body"]["messages"] == [{"role": "user", "content": [{"text": "hello"}]}]
    for requests, own in ((first, OPENAI_KEY), (second, ANTHROPIC_KEY), (third, BEDROCK_KEY)):
        sent = json.dumps(requests[0]["headers"])
        assert own in sent
        for foreign in {OPENAI_KEY, ANTHROPIC_KEY, BEDROCK_KEY, "client-key"} - {own}:
            assert foreign not in sent
        assert not [name for name in requests[0]["headers"] if name.startswith(("x-arch-", "x-plano-", "x-envoy-"))]
    assert "anthropic-version" in second[0]["headers"]
    assert second[0]["headers"]["x-team"] == "blue"
    assert "x-team" not in third[0]["headers"]
    assert "cookie" not in first[0]["headers"]


@pytest.mark.parametrize("index", range(len(FAULTS)), ids=FAULTS)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_whatever_the_first_provider_does_before_its_answer_the_second_answers(
    chat: openai.OpenAI, index: int, stream: bool
) -> None:
    if stream:
        chunks = list(chat.chat.completions.create(model=f"fault-{index}", messages=QUESTION, stream=True))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    else:
        text = chat.chat.completions.create(model=f"fault-{index}", messages=QUESTION).choices[0].message.content or ""
    assert text == "You said: hello"


def test_two_models_of_one_provider_are_two_attempts(chat: openai.OpenAI, providers: Providers) -> None:
    providers.clear()
    raw = chat.chat.completions.with_raw_response.create(model="same", messages=QUESTION)
    assert raw.headers["x-plano-attempts"] == "3"
    models = [request["body"]["model"] for request in providers.requests(providers.openai)]
    assert models == ["one@status=503", "two@status=503", "good"]


def test_an_error_that_every_provider_would_give_is_told_at_once(chat: openai.OpenAI, providers: Providers) -> None:
    providers.clear()
    with pytest.raises(openai.BadRequestError) as refusal:
        chat.chat.completions.create(model="wrong", messages=QUESTION)
    assert refusal.value.response.headers["x-plano-attempts"] == "1"
    assert not providers.requests(providers.anthropic)


def test_when_all_fail_the_client_gets_the_last_error_in_its_own_format(
    chat: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.InternalServerError) as failure:
        chat.chat.completions.create(model="hopeless", messages=QUESTION)
    assert failure.value.response.headers["x-plano-attempts"] == "2"
    assert "anthropic" in str(failure.value)
    with pytest.raises(anthropic.APIStatusError) as failure_of_claude:
        claude.messages.create(model="hopeless", max_tokens=5, messages=QUESTION)
    assert failure_of_claude.value.status_code >= 500
    body: Any = failure_of_claude.value.body
    assert body["type"] == "error"


@pytest.mark.parametrize("alias", ["cut", "cut-claude"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "one two three four five six"}]}),
        ("/v1/responses", {"input": "one two three four five six"}),
        ("/v1/messages", {"max_tokens": 50, "messages": [{"role": "user", "content": "one two three four five six"}]}),
    ],
)
def test_a_stream_that_breaks_never_ends_silently_nor_with_a_second_answer(
    gateway: Gateway, providers: Providers, path: str, body: dict[str, Any], alias: str
) -> None:
    """Envoy breaks the client's connection off: an HTTP client cannot take that for an end."""
    providers.clear()
    received = b""
    broken = False
    with httpx.stream("POST", f"{gateway.url}{path}", json={"model": alias, "stream": True, **body}) as answer:
        assert answer.headers["x-plano-attempts"] == "1"
        try:
            for chunk in answer.iter_raw():
                received += chunk
        except httpx.RemoteProtocolError:
            broken = True
    assert broken
    assert received
    assert not any(end in received for end in (b"[DONE]", b"message_stop", b"response.completed"))
    assert len(providers.requests(providers.openai)) + len(providers.requests(providers.anthropic)) == 1


def test_a_break_before_the_first_bytes_reach_the_client_is_no_break(chat: openai.OpenAI) -> None:
    chunks = list(chat.chat.completions.create(model="cut-at-once", messages=QUESTION, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: hello"


@pytest.mark.parametrize("alias", ["error-event", "error-event-claude"])
def test_an_error_event_of_the_provider_ends_the_clients_stream_in_its_format(
    chat: openai.OpenAI, claude: anthropic.Anthropic, alias: str
) -> None:
    with pytest.raises(openai.APIError):
        list(chat.chat.completions.create(model=alias, messages=QUESTION, stream=True))
    with (
        pytest.raises(anthropic.APIError),
        claude.messages.stream(model=alias, max_tokens=9, messages=QUESTION) as read,
    ):
        read.get_final_message()


def test_a_client_that_leaves_stops_the_chain(gateway: Gateway, providers: Providers) -> None:
    providers.clear()
    with pytest.raises(httpx.TimeoutException):
        httpx.post(
            f"{gateway.url}/v1/chat/completions",
            json={"model": "slow", "messages": QUESTION},
            timeout=PER_TRY_SECONDS / 3,
        )
    time.sleep(PER_TRY_SECONDS * 2)
    assert not providers.requests(providers.anthropic)


@pytest.mark.parametrize("mib", [5, 20])
def test_large_bodies_go_through_a_chain_unharmed(patient: Gateway, mib: int) -> None:
    text = "0123456789abcdef" * (mib * 1024 * 1024 // 16)
    for path, more in (("/v1/chat/completions", {}), ("/v1/messages", {"max_tokens": 10})):
        answer = httpx.post(
            f"{patient.url}{path}",
            json={"model": "three", "messages": [{"role": "user", "content": text}], **more},
            timeout=60,
        )
        assert answer.status_code == 200
        assert answer.headers["x-plano-attempts"] == "3"


def test_a_passed_through_key_reaches_no_other_provider(gateway: Gateway, providers: Providers) -> None:
    providers.clear()
    headers = {"authorization": "Bearer not-the-right-key"}
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions", json={"model": "passed", "messages": QUESTION}, headers=headers
    )
    assert answer.status_code == 200
    assert providers.requests(providers.openai)[0]["headers"]["authorization"] == "Bearer not-the-right-key"
    assert "not-the-right-key" not in json.dumps(providers.requests(providers.anthropic))


def test_a_candidate_that_cannot_take_the_request_is_not_asked(chat: openai.OpenAI, providers: Providers) -> None:
    providers.clear()
    audio: Any = [
        {
            "role": "user",
            "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}],
        }
    ]
    raw = chat.chat.completions.with_raw_response.create(model="deaf", messages=audio)
    assert raw.headers["x-plano-model"] == "openai/good"
    assert not providers.requests(providers.bedrock)


def test_a_thousand_requests_under_load_see_no_error(patient: Gateway) -> None:
    async def ask(client: httpx.AsyncClient, gate: asyncio.Semaphore, number: int) -> str:
        stream = number % 2 == 0
        async with gate:
            answer = await client.post(
                f"{patient.url}/v1/chat/completions",
                json={"model": "three", "messages": [{"role": "user", "content": f"n{number}"}], "stream": stream},
            )
        if answer.status_code != 200 or answer.headers["x-plano-attempts"] != "3":
            return f"{answer.status_code} {answer.text[:200]}"
        if not stream:
            content: str = answer.json()["choices"][0]["message"]["content"]
            return content
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        assert answer.text.rstrip().endswith("data: [DONE]")
        return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])

    async def load() -> list[str]:
        gate = asyncio.Semaphore(50)
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=60)) as client:
            return await asyncio.gather(*(ask(client, gate, number) for number in range(1000)))

    assert asyncio.run(load()) == [f"You said: n{number}" for number in range(1000)]


def test_a_model_that_keeps_failing_is_tried_last_for_a_while(
    providers: Providers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = {"OPENAI": OPENAI_KEY, "ANTHROPIC": ANTHROPIC_KEY, "BEDROCK": BEDROCK_KEY}
    run_dir = tmp_path_factory.mktemp("cooling")
    with (
        running_gateway(run_dir, document(providers, failures=2, cooldown="60s"), keys) as gateway,
        httpx.Client(base_url=gateway.url, timeout=20) as client,
    ):
        ask = {"model": "three", "messages": QUESTION}
        attempts = [client.post("/v1/chat/completions", json=ask).headers["x-plano-attempts"] for _ in range(4)]
    assert attempts == ["3", "3", "1", "1"]


async def test_large_bodies_pass_beside_many_chains_that_go_on_to_their_next_model(patient: Gateway) -> None:
    """A connection above its limit tells all of its streams, and Envoy 1.40 dies of one that a retry left behind."""
    large = {"model": "openai/good", "messages": [{"role": "user", "content": "x" * 4_000_000}]}
    failing = {"model": "three", "messages": QUESTION}
    async with httpx.AsyncClient(timeout=60) as client:
        url = f"{patient.url}/v1/chat/completions"

        async def ask(body: dict[str, Any], times: int) -> list[int]:
            return [(await client.post(url, json=body)).status_code for _ in range(times)]

        answers = await asyncio.gather(*(ask(failing, 12) for _ in range(8)), *(ask(large, 6) for _ in range(3)))
    assert [status for statuses in answers for status in statuses] == [200] * (8 * 12 + 3 * 6)
