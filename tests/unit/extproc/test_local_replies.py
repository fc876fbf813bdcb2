import pytest

from extproc.local_replies import LocalReply, explain
from hermesllm.providers import PROVIDERS
from planoctl.config.registry import Candidate
from planoctl.config.runtime import ModelProvider

CANDIDATE = Candidate(
    ModelProvider(name="openai/gpt-4o", provider_interface="openai", model="gpt-4o", endpoint="box", port=8443),
    PROVIDERS["openai"],
    "gpt-4o",
)
REFUSED = (
    "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"
    "|UF|delayed_connect_error:_Connection_refused"
)


def test_the_three_fields_of_a_mark_are_told_apart_even_where_the_first_holds_a_bar() -> None:
    reply = LocalReply.parse(REFUSED)
    assert reply.flags == "UF"
    assert reply.transport == "delayed_connect_error:_Connection_refused"


@pytest.mark.parametrize(
    ("mark", "envoy_status", "status", "code", "words"),
    [
        (REFUSED, 503, 503, "provider_unreachable", "connection refused"),
        ("no_healthy_upstream|UH|-", 503, 503, "provider_unreachable", "box:8443"),
        ("x{y|TLS_error}|UF,URX|TLS_error:_CERTIFICATE_VERIFY_FAILED", 503, 502, "provider_tls_error", "CERTIFICATE"),
        ("stream_idle_timeout|SI|-", 504, 504, "provider_timeout", "did not answer in time"),
        ("upstream_per_try_timeout|UT|-", 504, 504, "provider_timeout", "did not answer in time"),
        ("upstream_reset{connection_termination}|UC|-", 503, 502, "provider_disconnected", "closed the connection"),
        ("upstream_reset{protocol_error}|UPE|-", 502, 502, "provider_disconnected", "closed the connection"),
        ("overflow|UO|-", 503, 503, "too_many_requests_in_flight", "Too many requests"),
        ("something_new|-|-", 500, 500, "gateway_error", "something_new"),
        ("", 503, 503, "gateway_error", "could not complete"),
    ],
)
def test_each_kind_of_failure_is_told_with_status_provider_model_and_remedy(
    mark: str, envoy_status: int, status: int, code: str, words: str
) -> None:
    error = explain(mark, envoy_status, CANDIDATE)
    assert (error.status, error.code) == (status, code)
    assert words in error.message
    assert "openai" in error.message
    assert (error.provider, error.model) == ("openai", "gpt-4o")
    assert error.remedy


@pytest.mark.parametrize(
    ("name", "base_url", "told"),
    [
        ("mycompany/assistant", "https://box", "mycompany"),
        ("openai/gpt-4o", "https://box", "openai"),
        ("openai/gpt-4o", None, "openai"),
        ("assistant", "https://box", "openai"),
    ],
)
def test_a_server_of_ones_own_is_not_called_by_the_name_of_the_api_that_it_speaks(
    name: str, base_url: str | None, told: str
) -> None:
    entry = ModelProvider(name=name, provider_interface="openai", model="m", endpoint="box", base_url=base_url)
    error = explain(REFUSED, 503, Candidate(entry, PROVIDERS["openai"], "m"))
    assert error.provider == told
    assert error.message.startswith(f"Could not connect to {told} at box")
    assert (error.remedy is not None and "base_url" in error.remedy) is bool(base_url)
