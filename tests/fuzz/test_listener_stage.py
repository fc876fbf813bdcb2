"""The listener stage with any headers, any body, any answer of a provider: a reply Envoy can use, never a fault."""

import gzip
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from extproc.health import Health
from extproc.listener_stage import ListenerStage
from extproc.routing import RoutingClient
from extproc.services import Services
from extproc.snapshot import Snapshot
from plano_pb import ext_proc_pb2 as pb
from planoctl.config.pipeline import load_document
from tests.fuzz.effort import examples

PATHS = (
    "/v1/chat/completions",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/responses",
    "/v1/completions",
    "/v1/embeddings",
)
_CONFIG = load_document(
    {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "llm", "port": 12000}],
        "model_providers": [
            {"model": "openai/gpt-4o", "access_key": "$KEY", "default": True},
            {"model": "anthropic/claude-sonnet-4-5", "access_key": "$KEY"},
            {"model": "gemini/gemini-2.5-pro", "access_key": "$KEY"},
            {
                "model": "amazon_bedrock/anthropic.claude-3",
                "access_key": "$KEY",
                "base_url": "https://bedrock-runtime.us-east-1.amazonaws.com",
            },
            {"model": "groq/*", "access_key": "$KEY"},
        ],
        "model_aliases": {"chain": {"target": "gpt-4o", "fallbacks": ["claude-sonnet-4-5", "gemini-2.5-pro"]}},
    },
    environment={"KEY": "sk-key"},
).runtime
_SNAPSHOT = Snapshot.of(_CONFIG)
MODELS = ("gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro", "anthropic.claude-3", "groq/x", "chain", "nothing", "")


class Strict(ListenerStage):
    """A fault of our own is a failed test."""

    def _fault(self, kind: str | None, fault: Exception) -> bytes:
        raise AssertionError(kind) from fault


def stage() -> Strict:
    return Strict(_SNAPSHOT, Services(Health(_CONFIG.routing.failover), RoutingClient("unix:/nowhere")))


def heads(values: dict[str, bytes], *, end: bool = False) -> pb.HttpHeaders:
    found = [pb.HeaderValue(key=name, raw_value=value) for name, value in values.items()]
    return pb.HttpHeaders(headers=pb.HeaderMap(headers=found), end_of_stream=end)


def send(to: ListenerStage, **sent: Any) -> pb.ProcessingResponse:
    reply = to.handle(pb.ProcessingRequest(**sent))
    assert isinstance(reply, bytes)
    answer = pb.ProcessingResponse.FromString(reply)
    if answer.HasField("immediate_response") and answer.immediate_response.body:
        assert isinstance(orjson.loads(answer.immediate_response.body), dict)
    return answer


_names = st.sampled_from(
    [
        "x-request-id",
        "content-type",
        "content-length",
        "content-encoding",
        "x-arch-llm-provider-hint",
        "anthropic-version",
        "authorization",
        "x-api-key",
        "x-plano-attempts",
        "traceparent",
        "accept",
        "x-arch-upstream",
        "x-session-id",
    ]
) | st.text(alphabet="abc-_é\x00", min_size=1, max_size=8)
_values = st.binary(max_size=20) | st.sampled_from([b"gzip", b"br", b"zstd", b"identity, gzip", b"1", b"-1", b"9" * 30])
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
_KEYS = (
    "messages",
    "input",
    "prompt",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "max_tokens",
    "temperature",
    "stop",
    "response_format",
    "metadata",
    "thinking",
    "reasoning",
    "reasoning_effort",
    "n",
    "logprobs",
    "stream_options",
    "routing_preferences",
    "instructions",
    "previous_response_id",
    "modalities",
    "audio",
    "functions",
    "user",
    "text",
    "include",
    "service_tier",
    "parallel_tool_calls",
    "top_p",
    "stop_sequences",
    "output_config",
)
_TEXT_KEYS = (
    "role",
    "type",
    "content",
    "text",
    "name",
    "id",
    "input",
    "arguments",
    "tool_call_id",
    "tool_use_id",
    "image_url",
    "source",
    "url",
    "data",
    "media_type",
    "function",
    "parameters",
    "input_schema",
    "tool_calls",
    "call_id",
    "output",
    "cache_control",
    "signature",
    "thinking",
    "summary",
)
_WORDS = st.sampled_from(
    [
        "user",
        "assistant",
        "system",
        "tool",
        "developer",
        "text",
        "image",
        "image_url",
        "tool_use",
        "tool_result",
        "function",
        "function_call",
        "function_call_output",
        "message",
        "input_text",
        "thinking",
        "document",
        "file",
        "reasoning",
        "auto",
        "data:image/png;base64,AA==",
        "{}",
        "[",
    ]
)
_parts = st.recursive(
    _json | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_TEXT_KEYS), inner | _WORDS, max_size=6)
    ),
    max_leaves=15,
)
_bodies = st.builds(
    lambda model, keys: {"model": model, **keys},
    st.sampled_from(MODELS) | _json,
    st.dictionaries(st.sampled_from(_KEYS), _parts, max_size=6),
)
_plain = {
    "model": "gpt-4o",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
    "input": "hi",
    "prompt": "x",
}


@given(
    st.sampled_from([*PATHS, "/", "", "/v1/models", "*"]),
    st.dictionaries(_names, _values, max_size=6),
    st.booleans(),
    st.binary(max_size=60),
)
@examples(200)
def test_any_headers_and_bytes_get_an_answer(path: str, headers: dict[str, bytes], end: bool, body: bytes) -> None:
    tested = stage()
    head = {":path": path.encode(), ":method": b"POST", **headers}
    reply = send(tested, request_headers=heads(head, end=end))
    if not reply.HasField("immediate_response"):
        reply = send(tested, request_body=pb.HttpBody(body=body, end_of_stream=True))
        if reply.HasField("immediate_response"):
            assert 400 <= reply.immediate_response.status.code < 500


@given(st.sampled_from(PATHS), _bodies, st.booleans())
@examples(400)
def test_any_document_goes_on_or_is_refused(path: str, document: dict[str, Any], packed: bool) -> None:
    tested = stage()
    head = {":path": path.encode(), ":method": b"POST"} | ({"content-encoding": b"gzip"} if packed else {})
    send(tested, request_headers=heads(head))
    raw = orjson.dumps(document)
    reply = send(tested, request_body=pb.HttpBody(body=gzip.compress(raw) if packed else raw, end_of_stream=True))
    if reply.HasField("immediate_response"):
        assert 400 <= reply.immediate_response.status.code < 500
    else:
        assert reply.HasField("request_body")


@given(
    st.sampled_from(PATHS),
    st.sampled_from(MODELS[:6]),
    st.booleans(),
    st.integers(100, 599) | st.just(200),
    st.dictionaries(_names, _values, max_size=4),
    st.lists(
        st.binary(max_size=40)
        | st.sampled_from(
            [
                b"data: {}\n\n",
                b"data: [DONE]\n\n",
                b"{",
                b'{"choices": [null]}',
                b'data: {"choices": [{"delta": 1}]}\n\n',
            ]
        ),
        max_size=5,
    ),
)
@examples(300)
def test_any_answer_of_a_provider_gets_a_reply(
    path: str, model: str, stream: bool, status: int, headers: dict[str, bytes], pieces: list[bytes]
) -> None:
    tested = stage()
    send(tested, request_headers=heads({":path": path.encode(), ":method": b"POST"}))
    body = orjson.dumps({**_plain, "model": model, "stream": stream})
    if send(tested, request_body=pb.HttpBody(body=body, end_of_stream=True)).HasField("immediate_response"):
        return
    head = {":status": str(status).encode(), "content-type": b"text/event-stream" if stream else b"application/json"}
    reply = send(tested, response_headers=heads({**head, **headers}, end=not pieces))
    mode = pb.ProcessingMode.BodySendMode.Name(reply.mode_override.response_body_mode)
    if mode == "BUFFERED":
        send(tested, response_body=pb.HttpBody(body=b"".join(pieces), end_of_stream=True))
    elif mode == "STREAMED":
        for number, piece in enumerate(pieces, 1):
            send(tested, response_body=pb.HttpBody(body=piece, end_of_stream=number == len(pieces)))


@given(st.lists(st.sampled_from(["request_headers", "request_body", "response_headers", "response_body"]), max_size=6))
@examples(100)
def test_messages_in_any_order_get_replies(kinds: list[str]) -> None:
    tested = ListenerStage(_SNAPSHOT, Services(Health(_CONFIG.routing.failover), RoutingClient("unix:/nowhere")))
    for kind in kinds:
        headers = heads({":path": b"/v1/messages", ":method": b"POST", ":status": b"200"})
        body = pb.HttpBody(body=orjson.dumps(_plain), end_of_stream=True)
        send(tested, **{kind: headers if kind.endswith("headers") else body})
