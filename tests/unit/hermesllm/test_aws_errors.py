from typing import Any

import orjson
import pytest

from hermesllm.aws_errors import exception_name, exception_report
from hermesllm.error_bodies import read_upstream_error, render_error
from hermesllm.formats import Format


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("ThrottlingException", "ThrottlingException"),
        ("ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/", "ValidationException"),
        ("com.amazon.coral.service#AccessDeniedException", "AccessDeniedException"),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_the_name_of_an_exception(value: Any, name: str | None) -> None:
    assert exception_name(value) == name


@pytest.mark.parametrize(
    ("body", "header", "message", "code"),
    [
        ({"message": "Too many tokens"}, "ThrottlingException:http://x", "Too many tokens", "ThrottlingException"),
        ({"Message": "User is not authorized"}, None, "User is not authorized", None),
        (
            {"__type": "com.amazon#ValidationException", "message": "Bad"},
            None,
            "Bad",
            "ValidationException",
        ),
        (
            b"<html><title>403 Forbidden</title></html>",
            "AccessDeniedException",
            "403 Forbidden",
            "AccessDeniedException",
        ),
        (b"", None, "The provider answered HTTP 429 without an error text.", None),
        ([1], None, "[1]", None),
    ],
)
def test_an_error_body_of_bedrock(body: Any, header: str | None, message: str, code: str | None) -> None:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    report = read_upstream_error(Format.CONVERSE, 429, "application/json", data, error_type=header)
    assert (report.status, report.message, report.code) == (429, message, code)
    chat = orjson.loads(render_error(Format.CHAT, report))["error"]
    assert (chat["type"], chat["code"]) == ("rate_limit_exceeded", code)
    anthropic = orjson.loads(render_error(Format.ANTHROPIC, report))
    assert anthropic["error"]["type"] == "rate_limit_error"
    assert message in anthropic["error"]["message"]


def test_other_formats_do_not_read_the_header() -> None:
    report = read_upstream_error(Format.CHAT, 400, "application/json", b'{"error":{"message":"m"}}', error_type="X")
    assert (report.message, report.code) == ("m", None)


@pytest.mark.parametrize(
    ("name", "status"),
    [("throttlingException", 429), ("ValidationException", 400), ("unheardOfException", 500), ("", 500)],
)
def test_an_exception_in_a_stream_has_a_status(name: str, status: int) -> None:
    report = exception_report(name, {"message": " Slow down "})
    assert (report.status, report.message, report.origin) == (status, "Slow down", Format.CONVERSE)
    assert exception_report(name, None).message.startswith("The provider ended the stream with")
