from typing import Any

import httpx2
import orjson
import pytest
from anthropic import Anthropic, APIStatusError
from openai import OpenAI, RateLimitError

from hermesllm.error_bodies import error_event, read_upstream_error, render_error
from hermesllm.errors import ErrorReport, InvalidRequest
from hermesllm.formats import Format

CHAT, ANTHROPIC = Format.CHAT, Format.ANTHROPIC


def rendered(client: Format, report: ErrorReport) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(render_error(client, report))
    return document


@pytest.mark.parametrize(
    ("status", "anthropic", "openai"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (402, "billing_error", "insufficient_quota"),
        (403, "permission_error", "permission_denied"),
        (404, "not_found_error", "not_found_error"),
        (409, "invalid_request_error", "invalid_request_error"),
        (413, "request_too_large", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (500, "api_error", "server_error"),
        (502, "api_error", "server_error"),
        (503, "overloaded_error", "server_error"),
        (504, "timeout_error", "server_error"),
        (529, "overloaded_error", "server_error"),
        (599, "api_error", "server_error"),
    ],
)
def test_the_status_decides_the_type_in_each_format(status: int, anthropic: str, openai: str) -> None:
    report = ErrorReport(status=status, message="No.")
    assert rendered(ANTHROPIC, report)["error"]["type"] == anthropic
    assert rendered(CHAT, report)["error"]["type"] == openai


def test_an_error_names_provider_model_and_remedy_in_text_and_members() -> None:
    report = ErrorReport(
        status=429,
        message="Quota exceeded.",
        code="quota",
        param="model",
        provider="groq",
        model="llama-4",
        remedy="Add a fallback.",
        request_id="req-1",
    )
    text = "Quota exceeded. [provider groq, model llama-4] Add a fallback."
    assert rendered(CHAT, report) == {
        "error": {
            "message": text,
            "type": "rate_limit_exceeded",
            "param": "model",
            "code": "quota",
            "provider": "groq",
            "model": "llama-4",
            "remedy": "Add a fallback.",
            "request_id": "req-1",
        }
    }
    assert rendered(ANTHROPIC, report) == {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": text,
            "provider": "groq",
            "model": "llama-4",
            "remedy": "Add a fallback.",
            "param": "model",
            "code": "quota",
        },
        "request_id": "req-1",
    }


def test_a_raised_error_reports_what_it_knows() -> None:
    report = InvalidRequest("messages: expected a list", param="messages").report()
    assert rendered(CHAT, report)["error"] == {
        "message": "messages: expected a list",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "invalid_request",
    }


HTML = b"""<!DOCTYPE html><html><head><title>502 Bad &amp; Gateway</title><style>p {color: red}</style>
<script>alert(1)</script></head><body><h1>Bad   gateway</h1><p>cloudflare</p></body></html>"""


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", b'{"error": {"message": "Bad key", "type": "x"}}', "Bad key"),
        ("application/json", b'{"error": "Bad key"}', "Bad key"),
        ("application/json", b'{"message": "Bad key"}', "Bad key"),
        ("application/json", b'{"Message": "Bad key"}', "Bad key"),
        ("application/json", b'{"detail": "Bad key"}', "Bad key"),
        ("application/json", b'{"detail": [{"loc": ["body", "n", 0], "msg": "too big"}]}', "body.n.0: too big"),
        ("application/json", b'{"object": "error", "message": {"detail": [{"msg": "a"}, {"msg": "b"}]}}', "a; b"),
        ("application/json", b'[{"error": {"code": 400, "message": "Bad key"}}]', "Bad key"),
        (
            "application/json",
            b'{"error": {"message": "Provider returned error", "metadata": {"raw": "upstream says no"}}}',
            "Provider returned error: upstream says no",
        ),
        ("application/json", b'{"code": "x", "error": "Bad key"}', "Bad key"),
        ("application/json", b'{"odd": 1}', '{"odd": 1}'),
        ("application/json", b"null", "null"),
        ("application/json", b"[]", "[]"),
        ("text/plain", b"  upstream connect error  ", "upstream connect error"),
        ("text/html", HTML, "502 Bad & Gateway: Bad gateway cloudflare"),
        ("", HTML, "502 Bad & Gateway: Bad gateway cloudflare"),
        ("text/html", b"<html><title>Denied</title>", "Denied"),
        ("text/plain", b"\xff\xfe broken", "\ufffd\ufffd broken"),
        ("", b"", "The provider answered HTTP 418 without an error text."),
        ("text/html", b"<html></html>", "The provider answered HTTP 418 without an error text."),
    ],
)
def test_the_providers_own_words_are_found_in_any_body(content_type: str, body: bytes, message: str) -> None:
    for upstream in Format:
        assert read_upstream_error(upstream, 418, content_type, body).message == message


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "application/json"])
def test_a_huge_body_gives_a_short_message(content_type: str) -> None:
    message = read_upstream_error(CHAT, 500, content_type, b"<p>word " * 2_000_000).message
    assert "word" in message
    assert len(message) <= 2048


def test_type_code_and_param_survive_where_client_and_provider_speak_the_same_format() -> None:
    body = orjson.dumps(
        {"error": {"message": "Slow down", "type": "tokens", "code": "rate_limit_exceeded", "param": "model"}}
    )
    report = read_upstream_error(CHAT, 429, "application/json", body)
    assert rendered(CHAT, report)["error"] == {
        "message": "Slow down",
        "type": "tokens",
        "code": "rate_limit_exceeded",
        "param": "model",
    }
    assert rendered(ANTHROPIC, report)["error"]["type"] == "rate_limit_error"


def test_a_type_of_the_other_format_is_not_shown_to_the_client() -> None:
    body = b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "r"}'
    report = read_upstream_error(ANTHROPIC, 529, "application/json", body)
    assert rendered(ANTHROPIC, report)["error"]["type"] == "overloaded_error"
    assert rendered(CHAT, report)["error"]["type"] == "server_error"


def test_the_official_sdks_print_the_whole_message() -> None:
    report = ErrorReport(status=429, message="Slow down", provider="groq", model="m", remedy="Wait.", request_id="r-1")

    def answers(client: Format) -> httpx2.Client:
        answer = httpx2.Response(
            429, headers={"content-type": "application/json"}, content=render_error(client, report)
        )
        return httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))

    with pytest.raises(RateLimitError) as openai_error:
        OpenAI(api_key="k", http_client=answers(CHAT), max_retries=0).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}]
        )
    with pytest.raises(APIStatusError) as anthropic_error:
        Anthropic(api_key="k", http_client=answers(ANTHROPIC), max_retries=0).messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}]
        )
    for text in ("Slow down", "groq", "Wait."):
        assert text in str(openai_error.value)
        assert text in str(anthropic_error.value)
    assert isinstance(openai_error.value.body, dict)
    assert openai_error.value.body["request_id"] == "r-1"


def test_an_error_inside_a_stream_is_an_event_of_the_clients_format() -> None:
    report = ErrorReport(status=529, message="Busy")
    assert (
        error_event(CHAT, report)
        == b'data: {"error":{"message":"Busy","type":"server_error","param":null,"code":null}}\n\n'
    )
    assert error_event(ANTHROPIC, report) == (
        b"event: error\n"
        b'data: {"type":"error","error":{"type":"overloaded_error","message":"Busy"},"request_id":null}\n\n'
    )
