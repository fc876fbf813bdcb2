"""Whole traces, as a collector receives them from a gateway: whose span is whose child, and what each of them tells."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.integration.scripted_provider import ScriptedProvider, scripted_provider
from tests.integration.span_receiver import Received, SpanReceiver, Trace, span_receiver

pytestmark = pytest.mark.envoy

CLIENT_KEY = "gw-team-a-4c1d9e7f20"
DISTINCT = "user-4711"
POSTHOG_KEY = "phc-5d1f77"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
QUESTION = "write a sort function in Rust, and explain to me how it works"
INLINE = [{"name": "code generation", "description": "writing code", "models": ["anthropic/claude-sonnet-4-5"]}]
INBOUND = "plano(inbound)"
ATTEMPT = (f"{INBOUND} attempt 1", list[Any]())


@dataclass
class Call:
    """A request and what came of it. `leave`: the client goes away after the first bytes."""

    model: str
    path: str = CHAT
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    known: bool = True
    leave: bool = False
    request_id: str = ""
    status: int = 0

    def make(self, url: str) -> None:
        body = {"model": self.model, "max_tokens": 77, "messages": [{"role": "user", "content": QUESTION}], **self.body}
        headers = {"x-plano-key": CLIENT_KEY} | self.headers if self.known else self.headers
        with httpx.stream("POST", f"{url}{self.path}", json=body, headers=headers, timeout=20) as answer:
            self.status, self.request_id = answer.status_code, answer.headers["x-request-id"]
            for _ in answer.iter_raw():
                if self.leave:
                    return


STREAM = {"stream": True, "stream_options": {"include_usage": True}}
CALLS = {
    "chat": Call(
        "openai/gpt-4o",
        body={"temperature": 0.5, "top_p": 0.9, "tools": [
            {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]},
        headers={"x-model-affinity": "session-1", "x-acme-tenant-id": "ten_456", "x-other": "no", "x-user": DISTINCT,
                 "x-acme-llm-model": "forged", "x-acme-api-key": "acme-secret-1"},
    ),
    "chat stream": Call("openai/gpt-4o", body=STREAM),
    "chat translated": Call("anthropic/claude-sonnet-4-5"),
    "chat translated stream": Call("clever", body=STREAM),
    "messages": Call("anthropic/claude-sonnet-4-5", MESSAGES),
    "messages stream": Call("anthropic/claude-sonnet-4-5", MESSAGES, body={"stream": True}),
    "messages translated": Call("openai/gpt-4o", MESSAGES),
    "messages translated stream": Call("openai/gpt-4o", MESSAGES, body={"stream": True}),
    "routed": Call("openai/gpt-4o", body={"routing_preferences": INLINE}),
    "failover": Call("openai/down"),
    "provider error": Call("openai/gpt-4o", headers={"x-mock-behaviour": "status=503"}),
    "unknown model": Call("nobody"),
    "unknown caller": Call("openai/gpt-4o", known=False, headers={"authorization": "Bearer sk-stolen-99"}),
    "within its limit": Call("openai/limited"),
    "beyond its limit": Call("openai/limited"),
    "client gone": Call("openai/gpt-4o", body=STREAM, headers={"x-mock-behaviour": "gap=0.2"}, leave=True),
    "own trace": Call("openai/gpt-4o", headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=b"}),
    "key in the path": Call("openai/gpt-4o", path=f"{CHAT}?key=path-secret-2"),
    "foreign request id": Call("nobody", headers={"x-request-id": "not-a-uuid"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with span_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def other() -> Iterator[ScriptedProvider]:
    """The routing model."""
    with scripted_provider() as running:
        content = json.dumps({"route": "code generation"})
        running.answer(json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode())
        yield running


@pytest.fixture(scope="module")
def posthog() -> Iterator[ScriptedProvider]:
    with scripted_provider() as running:
        running.answer(b"{}")
        yield running


def document(mock: RunningMock, tracing: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    def entry(model: str, base_url: str = mock.url, **extra: Any) -> dict[str, Any]:
        return {"model": model, "base_url": base_url, "access_key": "$MOCK_KEY", **extra}

    models = [
        entry("openai/gpt-4o", default=True),
        entry("anthropic/claude-sonnet-4-5"),
        entry("openai/limited"),
        entry("openai/down", f"http://127.0.0.1:{free_port()}", fallbacks=["anthropic/claude-sonnet-4-5"]),
        *more.pop("more_models", ()),
    ]
    aliases = {"clever": {"target": "anthropic/claude-sonnet-4-5"}}
    return {"model_providers": models, "model_aliases": aliases, "tracing": tracing, **more}


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    mock: RunningMock,
    receiver: SpanReceiver,
    other: ScriptedProvider,
    posthog: ScriptedProvider,
) -> Iterator[Gateway]:
    port = free_port()
    keys = [{"name": "team-a", "key": "$TEAM_A_KEY"}]
    exporter = {"type": "posthog", "url": posthog.url, "api_key": "$POSTHOG", "distinct_id_header": "X-User"}
    config = document(
        mock,
        {
            "random_sampling": 100,
            "opentracing_grpc_endpoint": receiver.url,
            "span_attributes": {"header_prefixes": ["X-Acme-"], "static": {"environment": "prod", "http.path": "x"}},
            "exporters": [exporter],
        },
        more_models=[{"model": "openai/router-model", "base_url": other.url, "access_key": "k"}],
        overrides={"llm_routing_model": "openai/router-model"},
        ratelimits=[{"model": "openai/limited", "limit": {"requests": 1, "unit": "hour"}}],
        listeners=[{"type": "model", "name": "llm", "address": "127.0.0.1", "port": port, "auth": {"keys": keys}}],
    )
    environment = {"MOCK_KEY": KEY, "TEAM_A_KEY": CLIENT_KEY, "POSTHOG": POSTHOG_KEY}
    access = {"headers": {"x-plano-key": CLIENT_KEY}}
    folder = tmp_path_factory.mktemp("traced")
    with running_gateway(folder, config, environment, workers=2, port=port, access=access) as running:
        for call in CALLS.values():
            call.make(running.url)
        yield running


def nudge(gateway: Gateway) -> None:
    httpx.get(f"{gateway.url}/v1/models", timeout=5, **gateway.access)


def whole(gateway: Gateway, receiver: SpanReceiver, name: str) -> Trace:
    """The trace of one of the calls."""

    def complete(trace: Trace) -> bool:
        return {"plano(llm)", INBOUND} <= {each.service for each in trace if "async" not in each.span.name} and all(
            each.parent in {"", PARENT, *(other.id for other in trace)} for each in trace
        )

    return receiver.awaited(CALLS[name].request_id, complete, lambda: nudge(gateway))


def llm(trace: Trace) -> Received:
    (found,) = [each for each in trace if each.service == "plano(llm)" and "plano.internal" not in each.attributes]
    return found


@pytest.mark.parametrize(
    ("name", "path", "called", "served"),
    [
        ("chat", CHAT, "gpt-4o", ("openai", "gpt-4o")),
        ("chat stream", CHAT, "gpt-4o", ("openai", "gpt-4o")),
        ("chat translated", CHAT, "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("chat translated stream", CHAT, "clever -> anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("messages", MESSAGES, "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("messages stream", MESSAGES, "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("messages translated", MESSAGES, "gpt-4o", ("openai", "gpt-4o")),
        ("messages translated stream", MESSAGES, "gpt-4o", ("openai", "gpt-4o")),
    ],
)
def test_a_call_is_a_request_with_an_llm_call_and_an_attempt_below_it(
    gateway: Gateway, receiver: SpanReceiver, name: str, path: str, called: str, served: tuple[str, str]
) -> None:
    trace = whole(gateway, receiver, name)
    assert trace.tree == [(f"{INBOUND} POST {path}", [ATTEMPT, (f"plano(llm) POST {path} {called}", [])])]
    told, streamed = llm(trace).attributes, name.endswith("stream")
    assert (told["llm.provider"], told["llm.model"]) == served
    assert told["plano.client_format"] == ("chat" if path == CHAT else "anthropic")
    assert told["plano.upstream_format"] == ("anthropic" if served[0] == "anthropic" else "chat")
    assert told["llm.is_streaming"] is streamed
    assert ("llm.time_to_first_token" in told) is streamed
    assert told["llm.usage.total_tokens"] == told["llm.usage.prompt_tokens"] + told["llm.usage.completion_tokens"] > 0
    assert told["llm.usage.total_cost_usd"] > 0
    assert (told["http.status_code"], told["plano.attempts"], llm(trace).span.status.code) == (200, 1, 0)
    assert llm(trace).span.kind == llm(trace).span.SPAN_KIND_CLIENT
    assert [event.name for event in llm(trace).span.events] == ["llm.time_to_first_token"] * streamed


def test_an_llm_call_tells_everything_that_is_known_of_it(gateway: Gateway, receiver: SpanReceiver) -> None:
    told = dict(llm(whole(gateway, receiver, "chat")).attributes)
    measured = {key: told.pop(key) for key in ("llm.duration_ms", "llm.response_bytes", "plano.upstream_format")}
    usage = {key: told.pop(key) for key in list(told) if ".usage." in key}
    assert told == {
        "component": "llm",
        "environment": "prod",
        "gen_ai.conversation.id": "session-1",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.max_tokens": 77,
        "gen_ai.request.model": "openai/gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.response.model": "gpt-4o",
        "http.method": "POST",
        "http.path": CHAT,
        "http.status_code": 200,
        "llm.is_streaming": False,
        "llm.max_tokens": 77,
        "llm.model": "gpt-4o",
        "llm.provider": "openai",
        "llm.temperature": "0.5",
        "llm.tools": "lookup(...)",
        "llm.top_p": 0.9,
        "llm.user_message_preview": QUESTION[:50] + "...",
        "model.alias_resolved": "openai/gpt-4o",
        "model.requested": "openai/gpt-4o",
        "plano.attempts": 1,
        "plano.client_format": "chat",
        "plano.distinct_id": DISTINCT,
        "plano.identity": "team-a",
        "plano.session_id": "session-1",
        "request_id": CALLS["chat"].request_id,
        "service.name.override": "plano(llm)",
        "tenant.id": "ten_456",
    }
    assert measured["llm.response_bytes"] > 100
    assert usage["gen_ai.usage.input_tokens"] == usage["llm.usage.prompt_tokens"]


def test_a_decision_is_below_the_llm_call_and_the_routing_models_call_below_the_decision(
    gateway: Gateway, receiver: SpanReceiver
) -> None:
    def decided(trace: Trace) -> bool:
        return sum(each.service == "plano(outbound)" for each in trace) >= 2 and len(trace.tree) == 1 and len(
            [each for each in trace if each.service == "plano(llm)"]
        ) == 2  # fmt: skip

    trace = receiver.awaited(CALLS["routed"].request_id, decided, lambda: nudge(gateway))
    asked = ("plano(outbound) attempt 1", []), (f"plano(llm) POST {CHAT} router-model", [])
    outbound = (f"plano(outbound) POST {CHAT}", sorted(asked))
    served = f"plano(llm) POST {CHAT} openai/gpt-4o -> anthropic/claude-sonnet-4-5"
    assert trace.tree == [(f"{INBOUND} POST {CHAT}", [ATTEMPT, (served, [("plano(routing) routing", [outbound])])])]
    told = trace.of("plano(routing)").attributes
    assert told["route.selected_model"] == "anthropic/claude-sonnet-4-5"
    assert told["plano.route.name"] == llm(trace).attributes["plano.route.name"] == "code generation"
    reasons = {told["routing.selection_reason"], llm(trace).attributes["routing.selection_reason"]}
    assert reasons == {"only model of the preference"}
    assert (told["http.target"], told["model.requested"]) == (CHAT, "openai/gpt-4o")
    assert told["model.alias_resolved"] == "openai/gpt-4o"
    assert (told["routing.strategy"], told["routing.pinned"]) == ("routed", False)
    assert told["request_id"] == CALLS["routed"].request_id


def test_each_attempt_of_a_chain_has_a_span(gateway: Gateway, receiver: SpanReceiver) -> None:
    trace = whole(gateway, receiver, "failover")
    served = f"plano(llm) POST {CHAT} openai/down -> anthropic/claude-sonnet-4-5"
    attempts = [(f"{INBOUND} attempt {number}", []) for number in (1, 2)]
    assert trace.tree == [(f"{INBOUND} POST {CHAT}", [*attempts, (served, [])])]
    told = llm(trace).attributes
    assert (told["plano.attempts"], told["routing.is_fallback"]) == (2, True)
    assert told["plano.chain"] == ["openai/down", "anthropic/claude-sonnet-4-5"]
    assert trace.of(INBOUND, "attempt 2").attributes["http.status_code"] == "200"


@pytest.mark.parametrize(
    ("name", "status", "details", "requested"),
    [
        ("unknown model", 404, "plano_model_not_found", "nobody"),
        ("unknown caller", 401, "plano_", None),
        ("beyond its limit", 429, "plano_", "openai/limited"),
        ("foreign request id", 404, "plano_model_not_found", "nobody"),
    ],
)
def test_a_refused_request_is_an_error_that_names_the_model_and_no_attempt(
    gateway: Gateway, receiver: SpanReceiver, name: str, status: int, details: str, requested: str | None
) -> None:
    trace = whole(gateway, receiver, name)
    assert CALLS[name].status == status
    assert trace.tree == [(f"{INBOUND} POST {CHAT}", [("plano(llm) llm", [])])]
    told = llm(trace).attributes
    assert (told["http.status_code"], told["plano.attempts"]) == (status, 0)
    assert told["error.message"].startswith(f"{status} {details}")
    assert told["error.message"] == f"{status} plano_{told['error.type']}"
    assert told.get("model.requested") == requested
    assert "llm.model" not in told
    assert llm(trace).span.status.code == llm(trace).span.status.STATUS_CODE_ERROR


def test_a_providers_error_is_one_of_the_call(gateway: Gateway, receiver: SpanReceiver) -> None:
    trace = whole(gateway, receiver, "provider error")
    assert llm(trace).attributes["http.status_code"] == 503
    assert llm(trace).attributes["llm.model"] == "gpt-4o"
    assert llm(trace).span.status.code == llm(trace).span.status.STATUS_CODE_ERROR


def test_a_client_that_left_is_told_apart_from_a_whole_answer(gateway: Gateway, receiver: SpanReceiver) -> None:
    told = llm(whole(gateway, receiver, "client gone")).attributes
    assert told["error.type"] == "client_disconnect"
    assert told["llm.time_to_first_token"] <= told["llm.duration_ms"]


def test_a_clients_trace_goes_on_through_the_gateway_to_the_provider(
    gateway: Gateway, receiver: SpanReceiver, mock: RunningMock
) -> None:
    trace = whole(gateway, receiver, "own trace")
    assert {each.span.trace_id.hex() for each in trace} == {TRACE}
    assert trace.of(INBOUND, "POST").parent == PARENT
    (sent,) = [each["headers"] for each in mock.requests if TRACE in each["headers"].get("traceparent", "")]
    assert sent["traceparent"] == f"00-{TRACE}-{trace.of(INBOUND, 'attempt 1').id}-01"
    assert sent["tracestate"] == "a=b"


def test_what_is_asked_and_what_is_secret_stays_out_of_spans(
    gateway: Gateway, receiver: SpanReceiver, posthog: ScriptedProvider
) -> None:
    for name in CALLS:
        whole(gateway, receiver, name)
    told = json.dumps([[each.span.name, each.attributes] for each in receiver.spans]) + str(posthog.bodies)
    for secret in (KEY, CLIENT_KEY, "acme-secret-1", "path-secret-2", "sk-stolen-99", "forged", "how it works"):
        assert secret not in told, secret
    assert POSTHOG_KEY not in json.dumps([each.attributes for each in receiver.spans])


def test_the_other_exporter_gets_its_calls_with_the_user_that_a_header_names(
    gateway: Gateway, receiver: SpanReceiver, posthog: ScriptedProvider
) -> None:
    whole(gateway, receiver, "chat")
    posts = [json.loads(body) for body in posthog.bodies]
    assert {post["api_key"] for post in posts} == {POSTHOG_KEY}
    events = [event["properties"] for post in posts for event in post["batch"]]
    (mine,) = [event for event in events if event["request_id"] == CALLS["chat"].request_id]
    assert (mine["distinct_id"], mine["$ai_model"], mine["$ai_http_status"]) == (DISTINCT, "gpt-4o", 200)
    assert "$ai_input" not in mine
    assert "$process_person_profile" not in mine


def test_the_access_log_names_the_trace(gateway: Gateway, receiver: SpanReceiver) -> None:
    trace = whole(gateway, receiver, "chat")
    record = gateway.access_log(CALLS["chat"].request_id, seconds=15)
    assert record["trace_id"] == trace[0].span.trace_id.hex()


def test_a_decision_that_is_asked_for_is_a_span_of_its_own(gateway: Gateway, receiver: SpanReceiver) -> None:
    body = {
        "model": "openai/gpt-4o",
        "messages": [{"role": "user", "content": QUESTION}],
        "routing_preferences": INLINE,
    }
    headers = {"x-plano-key": CLIENT_KEY, "x-acme-tenant-id": "t1", "x-model-affinity": "session-9"}
    answer = httpx.post(f"{gateway.url}/routing{CHAT}", json=body, headers=headers, timeout=20)
    assert answer.status_code == 200

    def complete(trace: Trace) -> bool:
        return {"plano(routing)", "plano(outbound)"} <= {each.service for each in trace} and len(trace.tree) == 1

    trace = receiver.awaited(answer.headers["x-request-id"], complete, lambda: nudge(gateway))
    assert answer.json()["trace_id"] == trace[0].span.trace_id.hex()
    told = trace.of("plano(routing)").attributes
    assert trace.of("plano(routing)").span.name == "routing_decision"
    assert trace.of("plano(outbound)", "POST").parent == trace.of("plano(routing)").id
    assert (told["http.path"], told["tenant.id"], told["environment"]) == (CHAT, "t1", "prod")
    assert told["plano.session_id"] == "session-9"
