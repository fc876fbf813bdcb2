from collections.abc import Mapping

import orjson
import pytest

from extproc.chain import Chain, describe
from extproc.exchange import Exchange
from extproc.snapshot import Snapshot
from extproc.upstream_stage import UpstreamStage
from hermesllm.formats import Format
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.headers import ATTEMPT_ATTRIBUTE, METADATA_NAMESPACE
from planoctl.config.runtime import ModelProvider, RuntimeConfig

OPENAI = ModelProvider(
    name="openai/gpt-4o",
    provider_interface="openai",
    model="gpt-4o",
    access_key="sk-o",
    headers={"X-Org": "ours"},
)
CLAUDE = ModelProvider(name="anthropic/claude-x", provider_interface="anthropic", model="claude-x", access_key="sk-a")
CONFIG = RuntimeConfig(version="v0.4.0", model_providers=(OPENAI, CLAUDE))
CLIENT = {":path": "/v1/chat/completions", "x-request-id": "r-1", "authorization": "Bearer client"}
DOCUMENT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
STREAMED = orjson.dumps({**DOCUMENT, "stream": True})
EVENTS = b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",\
"role":"assistant","content":[],"model":"claude-x","usage":{"input_tokens":1,"output_tokens":1}}}\n\n'


def header_map(headers: Mapping[str, str], *, end: bool = False) -> pb.HttpHeaders:
    found = [pb.HeaderValue(key=name, raw_value=value.encode()) for name, value in headers.items()]
    return pb.HttpHeaders(headers=pb.HeaderMap(headers=found), end_of_stream=end)


def chain_text(client: Format = Format.CHAT, headers: Mapping[str, str] = CLIENT, body: bytes | None = None) -> str:
    registry = Snapshot.of(CONFIG).registry
    found = [registry.resolve(entry.name) for entry in (OPENAI, CLAUDE)]
    exchanges = [Exchange(client, candidate, body_limit=1 << 20) for candidate in found if candidate is not None]
    return describe(Chain(tuple(exchanges)), client, headers, body)


def started(
    count: int, headers: Mapping[str, str] = CLIENT, *, text: str | None = None, config: RuntimeConfig = CONFIG
) -> tuple[UpstreamStage, pb.ProcessingResponse]:
    """A stage that has seen the head of the `count`-th attempt, and what it said."""
    message = pb.ProcessingRequest(request_headers=header_map(headers))
    fields = message.metadata_context.filter_metadata[METADATA_NAMESPACE].fields
    fields["chain"].string_value = chain_text() if text is None else text
    message.attributes["envoy.filters.http.ext_proc"].fields[ATTEMPT_ATTRIBUTE].number_value = count
    stage = UpstreamStage(Snapshot.of(config))
    (reply,) = replies(stage, message)
    return stage, reply


def replies(stage: UpstreamStage, message: pb.ProcessingRequest) -> list[pb.ProcessingResponse]:
    made = stage.handle(message)
    return [pb.ProcessingResponse.FromString(each) for each in ((made,) if isinstance(made, bytes) else made)]


def asked(stage: UpstreamStage, body: bytes) -> pb.CommonResponse:
    (reply,) = replies(stage, pb.ProcessingRequest(request_body=pb.HttpBody(body=body, end_of_stream=True)))
    return reply.request_body.response


def head(stage: UpstreamStage, headers: Mapping[str, str], *, end: bool = False) -> list[pb.ProcessingResponse]:
    return replies(stage, pb.ProcessingRequest(response_headers=header_map(headers, end=end)))


def chunk(stage: UpstreamStage, body: bytes, *, end: bool = False) -> list[pb.ProcessingResponse]:
    return replies(stage, pb.ProcessingRequest(response_body=pb.HttpBody(body=body, end_of_stream=end)))


def changes(common: pb.CommonResponse) -> dict[str, str]:
    return {option.header.key: option.header.raw_value.decode() for option in common.header_mutation.set_headers}


def streaming(count: int) -> UpstreamStage:
    """A stage whose request for a stream is out."""
    stage, _ = started(count)
    asked(stage, STREAMED)
    return stage


def test_what_an_earlier_attempt_has_set_does_not_reach_the_next_provider() -> None:
    left = {**CLIENT, "authorization": "Bearer sk-o", "x-org": "ours", "x-other": "of the client"}
    stage, reply = started(2, left)
    assert reply.WhichOneof("response") == "request_headers"
    common = asked(stage, orjson.dumps(DOCUMENT))
    assert set(common.header_mutation.remove_headers) == {"authorization", "x-org"}
    assert changes(common)["x-api-key"] == "sk-a"
    assert not any("sk-o" in value for value in changes(common).values())


def test_an_attempt_overwrites_the_key_path_and_body_of_the_one_before() -> None:
    left = {**CLIENT, "x-api-key": "sk-a", "anthropic-version": "2023-06-01", ":path": "/v1/messages"}
    stage, _ = started(1, left)
    common = asked(stage, orjson.dumps(DOCUMENT))
    assert changes(common)["authorization"] == "Bearer sk-o"
    assert changes(common)[":path"] == "/v1/chat/completions"
    assert changes(common)["x-org"] == "ours"
    assert {"x-api-key", "anthropic-version"} <= set(common.header_mutation.remove_headers)


def test_the_request_is_the_one_of_the_attempts_provider_and_keeps_its_cluster() -> None:
    stage, _ = started(2)
    common = asked(stage, orjson.dumps(DOCUMENT))
    assert changes(common)[":path"] == "/v1/messages"
    assert "x-arch-llm-provider" not in changes(common)
    assert not common.clear_route_cache
    sent = orjson.loads(common.body_mutation.body)
    assert (sent["model"], sent["max_tokens"], sent["messages"][0]["role"]) == ("claude-x", 5, "user")


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("body", [orjson.dumps(DOCUMENT), orjson.dumps({**DOCUMENT, "model": "fast"})])
def test_the_length_is_that_of_the_body_whether_it_was_rewritten_or_not(count: int, body: bytes) -> None:
    stage, _ = started(count, {**CLIENT, "content-length": "99999"})
    common = asked(stage, body)
    sent = common.body_mutation.body if common.HasField("body_mutation") else body
    assert changes(common)["content-length"] == str(len(sent))


def test_a_body_in_the_providers_format_goes_on_byte_for_byte_but_for_its_model() -> None:
    stage, _ = started(1)
    common = asked(stage, b'{ "model":"fast","messages": [{"role":"user", "content":"Hi"}], "seed": 1 }')
    assert common.body_mutation.body == b'{ "model":"gpt-4o","messages": [{"role":"user", "content":"Hi"}], "seed": 1 }'


def test_a_carried_body_replaces_what_the_first_attempt_made_of_it() -> None:
    body = orjson.dumps(DOCUMENT)
    stage, _ = started(1, text=chain_text(body=body))
    common = asked(stage, b'{"made":"for another provider"}')
    assert common.body_mutation.body == body
    assert changes(common)["content-length"] == str(len(body))


def test_headers_of_anthropics_api_are_the_clients_own_again() -> None:
    own = {":path": "/v1/messages", "anthropic-version": "2099-01-01", "anthropic-beta": "b-1"}
    stage, _ = started(2, {":path": "/v1/messages"}, text=chain_text(Format.ANTHROPIC, own))
    common = asked(stage, orjson.dumps(DOCUMENT))
    assert changes(common)["anthropic-version"] == "2099-01-01"
    assert changes(common)["anthropic-beta"] == "b-1"


def test_the_head_of_a_stream_waits_for_its_first_bytes() -> None:
    stage = streaming(2)
    assert head(stage, {":status": "200", "content-type": "text/event-stream", "content-length": "9"}) == []
    first, second = chunk(stage, EVENTS)
    assert first.WhichOneof("response") == "response_headers"
    assert changes(first.response_headers.response) == {
        "content-type": "text/event-stream",
        "x-plano-translated": "1",
    }
    assert "content-length" in first.response_headers.response.header_mutation.remove_headers
    assert b"chat.completion.chunk" in second.response_body.response.body_mutation.body
    (third,) = chunk(stage, b"", end=True)
    assert third.WhichOneof("response") == "response_body"


def test_a_stream_in_the_clients_format_passes_and_waits_too() -> None:
    stage = streaming(1)
    assert head(stage, {":status": "200", "content-type": "text/event-stream"}) == []
    first, second = chunk(stage, b"data: {}\n\n")
    assert changes(first.response_headers.response)["x-plano-translated"] == "1"
    assert not second.response_body.response.HasField("body_mutation")
    assert len(chunk(stage, b"data: [DONE]\n\n", end=True)) == 1


@pytest.mark.parametrize("status", ["301", "400", "401", "429", "500", "503"])
def test_errors_are_left_to_the_listener_stage(status: str) -> None:
    stage = streaming(2)
    (reply,) = head(stage, {":status": status, "content-type": "application/json"})
    mutation = reply.response_headers.response.header_mutation
    assert list(mutation.remove_headers) == ["x-plano-translated"]
    assert not mutation.set_headers
    (body,) = chunk(stage, b'{"error":{}}', end=True)
    assert not body.response_body.response.HasField("body_mutation")


@pytest.mark.parametrize(
    ("status", "content_type", "end"),
    [("200", "application/json", False), ("200", "text/event-stream", True), ("500", "text/event-stream", False)],
)
def test_a_provider_cannot_say_that_its_answer_is_translated(status: str, content_type: str, end: bool) -> None:
    stage = streaming(2)
    forged = {":status": status, "content-type": content_type, "x-plano-translated": "1"}
    found = head(stage, forged, end=end) or chunk(stage, b"{}", end=True)
    mutation = found[0].response_headers.response.header_mutation
    assert "x-plano-translated" in mutation.remove_headers
    assert not mutation.set_headers


def test_a_candidate_that_a_new_configuration_has_not_is_a_503_that_says_so() -> None:
    only_openai = RuntimeConfig(version="v0.4.0", model_providers=(OPENAI,))
    _, reply = started(2, config=only_openai)
    assert reply.immediate_response.status.code == 503
    assert orjson.loads(reply.immediate_response.body)["error"]["code"] == "configuration_changed"
    assert reply.immediate_response.details == "plano_configuration_changed"


def test_a_refusal_has_the_shape_of_the_clients_api() -> None:
    keyless = ModelProvider(name="anthropic/claude-x", provider_interface="anthropic", model="claude-x")
    config = RuntimeConfig(version="v0.4.0", model_providers=(OPENAI, keyless))
    stage, _ = started(2, text=chain_text(Format.ANTHROPIC), config=config)
    (reply,) = replies(stage, pb.ProcessingRequest(request_body=pb.HttpBody(body=orjson.dumps(DOCUMENT))))
    assert reply.immediate_response.status.code == 400
    assert orjson.loads(reply.immediate_response.body)["type"] == "error"


def test_a_fault_is_a_500_and_no_exception() -> None:
    _, reply = started(1, text="not json")
    assert reply.immediate_response.status.code == 500
    assert orjson.loads(reply.immediate_response.body)["error"]["message"].startswith("Internal gateway error")
