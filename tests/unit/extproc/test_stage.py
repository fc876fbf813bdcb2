import json

from extproc.stage import ListenerStage, Snapshot
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
    return ListenerStage(Snapshot.of(RuntimeConfig(version="v0.4.0", listeners=(model,), model_providers=(PROVIDER,))))


def headers(**values: str) -> pb.HttpHeaders:
    names = {name.replace("_", "-").replace("--", ":"): value for name, value in values.items()}
    found = [pb.HeaderValue(key=name, raw_value=value.encode()) for name, value in names.items()]
    return pb.HttpHeaders(headers=pb.HeaderMap(headers=found))


def send(to: ListenerStage, **message: object) -> pb.ProcessingResponse:
    request = pb.ProcessingRequest(**message)  # type: ignore[arg-type]
    return pb.ProcessingResponse.FromString(to.handle(request.SerializeToString()))


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
    assert pb.ProcessingResponse.FromString(tested.handle(b"")).immediate_response.status.code == 500


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
    tested = ListenerStage(
        Snapshot.of(RuntimeConfig(version="v0.4.0", listeners=(listener,), model_providers=(entry,)))
    )
    send(tested, request_headers=CHAT)
    send(tested, request_body=BODY)
    send(tested, response_headers=headers(__status="401", content_type="application/json"))
    refusal = pb.HttpBody(body=b'{"error":{"message":"bad hidden-1"}}', end_of_stream=True)
    reply = send(tested, response_body=refusal)
    assert b"hidden-1" not in reply.response_body.response.body_mutation.body
