"""What the mock does wrong on request, seen by the official clients and on the raw socket."""

import gzip
import json
import socket
import ssl
import time
from contextlib import closing

import anthropic
import httpx
import openai
import pytest
import trustme

from planoctl.mock_provider.server import run_in_thread

KEY = {"authorization": "Bearer mock-key"}


def chat_body(**members) -> dict:
    return {"model": "mock-gpt", "messages": [{"role": "user", "content": "one two three four"}]} | members


def post(mock, behaviour: str, **members) -> httpx.Response:
    headers = KEY | {"x-mock-behaviour": behaviour}
    return httpx.post(f"{mock.url}/v1/chat/completions", json=chat_body(**members), headers=headers, timeout=10)


def raw(mock, behaviour: str, **members) -> socket.socket:
    """A connection on which the request has been sent and nothing was read."""
    body = json.dumps(chat_body(**members)).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer mock-key\r\n"
        f"x-mock-behaviour: {behaviour}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", mock.port), timeout=10)
    connection.sendall(head.encode() + body)
    return connection


def read_all(connection: socket.socket) -> bytes:
    with closing(connection):
        return b"".join(iter(lambda: connection.recv(65536), b""))


def good_stream(mock) -> bytes:
    return post(mock, "", stream=True).content


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_status_comes_in_the_openai_shape(chat, status, error, stream):
    with pytest.raises(error) as caught:
        chat.chat.completions.create(**chat_body(model=f"mock-gpt@status={status}", stream=stream))
    assert caught.value.status_code == status
    assert caught.value.body["message"] == f"The mock was asked for status {status}."


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit_error"), (529, "overloaded_error"), (500, "api_error")])
def test_status_comes_in_the_anthropic_shape(claude, status, kind):
    with pytest.raises(anthropic.APIStatusError) as caught:
        claude.messages.create(
            model=f"mock-claude@status={status};retry-after=3",
            max_tokens=9,
            messages=[{"role": "user", "content": "a"}],
        )
    assert caught.value.body["error"]["type"] == kind
    assert caught.value.response.headers["retry-after"] == "3"


def test_429_tells_when_to_come_back(mock):
    assert post(mock, "status=429").headers["retry-after"] == "1"
    assert "retry-after" not in post(mock, "status=500").headers


def test_html_error_page(mock):
    answer = post(mock, "html=502")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "<h1>502 Bad Gateway</h1>" in answer.text


def test_first_fails_only_the_first_requests(mock):
    statuses = [post(mock, "status=503;first=2;retry-after=9").status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]


def test_delay_holds_the_first_byte_back(mock):
    start = time.monotonic()
    assert post(mock, "delay=0.2").status_code == 200
    assert time.monotonic() - start >= 0.2


def test_gap_spreads_the_events(chat):
    start = time.monotonic()
    stream = chat.chat.completions.create(**chat_body(model="mock-gpt@gap=0.05", stream=True))
    times = [time.monotonic() - start for _ in stream]
    assert times[-1] >= 0.05 * (len(times) - 1) * 0.9


def test_malformed_body_and_malformed_stream(mock, chat):
    with pytest.raises(ValueError):
        post(mock, "malformed").json()
    with pytest.raises(ValueError):
        list(chat.chat.completions.create(**chat_body(model="mock-gpt@malformed", stream=True)))


def test_cut_breaks_the_connection_after_that_many_events(mock, chat):
    received = []
    with pytest.raises(openai.APIConnectionError):
        received.extend(chat.chat.completions.create(**chat_body(model="mock-gpt@cut=3", stream=True)))
    wire = read_all(raw(mock, "cut=3", stream=True))
    assert wire.count(b"data: ") == 3
    assert not wire.endswith(b"0\r\n\r\n")


def test_cut_breaks_a_json_body_halfway(mock):
    head, _, body = read_all(raw(mock, "cut")).partition(b"\r\n\r\n")
    length = len(post(mock, "").content)
    assert f"content-length: {length}".encode() in head
    assert len(body) == length // 2


def test_cutclean_ends_correctly_but_early(mock):
    stream = post(mock, "cutclean=3", stream=True).text
    assert stream.count("data: ") == 3
    assert "finish_reason" in stream
    assert "[DONE]" not in stream
    body = post(mock, "cutclean")
    assert len(body.content) == int(body.headers["content-length"])
    with pytest.raises(ValueError):
        body.json()


def test_stall_sends_nothing_more_and_lets_go_of_a_client_that_leaves(mock):
    with closing(raw(mock, "stall=2", stream=True)) as connection:
        connection.settimeout(0.3)
        received = []
        with pytest.raises(TimeoutError):
            received.extend(iter(lambda: connection.recv(65536), b""))
    assert b"".join(received).count(b"data: ") == 2
    assert post(mock, "").status_code == 200


def test_reset_is_a_tcp_reset(mock):
    with closing(raw(mock, "reset")) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)


def test_dribble_sends_one_byte_per_chunk(mock):
    wire = read_all_until_end(raw(mock, "dribble", stream=True))
    assert wire.count(b"\r\n1\r\n") > len(good_stream(mock)) * 0.9
    assert post(mock, "dribble", stream=True).content == good_stream(mock)
    assert post(mock, "dribble").json() == post(mock, "").json()


def read_all_until_end(connection: socket.socket) -> bytes:
    data = b""
    with closing(connection):
        while not data.endswith(b"\r\n0\r\n\r\n"):
            data += connection.recv(65536)
    return data


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_chunk_cuts_anywhere_and_loses_nothing(mock, size):
    assert post(mock, f"chunk={size}", stream=True).content == good_stream(mock)


def test_crlf_and_comments_are_read_by_the_client(mock, chat):
    wire = post(mock, "crlf;comments", stream=True).content
    assert b": mock comment\r\n\r\ndata: " in wire
    assert wire.count(b"\n") == wire.count(b"\r\n")
    chunks = chat.chat.completions.create(**chat_body(model="mock-gpt@crlf;comments", stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "You said: one two three four"


def test_error_event_ends_an_openai_stream(chat):
    with pytest.raises(openai.APIError, match="asked for an error in the stream"):
        list(chat.chat.completions.create(**chat_body(model="mock-gpt@error-event=2", stream=True)))


def test_error_event_ends_an_anthropic_stream(claude):
    messages = [{"role": "user", "content": "a"}]
    stream = claude.messages.create(model="mock@error-event=4", max_tokens=9, messages=messages, stream=True)
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(stream)
    assert caught.value.body["error"]["type"] == "overloaded_error"


def test_noreason_leaves_the_finish_reason_out(chat, claude):
    assert chat.chat.completions.create(**chat_body(model="mock-gpt@noreason")).choices[0].finish_reason is None
    answer = claude.messages.create(model="m@noreason", max_tokens=9, messages=[{"role": "user", "content": "a"}])
    assert answer.stop_reason is None


def test_empty_is_a_200_without_a_body(mock):
    for stream in (False, True):
        answer = post(mock, "empty", stream=stream)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("stream", [False, True])
def test_big_has_the_size_asked_for(chat, stream):
    answer = chat.chat.completions.create(**chat_body(model="mock-gpt@big=300000", stream=stream))
    if stream:
        assert sum(len(chunk.choices[0].delta.content or "") for chunk in answer) == 300_000
    else:
        assert len(answer.choices[0].message.content) == 300_000


@pytest.mark.parametrize("stream", [False, True])
def test_gzip_compresses_whatever_the_client_accepts(mock, stream):
    headers = KEY | {"x-mock-behaviour": "gzip", "accept-encoding": "identity"}
    url = f"{mock.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=chat_body(stream=stream), headers=headers) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == post(mock, "", stream=stream).content


def test_unknown_behaviour_is_named_in_a_400(mock):
    answer = post(mock, "explode")
    assert answer.status_code == 400
    assert "unknown mock behaviour 'explode'; known: status, " in answer.json()["error"]["message"]


def test_records_what_it_received(tmp_path):
    file = tmp_path / "requests.jsonl"
    with run_in_thread(record=file) as mock:
        httpx.post(f"{mock.url}/v1/chat/completions?a=b", json=chat_body(), headers=KEY)
        httpx.post(f"{mock.url}/nowhere", content=b"\xff not JSON")
        first, second = mock.requests
    assert [json.loads(line) for line in file.read_text().splitlines()] == [first, second]
    assert (first["method"], first["path"]) == ("POST", "/v1/chat/completions?a=b")
    assert first["headers"]["authorization"] == "Bearer mock-key"
    assert first["body"] == chat_body()
    assert second["body"] == "\ufffd not JSON"


def test_speaks_tls(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with run_in_thread(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem") as mock:
        assert mock.url.startswith("https://")
        answer = httpx.post(f"{mock.url}/v1/chat/completions", json=chat_body(), verify=context)
    assert answer.status_code == 200
