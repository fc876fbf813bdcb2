import json

import pytest
from google.protobuf import json_format

from extproc.health import Health
from extproc.listener_stage import ListenerStage
from extproc.routing import RoutingClient
from extproc.services import Services
from extproc.snapshot import Snapshot
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.runtime import Listener, ModelProvider, RuntimeConfig

PROVIDER = ModelProvider(
    name="openai/gpt-4o",
    provider_interface="openai",
    model="gpt-4o",
    access_key="sk-very-secret",
    endpoint="api.openai.com",
    port=443,
    protocol="https",
    cluster_name="openai",
)


def stage(**listener: object) -> ListenerStage:
    model = Listener(type="model", name="llm", port=12000, **listener)  # type: ignore[arg-type]
    return stage_of(RuntimeConfig(version="v0.4.0", listeners=(model,), model_providers=(PROVIDER,)))


def stage_of(config: RuntimeConfig) -> ListenerStage:
    services = Services(Health(config.routing.failover), RoutingClient("unix:/nowhere"))
    return ListenerStage(Snapshot.of(config), services)


def headers(**values: str) -> pb.HttpHeaders:
    names = {name.replace("_", "-").replace("--", ":"): value for name, value in values.items()}
    found = [pb.HeaderValue(key=name, raw_value=value.encode()) for name, value in names.items()]
    return pb.HttpHeaders(headers=pb.HeaderMap(headers=found))


def send(to: ListenerStage, **message: object) -> pb.ProcessingResponse:
    request = pb.ProcessingRequest(**message)  # type: ignore[arg-type]
    reply = to.handle(request)
    assert isinstance(reply, bytes)
    return pb.ProcessingResponse.FromString(reply)


CHAT = headers(__path="/v1/chat/completions", __method="POST", x_request_id="r-1", x_plano_trick="1")
BODY = pb.HttpBody(body=b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}', end_of_stream=True)


def test_a_listener_with_filters_refuses_requests_because_the_filters_cannot_run() -> None:
    reply = send(stage(input_filters=("guard",)), request_headers=CHAT)
    assert reply.immediate_response.status.code == 501
    assert json.loads(reply.immediate_response.body)["error"]["code"] == "filters_unavailable"


def test_internal_headers_of_a_client_do_not_travel_on() -> None:
    tested = stage()
    send(tested, request_headers=CHAT)
    reply = send(tested, request_body=BODY)
    assert "x-plano-trick" in reply.request_body.response.header_mutation.remove_headers


def test_a_provider_that_quotes_the_key_it_refuses_does_not_reveal_it() -> None:
    tested = stage()
    send(tested, request_headers=CHAT)
    send(tested, request_body=BODY)
    send(tested, response_headers=headers(__status="401", content_type="application/json"))
    refusal = b'{"error":{"message":"Incorrect API key provided: sk-very-secret"}}'
    reply = send(tested, response_body=pb.HttpBody(body=refusal, end_of_stream=True))
    body = reply.response_body.response.body_mutation.body
    assert b"sk-very-secret" not in body
    assert b"Incorrect API key provided: ***" in body


def test_a_fault_of_our_own_is_a_500_in_the_clients_shape_and_not_an_exception() -> None:
    tested = stage()
    reply = send(tested, response_body=pb.HttpBody(body=b"out of turn", end_of_stream=True))
    assert reply.WhichOneof("response") == "response_body"
    assert send(tested).immediate_response.status.code == 500


def test_a_provider_error_without_a_body_still_tells_the_client_something() -> None:
    tested = stage()
    send(tested, request_headers=CHAT)
    send(tested, request_body=BODY)
    head = headers(__status="503")
    head.end_of_stream = True
    reply = send(tested, response_headers=head)
    assert reply.immediate_response.status.code == 503
    assert json.loads(reply.immediate_response.body)["error"]["provider"] == "openai"


def answered(status: str, body: bytes, **head: str) -> tuple[int, bytes]:
    tested = stage()
    send(tested, request_headers=CHAT)
    send(tested, request_body=BODY)
    start = headers(__status=status, **head)
    start.end_of_stream = not body
    reply = send(tested, response_headers=start)
    if body:
        reply = send(tested, response_body=pb.HttpBody(body=body, end_of_stream=True))
        changes = reply.response_body.response.header_mutation.set_headers
        found = next(option.header.raw_value for option in changes if option.header.key == ":status")
        return int(found), reply.response_body.response.body_mutation.body
    return reply.immediate_response.status.code, reply.immediate_response.body


def test_a_redirect_or_an_empty_answer_of_a_provider_is_a_502_and_leads_nowhere() -> None:
    for status, body in (("301", b"moved"), ("302", b""), ("204", b""), ("304", b"")):
        code, text = answered(status, body, content_type="text/html", location="http://evil.example")
        assert code == 502
        assert json.loads(text)["error"]["provider"] == "openai"


def test_a_model_name_that_no_header_can_hold_is_refused() -> None:
    for name in ("gpt\\r\\nevil: 1", "gpt\\u0000", "x" * 600):
        tested = stage()
        send(tested, request_headers=CHAT)
        body = (f'{{"model":"{name}","messages":[{{"role":"user","content":"hi"}}]}}').encode()
        reply = send(tested, request_body=pb.HttpBody(body=body, end_of_stream=True))
        assert reply.immediate_response.status.code == 400


def test_secrets_in_configured_headers_are_masked_too() -> None:
    entry = ModelProvider(
        name="openai/gpt-4o",
        provider_interface="openai",
        model="gpt-4o",
        base_url="http://x",
        headers={"x-s": "hidden-1"},
    )
    listener = Listener(type="model", name="llm", port=12000)
    tested = stage_of(RuntimeConfig(version="v0.4.0", listeners=(listener,), model_providers=(entry,)))
    send(tested, request_headers=CHAT)
    send(tested, request_body=BODY)
    send(tested, response_headers=headers(__status="401", content_type="application/json"))
    refusal = pb.HttpBody(body=b'{"error":{"message":"bad hidden-1"}}', end_of_stream=True)
    reply = send(tested, response_body=refusal)
    assert b"hidden-1" not in reply.response_body.response.body_mutation.body


CHAIN_CONFIG = RuntimeConfig(
    version="v0.4.0",
    listeners=(Listener(type="model", name="llm", port=12000),),
    model_providers=(
        ModelProvider(
            name="openai/gpt-4o",
            provider_interface="openai",
            model="gpt-4o",
            access_key="sk-o",
            cluster_name="openai",
            fallbacks=("anthropic/claude-x", "mistral/keyless", "openai/gpt-4o"),
        ),
        ModelProvider(name="anthropic/claude-x", provider_interface="anthropic", model="claude-x", access_key="sk-a"),
        ModelProvider(name="mistral/keyless", provider_interface="mistral", model="keyless"),
    ),
)
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def chained(**members: object) -> tuple[ListenerStage, pb.ProcessingResponse]:
    """A stage that has sent a request on its way to a chain of two candidates, and the reply that did so."""
    tested = stage_of(CHAIN_CONFIG)
    send(tested, request_headers=CHAT)
    body = json.dumps({**QUESTION, **members}).encode()
    return tested, send(tested, request_body=pb.HttpBody(body=body, end_of_stream=True))


def changed(common: pb.CommonResponse) -> dict[str, str]:
    return {option.header.key: option.header.raw_value.decode() for option in common.header_mutation.set_headers}


LARGE = "x" * 200_000


@pytest.mark.parametrize(
    ("members", "clusters"),
    [
        ({"stream": True}, ["openai~stream", "anthropic~stream"]),
        ({"user": LARGE}, ["openai~chain", "anthropic~chain"]),
        ({}, ["openai~first", "anthropic~chain"]),
    ],
)
def test_a_request_with_fallbacks_names_the_cluster_of_each_attempt_to_envoy(
    members: dict[str, object], clusters: list[str]
) -> None:
    _, reply = chained(**members)
    metadata = reply.dynamic_metadata.fields["plano"].struct_value
    groups = json_format.MessageToDict(metadata)["priority_groups"]
    assert [group["clusters"] for group in groups] == [[{"cluster_name": name, "weight": 1.0}] for name in clusters]
    assert len({group["name"] for group in groups}) == 2
    assert metadata.fields["models"].string_value == "openai/gpt-4o, anthropic/claude-x"
    chain = json.loads(metadata.fields["chain"].string_value)
    assert (chain["format"], chain["models"]) == ("chat", ["openai/gpt-4o", "anthropic/claude-x"])
    headers = changed(reply.request_body.response)
    assert headers["x-envoy-max-retries"] == "1"
    assert "x-arch-chain" in headers
    assert "x-arch-llm-provider" not in headers
    assert "x-plano-trick" in reply.request_body.response.header_mutation.remove_headers
    assert reply.request_body.response.clear_route_cache


def test_what_the_upstream_stage_translates_goes_on_as_the_client_sent_it() -> None:
    for members in ({"stream": True}, {"user": LARGE}):
        _, reply = chained(**members)
        assert not reply.request_body.response.HasField("body_mutation")
        assert "authorization" not in changed(reply.request_body.response)


def test_a_client_cannot_choose_how_often_envoy_retries() -> None:
    tested = stage_of(CHAIN_CONFIG)
    send(tested, request_headers=headers(__path="/v1/messages", __method="POST", x_envoy_max_retries="99"))
    body = json.dumps({**QUESTION, "max_tokens": 5}).encode()
    reply = send(tested, request_body=pb.HttpBody(body=body, end_of_stream=True)).request_body.response
    assert changed(reply)["x-envoy-max-retries"] == "1"
    assert "x-envoy-max-retries" not in reply.header_mutation.remove_headers
    only = json.dumps({**QUESTION, "model": "anthropic/claude-x", "max_tokens": 5}).encode()
    tested = stage_of(CHAIN_CONFIG)
    send(tested, request_headers=headers(__path="/v1/messages", __method="POST", x_envoy_max_retries="99"))
    single = send(tested, request_body=pb.HttpBody(body=only, end_of_stream=True)).request_body.response
    assert "x-envoy-max-retries" in single.header_mutation.remove_headers


@pytest.mark.parametrize(("count", "model"), [("1", "openai/gpt-4o"), ("2", "anthropic/claude-x")])
def test_the_client_learns_which_attempt_answered(count: str, model: str) -> None:
    tested, _ = chained()
    head = headers(__status="200", content_type="application/json", x_envoy_attempt_count=count)
    reply = send(tested, response_headers=head)
    told = changed(reply.response_headers.response)
    assert (told["x-plano-attempts"], told["x-plano-model"]) == (count, model)
    assert told["x-plano-provider"] == model.partition("/")[0]
    assert "x-envoy-attempt-count" in reply.response_headers.response.header_mutation.remove_headers
    metadata = reply.dynamic_metadata.fields["plano"].struct_value.fields
    assert (metadata["provider"].string_value, metadata["model"].string_value) == tuple(model.split("/"))


def test_what_failed_before_is_tried_last_the_next_time() -> None:
    services = Services(Health(CHAIN_CONFIG.routing.failover), RoutingClient("unix:/nowhere"))
    orders = []
    for _ in range(CHAIN_CONFIG.routing.failover.failures + 1):
        tested = ListenerStage(Snapshot.of(CHAIN_CONFIG), services)
        send(tested, request_headers=CHAT)
        reply = send(tested, request_body=BODY)
        orders.append(reply.dynamic_metadata.fields["plano"].struct_value.fields["models"].string_value)
        send(
            tested, response_headers=headers(__status="200", content_type="application/json", x_envoy_attempt_count="2")
        )
    assert set(orders[:-1]) == {"openai/gpt-4o, anthropic/claude-x"}
    assert orders[-1] == "anthropic/claude-x, openai/gpt-4o"


TRANSLATED_HEAD = {"content_type": "text/event-stream", "x_envoy_attempt_count": "2", "x_plano_translated": "1"}


def test_a_stream_that_the_upstream_stage_has_translated_passes_and_loses_the_mark() -> None:
    tested, _ = chained(stream=True)
    reply = send(tested, response_headers=headers(__status="200", **TRANSLATED_HEAD))
    assert reply.mode_override.response_body_mode == pb.ProcessingMode.BodySendMode.NONE
    assert "x-plano-translated" in reply.response_headers.response.header_mutation.remove_headers


def test_the_mark_of_a_translated_stream_counts_only_for_streams_of_a_chain() -> None:
    whole, _ = chained()
    single = stage_of(CHAIN_CONFIG)
    send(single, request_headers=CHAT)
    body = json.dumps({**QUESTION, "model": "anthropic/claude-x", "stream": True}).encode()
    send(single, request_body=pb.HttpBody(body=body, end_of_stream=True))
    for tested, kind in ((whole, "application/json"), (single, "text/event-stream")):
        forged = {**TRANSLATED_HEAD, "content_type": kind}
        reply = send(tested, response_headers=headers(__status="200", **forged))
        assert reply.mode_override.response_body_mode != pb.ProcessingMode.BodySendMode.NONE


def test_the_mark_from_a_client_does_not_travel_on() -> None:
    tested = stage_of(CHAIN_CONFIG)
    send(tested, request_headers=headers(__path="/v1/chat/completions", __method="POST", x_plano_translated="1"))
    reply = send(tested, request_body=BODY)
    assert "x-plano-translated" in reply.request_body.response.header_mutation.remove_headers
