"""The behaviours, once for each API: whatever its paths, its error bodies and its streams look like."""

import json
import socket
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest

from hermesllm.aws_event_stream import EventStreamDecoder, InvalidFrame
from planoctl.mock_provider.server import run_in_thread

KEY = {"authorization": "Bearer mock-key", "anthropic-version": "2023-06-01"}
SAY = "one two three four"
MESSAGES = [{"role": "user", "content": SAY}]


@dataclass(frozen=True)
class Case:
    path: str
    stream_path: str
    body: dict
    in_body: bool = True  # whether the body says that a stream is wanted

    def request(self, stream: bool) -> tuple[str, dict]:
        path = self.stream_path if stream else self.path
        return path, self.body | ({"stream": True} if stream and self.in_body else {})


def same(path: str, **body) -> Case:
    return Case(path, path, {"model": "mock"} | body)


CASES = {
    "chat": same("/v1/chat/completions", messages=MESSAGES),
    "completions": same("/v1/completions", prompt=SAY),
    "responses": same("/v1/responses", input=SAY),
    "messages": same("/v1/messages", messages=MESSAGES, max_tokens=100),
    "converse": Case(
        "/model/mock/converse",
        "/model/mock/converse-stream",
        {"messages": [{"role": "user", "content": [{"text": SAY}]}]},
        in_body=False,
    ),
    "gemini": Case(
        "/v1beta/models/mock:generateContent",
        "/v1beta/models/mock:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": SAY}]}]},
        in_body=False,
    ),
}
BODIES_ONLY = {
    "embeddings": same("/v1/embeddings", input=SAY),
    "count_tokens": same("/v1/messages/count_tokens", messages=MESSAGES),
}
every_api = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_endpoint = pytest.mark.parametrize("case", (CASES | BODIES_ONLY).values(), ids=CASES | BODIES_ONLY)


def post(mock, case: Case, behaviour: str = "", *, stream: bool = False) -> httpx.Response:
    path, body = case.request(stream)
    return httpx.post(mock.url + path, json=body, headers=KEY | {"x-mock-behaviour": behaviour}, timeout=10)


def raw(mock, case: Case, behaviour: str, *, stream: bool) -> socket.socket:
    """A connection on which the request has been sent and nothing was read."""
    path, members = case.request(stream)
    body = json.dumps(members).encode()
    head = [
        f"POST {path} HTTP/1.1",
        "host: mock",
        *(f"{name}: {value}" for name, value in KEY.items()),
        f"x-mock-behaviour: {behaviour}",
        f"content-length: {len(body)}",
    ]
    connection = socket.create_connection(("127.0.0.1", mock.port), timeout=10)
    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return connection


def until_reset(connection: socket.socket) -> bytes:
    """What arrives before the connection is reset; fails if it is closed in order."""
    received = b""
    with closing(connection):
        while True:
            try:
                data = connection.recv(65536)
            except ConnectionResetError:
                return received
            assert data, "closed, not reset"
            received += data


def until_closed(connection: socket.socket) -> bytes:
    with closing(connection):
        return b"".join(iter(lambda: connection.recv(65536), b""))


def body_of(wire: bytes) -> bytes:
    """The bytes behind the head of an answer, without the frames of chunked encoding."""
    head, _, rest = wire.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@every_endpoint
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 529])
def test_status_comes_with_an_error_text(mock, case, status):
    answer = post(mock, case, f"status={status}")
    assert answer.status_code == status
    document = answer.json()
    message = document.get("message") or document["error"]["message"]
    assert message == f"The mock was asked for status {status}."
    assert answer.headers.get("retry-after") == ("1" if status == 429 else None)


@every_endpoint
def test_connection_is_reset_instead_of_an_answer(mock, case):
    assert until_reset(raw(mock, case, "reset", stream=False)) == b""


@every_endpoint
def test_connection_is_closed_instead_of_an_answer(mock, case):
    assert until_closed(raw(mock, case, "close", stream=False)) == b""


@every_endpoint
def test_bytes_that_are_no_http(mock, case):
    assert not until_closed(raw(mock, case, "garbage", stream=False)).startswith(b"HTTP/")
    with pytest.raises(httpx.RemoteProtocolError):
        post(mock, case, "garbage")


@every_endpoint
def test_nothing_is_answered_until_the_client_goes(mock, case):
    with closing(raw(mock, case, "hang", stream=False)) as connection:
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert post(mock, case).status_code == 200


@every_api
@pytest.mark.parametrize("count", [0, 3])
def test_stream_is_reset_after_some_events(mock, case, count):
    good = post(mock, case, stream=True).content
    wire = until_reset(raw(mock, case, f"reset-after={count}", stream=True))
    assert wire.startswith(b"HTTP/1.1 200")
    part = body_of(wire)
    assert good.startswith(part)
    assert len(part) < len(good)
    assert bool(part) == bool(count)


@every_endpoint
def test_body_is_reset_halfway(mock, case):
    good = post(mock, case).content
    assert body_of(until_reset(raw(mock, case, "reset-after", stream=False))) == good[: len(good) // 2]


@every_api
def test_stream_is_cut_after_some_events(mock, case):
    wire = until_closed(raw(mock, case, "cut=3", stream=True))
    assert not wire.endswith(b"0\r\n\r\n")
    assert body_of(wire) == post(mock, case, "cutclean=3", stream=True).content


@every_api
def test_stream_stalls_after_some_events(mock, case):
    with closing(raw(mock, case, "stall=2", stream=True)) as connection:
        connection.settimeout(0.3)
        received = []
        with pytest.raises(TimeoutError):
            received.extend(iter(lambda: connection.recv(65536), b""))
    assert body_of(b"".join(received)) == post(mock, case, "cutclean=2", stream=True).content


@every_api
@pytest.mark.parametrize("behaviour", ["dribble", "chunk=7", "gzip"])
def test_stream_is_whole_in_odd_pieces(mock, case, behaviour):
    assert post(mock, case, behaviour, stream=True).content == post(mock, case, stream=True).content
    assert post(mock, case, behaviour).content == post(mock, case).content


@every_api
def test_crlf_and_comments_change_only_streams_of_lines(mock, case):
    good, changed = (post(mock, case, behaviour, stream=True).content for behaviour in ("", "crlf;comments"))
    if case is CASES["converse"]:
        assert changed == good
    else:
        assert changed.count(b"\n") == changed.count(b"\r\n") > good.count(b"\n")
        assert changed.replace(b": mock comment\r\n\r\n", b"").replace(b"\r\n", b"\n") == good.replace(b"\r\n", b"\n")


@every_api
def test_malformed_body_and_malformed_stream(mock, case):
    with pytest.raises(ValueError):
        post(mock, case, "malformed").json()
    assert post(mock, case, "malformed", stream=True).content != post(mock, case, stream=True).content


def test_malformed_event_stream_has_a_wrong_checksum(mock):
    wire = post(mock, CASES["converse"], "malformed", stream=True).content
    with pytest.raises(InvalidFrame) as caught:
        EventStreamDecoder().decode(wire)
    assert [frame.text(":event-type") for frame in caught.value.frames] == ["messageStart"]


@every_api
def test_error_event_ends_the_stream(mock, case):
    wire = post(mock, case, "error-event=2", stream=True).content
    good = post(mock, case, "cutclean=2", stream=True).content
    assert wire.startswith(good)
    assert b"The mock was asked for an error in the stream." in wire[len(good) :]


@every_api
def test_plain_answers_a_stream_with_one_body(mock, case):
    assert post(mock, case, "plain", stream=True).headers["content-type"] == "application/json"


@every_api
def test_empty_is_a_200_without_a_body(mock, case):
    for stream in (False, True):
        answer = post(mock, case, "empty", stream=stream)
        assert (answer.status_code, answer.content) == (200, b"")


@every_endpoint
def test_first_fails_only_the_first_requests(case):
    with run_in_thread() as mock:
        assert [post(mock, case, "status=503;first=2").status_code for _ in range(3)] == [503, 503, 200]


@every_endpoint
def test_html_error_page_and_delay(mock, case):
    answer = post(mock, case, "html=502;delay=0.01")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")


@every_endpoint
def test_wrong_key_is_refused(mock, case):
    path, body = case.request(stream=False)
    headers = KEY | {"authorization": "Bearer wrong"}
    status = {CASES["converse"].path: 403, CASES["gemini"].path: 400}.get(path, 401)
    assert httpx.post(mock.url + path, json=body, headers=headers).status_code == status


def test_requests_can_be_read_and_forgotten_over_http():
    with run_in_thread() as mock:
        for case in CASES.values():
            post(mock, case)
        url = f"{mock.url}/__requests"
        shown = httpx.get(url).json()
        assert [record["path"] for record in shown] == [case.path for case in CASES.values()]
        assert shown[0]["body"] == CASES["chat"].body
        assert shown[0]["headers"]["authorization"] == "Bearer mock-key"
        assert httpx.get(url, params={"last": 2}).json() == shown[-2:]
        assert httpx.delete(url).status_code == 204
        assert httpx.get(url).json() == []
