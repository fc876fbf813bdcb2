"""Records as Envoy writes them, read into observations."""

from typing import Any

import pytest

from extproc.accounting.observation import Observation
from extproc.accounting.records import observation
from hermesllm.formats import Format
from hermesllm.usage import Usage
from plano_pb import access_log_pb2 as pb

STARTED = 1_800_000_000


def entry(plano: dict[str, Any] | None = None, usage: dict[str, Any] | None = None, **request: Any) -> pb.HttpEntry:
    made = pb.HttpEntry()
    common = made.common_properties
    common.start_time.seconds = STARTED
    common.start_time.nanos = 250_000_000
    common.duration.seconds, common.duration.nanos = 2, 500_000_000
    for namespace, values in (("plano", plano), ("plano.usage", usage)):
        if values is not None:
            common.metadata.filter_metadata[namespace].update(values)
    made.request.request_id = "r-1"
    made.request.path = request.pop("path", "/v1/messages")
    made.response.response_code.value = request.pop("status", 200)
    assert not request
    return made


def seen(*arguments: Any, **more: Any) -> Observation:
    found = observation(entry(*arguments, **more))
    assert found is not None
    return found


PLANO = {
    "client_format": "chat", "upstream_format": "chat", "provider": "openai", "model": "gpt-4o",
    "requested_model": "fast", "stream": "true", "route": "code", "routing": "routed",
    "models": "openai/gpt-4o, anthropic/claude", "chain": "", "reservation": "a:1:2", "answered": "[]",
}  # fmt: skip


def test_a_record_with_everything() -> None:
    made = entry(PLANO, {"first": "1800000000750000", "usage": '{"prompt_tokens": 7, "completion_tokens": 2}'})
    common = made.common_properties
    common.time_to_first_upstream_tx_byte.nanos = 300_000_000
    common.time_to_first_upstream_rx_byte.nanos = 400_000_000
    common.upstream_cluster = "openai~stream"
    common.upstream_request_attempt_count = 2
    made.request.request_body_bytes, made.request.user_agent = 120, "curl"
    made.response.response_body_bytes, made.response.response_code_details = 900, "via_upstream"
    assert observation(made) == Observation(
        request_id="r-1", client_format=Format.CHAT, upstream_format="chat", requested_model="fast",
        provider="openai", model="gpt-4o",
        route="code", routing="routed", chain=("openai/gpt-4o", "anthropic/claude"), cluster="openai~stream",
        attempts=2, status=200, details="via_upstream", stream=True, started=STARTED + 0.25, duration=2.5,
        sent=0.3, first_byte=0.4, ttft=0.5, usage=Usage(prompt=7, completion=2), bytes_in=120, bytes_out=900,
        user_agent="curl", reservation="a:1:2", answered="[]",
    )  # fmt: skip


def test_what_was_sent_to_nobody_has_no_time_of_it() -> None:
    assert (seen(PLANO).sent, seen(PLANO).first_byte) == (None, None)


def test_a_refused_request_is_known_by_its_path() -> None:
    found = seen(path="/v1/responses?x=1", status=404)
    assert (found.client_format, found.status, found.provider, found.usage) == (Format.RESPONSES, 404, "", None)


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/", ""])
def test_what_is_no_llm_call_is_not_observed(path: str) -> None:
    assert observation(entry(path=path)) is None


def test_a_provider_in_another_format_is_not_read_as_the_clients() -> None:
    found = seen({**PLANO, "upstream_format": "anthropic"}, {"usage": '{"prompt_tokens": 7}'})
    assert found.usage is None


def test_counting_tokens_is_not_a_message() -> None:
    found = seen({"client_format": "anthropic", "upstream_format": "count_tokens"}, {"usage": '{"input_tokens": 7}'})
    assert (found.client_format, found.usage) == (Format.COUNT_TOKENS, None)


@pytest.mark.parametrize(
    ("flag", "left"),
    [("downstream_connection_termination", True), ("downstream_remote_reset", True), ("upstream_remote_reset", False)],
)
def test_flags_tell_whether_the_client_left(flag: str, left: bool) -> None:
    made = entry(PLANO)
    setattr(made.common_properties.response_flags, flag, True)
    found = observation(made)
    assert found is not None
    assert (found.flags, found.client_left) == ((flag,), left)


def test_the_gateways_own_requests_are_marked() -> None:
    assert seen({**PLANO, "internal": "true"}).internal
    assert not seen(PLANO).internal


@pytest.mark.parametrize(("first", "ttft"), [("1800000000250000", 0.0), ("1700000000000000", 0.0), ("soon", None)])
def test_a_first_byte_before_the_request_is_a_clock_that_was_set(first: str, ttft: float | None) -> None:
    assert seen(PLANO, {"first": first}).ttft == ttft


def test_fields_that_nobody_reads_are_skipped() -> None:
    unknown = b"\x0a\x03\x52\x01x" + b"\x9a\x06\x02hi"  # field 10 within the common properties, field 99 beside them
    made = pb.HttpEntry.FromString(entry(PLANO).SerializeToString() + unknown)
    assert observation(made) == observation(entry(PLANO))
