"""What a client is told when its request is wrong: its own API's error shape, the right status, a way out."""

import gzip
import json
import socket
import subprocess
from typing import Any

import httpx
import pytest

from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
ENDPOINTS = pytest.mark.parametrize("path", [CHAT, MESSAGES])
GOOD = {"model": "mock-gpt", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


def post(gateway: Gateway, path: str, content: bytes | None = None, **options: Any) -> httpx.Response:
    headers = {"content-type": "application/json", **options.pop("headers", {})}
    return httpx.post(gateway.url + path, content=content, headers=headers, timeout=20, **options)


def error_of(response: httpx.Response, path: str) -> dict[str, Any]:
    """The error object, after checking that the answer has the shape of the path's API."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    error: dict[str, Any] = body["error"]
    if path.startswith(MESSAGES):
        assert body["type"] == "error"
        assert body["request_id"] == response.headers["x-request-id"]
        assert response.headers["request-id"]  # the provider's own where the provider answered
        assert isinstance(error["type"], str)
    else:
        assert set(error) >= {"message", "type", "code"}  # Envoy's own replies leave out a `param` that is null
        assert error["request_id"] == response.headers["x-request-id"]
    assert error["message"]
    return error


@ENDPOINTS
@pytest.mark.parametrize(
    "content",
    [
        b"{", b"not json", b'{"model": "mock-gpt", "messages": [', b"[]", b'"text"', b"null", b"42", b'{"a":1}x',
        b'\xff\xfe{"model":1}', b'{"model":"mock-gpt","messages":[{"role":"user","content":"\xc3\x28"}]}', b"\x00",
        b"[" * 2000 + b"]" * 2000, b'{"a":' * 2000 + b"1" + b"}" * 2000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_a_400(gateway: Gateway, path: str, content: bytes) -> None:
    response = post(gateway, path, content)
    assert response.status_code == 400
    assert "Request parsing error" in error_of(response, path)["message"]


@ENDPOINTS
def test_an_unknown_model_is_a_404_that_lists_what_is_configured(gateway: Gateway, path: str) -> None:
    response = post(gateway, path, json={**GOOD, "model": "gpt-unheard-of"})
    assert response.status_code == 404
    error = error_of(response, path)
    for word in ("gpt-unheard-of", "openai/mock-gpt", "anthropic/mock-claude", "fast"):
        assert word in error["message"]


@ENDPOINTS
@pytest.mark.parametrize("model", ["mock-gpt", "mock-claude"])
@pytest.mark.parametrize("messages", [[], None, "text", {}, [7], [{"role": "nobody", "content": "x"}], [{}]])
def test_unusable_messages_are_a_400_that_names_them(gateway: Gateway, path: str, model: str, messages: Any) -> None:
    response = post(gateway, path, json={"model": model, "max_tokens": 50, "messages": messages})
    assert response.status_code == 400
    error = error_of(response, path)
    assert "messages" in error["message"] + str(error.get("param"))


@ENDPOINTS
def test_without_a_model_the_default_serves(gateway: Gateway, path: str) -> None:
    response = post(gateway, path, json={"max_tokens": 50, "messages": GOOD["messages"]})
    assert response.status_code == 200
    assert response.headers["x-plano-model"] == "openai/mock-gpt"


@ENDPOINTS
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_is_a_405_that_names_the_right_one(gateway: Gateway, path: str, method: str) -> None:
    response = httpx.request(method, gateway.url + path)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert f"Send POST {path}" in error_of(response, path)["message"]


@pytest.mark.parametrize("path", ["/", "/v1/unknown", "/v2/chat/completions", "/v1/chat", "/v1/chat/completions/x"])
def test_a_wrong_path_is_a_404_that_lists_the_right_ones(gateway: Gateway, path: str) -> None:
    response = post(gateway, path, b"{}")
    assert response.status_code == 404
    message = error_of(response, path)["message"]
    assert "Unsupported endpoint" in message
    assert CHAT in message


@ENDPOINTS
def test_a_post_without_a_body_is_a_400(gateway: Gateway, path: str) -> None:
    response = post(gateway, path)
    assert response.status_code == 400
    error_of(response, path)


def body_of(size: int, model: str) -> bytes:
    """A valid request of exactly `size` bytes."""
    empty = json.dumps({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": ""}]})
    return empty.replace('"content": ""', '"content": "' + "x" * (size - len(empty)) + '"').encode()


def chunks(content: bytes) -> Any:
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


@pytest.mark.parametrize("mebibytes", [1, 5, 20, 31])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("path", "model"), [(CHAT, "mock-gpt"), (MESSAGES, "mock-gpt"), (CHAT, "mock-claude")])
def test_bodies_up_to_the_limit_pass(gateway: Gateway, path: str, model: str, mebibytes: int, chunked: bool) -> None:
    content = body_of(mebibytes * 1024 * 1024, model)
    headers = {"x-mock-behaviour": "big=5"}
    response = post(gateway, path, chunks(content) if chunked else content, headers=headers)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text[:500]


@ENDPOINTS
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_a_413_that_names_the_limit(gateway: Gateway, path: str, chunked: bool) -> None:
    content = body_of(33 * 1024 * 1024, "mock-gpt")
    response = post(gateway, path, chunks(content) if chunked else content)  # type: ignore[arg-type]
    assert response.status_code == 413
    assert str(32 * 1024 * 1024) in error_of(response, path)["message"]


@ENDPOINTS
def test_a_body_far_over_the_limit_is_a_413_too(gateway: Gateway, path: str) -> None:
    response = post(gateway, path, chunks(b" " * (60 * 1024 * 1024)))
    assert response.status_code == 413
    assert "32" in error_of(response, path)["message"]


def test_text_in_any_alphabet_passes_unharmed(gateway: Gateway) -> None:
    text = "Grüße 你好 🙂 \u0000 \u2028 עברית"
    for path, model in ((CHAT, "mock-gpt"), (CHAT, "mock-claude"), (MESSAGES, "mock-gpt"), (MESSAGES, "mock-claude")):
        content = {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": text}]}
        response = post(gateway, path, json=content)
        body = response.json()
        answer = body["choices"][0]["message"]["content"] if path == CHAT else body["content"][0]["text"]
        assert answer == f"You said: {text}"


def test_what_is_not_http_is_answered_and_the_next_request_works(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(b"\x16\x03\x01 garbage\r\n\r\n")
        assert b"400" in connection.recv(4096) or connection.recv(1) == b""
    assert post(gateway, CHAT, json=GOOD).status_code == 200


def test_no_error_shows_a_key(gateway: Gateway) -> None:
    for model in ("wrong-key", "down", "tls", "gpt-unheard-of", "mock-gpt"):
        for path in (CHAT, MESSAGES):
            response = post(gateway, path, json={**GOOD, "model": model, "n": "x"}, headers={"x-api-key": "mine-9d"})
            seen = response.text + str(response.headers)
            assert KEY not in seen
            assert "wrong-key-51c2" not in seen
            assert "mine-9d" not in seen
    assert KEY not in gateway.logs()
    assert "wrong-key-51c2" not in gateway.logs()


BEHIND = {"nothing": b"", "junk": b"junk", "member": gzip.compress(b" "), "zeros": b"\x00" * 100}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_whatever_follows_a_compressed_body_holds_nothing_up(gateway: Gateway, behind: bytes) -> None:
    large = {**GOOD, "messages": [{"role": "user", "content": "a" * (2 << 20)}]}
    body = gzip.compress(json.dumps(large).encode()) + behind
    response = post(gateway, CHAT, body, headers={"content-encoding": "gzip", "x-mock-behaviour": "big=5"})
    assert response.status_code in {200, 400}
    assert post(gateway, CHAT, json=GOOD).status_code == 200


def test_an_http2_client_may_send_as_much_as_any_other(gateway: Gateway) -> None:
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge"]
    for header in ("x-mock-behaviour: big=5", "content-type: application/json"):
        command += ["-H", header]
    command += ["--data-binary", "@-", gateway.url + CHAT]
    body = body_of(31 * 1024 * 1024, "mock-gpt")
    done = subprocess.run(command, input=body, capture_output=True, timeout=60, check=False)
    assert done.stdout == b"200"
