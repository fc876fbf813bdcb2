"""The listener stage of requests whose answers are captured: what of them passes it, and what comes of faults."""

import json
from typing import Any

import pytest
from hpack import Encoder

from extproc.captured_answer import CapturedAnswer
from extproc.health import Health
from extproc.listener_stage import ListenerStage
from extproc.output_messages import OutputMessages
from extproc.routing import RoutingClient
from extproc.services import Services
from extproc.snapshot import Snapshot
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.runtime import Listener, RuntimeConfig, Tracing
from tests.unit.extproc.test_listener_stage import PROVIDER, headers, send

TRACING = Tracing(random_sampling=1, opentracing_grpc_endpoint="http://c:4317", capture_content=True)
ANSWER = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
NONE, STREAMED = pb.ProcessingMode.BodySendMode.NONE, pb.ProcessingMode.BodySendMode.STREAMED


def asked(tracing: Tracing | None = TRACING, *, flags: str = "01", path: str = "/v1/chat/completions") -> ListenerStage:
    """A stage whose request has gone to a provider of the client's format."""
    listener = Listener(type="model", name="llm", port=12000)
    config = RuntimeConfig(version="v0.4.0", listeners=(listener,), model_providers=(PROVIDER,), tracing=tracing)
    services = Services(Health(config.routing.failover), RoutingClient("unix:/nowhere"))
    block = Encoder().encode([(":path", "/x"), ("traceparent", f"00-{1:032x}-{1:016x}-{flags}")])
    made = ListenerStage(Snapshot.of(config), services, block)
    send(made, request_headers=headers(__path=path, __method="POST", x_request_id="r-1"))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "input": "hi"}
    reply = send(made, request_body=pb.HttpBody(body=json.dumps(body).encode(), end_of_stream=True))
    assert reply.WhichOneof("response") == "request_body"
    return made


def begun(stage: ListenerStage, *, end: bool = False, **head: str) -> int:
    """The mode that the stage wants for the body."""
    message = headers(**{"__status": "200", "content_type": "application/json", **head})
    message.end_of_stream = end
    return send(stage, response_headers=message).mode_override.response_body_mode


def pieces(stage: ListenerStage, *chunks: bytes) -> list[pb.ProcessingResponse]:
    last = len(chunks) - 1
    messages = [pb.HttpBody(body=chunk, end_of_stream=number == last) for number, chunk in enumerate(chunks)]
    return [send(stage, response_body=message) for message in messages]


def test_an_answer_is_read_along_and_told_at_its_end() -> None:
    stage = asked()
    assert begun(stage) == STREAMED
    *before, last = pieces(stage, ANSWER[:20], ANSWER[20:], b"")
    unchanged = pb.ProcessingResponse(response_body=pb.BodyResponse())
    assert before == [unchanged, unchanged]
    assert last.response_body == unchanged.response_body
    told = last.dynamic_metadata.fields["plano"].struct_value.fields["answered"].string_value
    assert json.loads(told)[0]["parts"] == [{"type": "text", "content": "hi"}]


@pytest.mark.parametrize(
    "given",
    [
        {"flags": "00"},
        {"tracing": None},
        {"tracing": Tracing(random_sampling=1, opentracing_grpc_endpoint="http://c:4317")},
        {"path": "/v1/embeddings"},
    ],
)
def test_what_nobody_wants_to_know_does_not_pass(given: Any) -> None:
    assert begun(asked(**given)) == NONE


def test_answers_that_are_empty_or_encoded_do_not_pass_and_errors_are_not_told() -> None:
    assert begun(asked(), end=True) == NONE
    assert begun(asked(), content_encoding="gzip") == NONE
    stage = asked()
    begun(stage, __status="400")
    (reply,) = pieces(stage, ANSWER)
    assert list(reply.dynamic_metadata["plano"]) == ["error"]


@pytest.mark.parametrize("at", [(CapturedAnswer, "_follow"), (OutputMessages, "json")])
def test_a_fault_of_the_reader_harms_no_answer(at: tuple[type, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(*at, fail)
    stage = asked()
    assert begun(stage) == STREAMED
    unchanged = pb.ProcessingResponse(response_body=pb.BodyResponse())
    assert pieces(stage, ANSWER[:20], ANSWER[20:]) == [unchanged, unchanged]
