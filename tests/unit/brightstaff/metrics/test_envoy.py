"""Envoy's statistics at the listener of metrics, with an admin interface that the test writes itself."""

import gzip
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from brightstaff.metrics.envoy import EnvoyStatistics
from brightstaff.metrics.listener import MetricsListener
from planoctl.config.metrics_address import MetricsAddress
from tests.unit.brightstaff.metrics.test_listener import free_port

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
LINES = b'envoy_cluster_upstream_rq_total{envoy_cluster_name="a"} 7\n' * 100
Answering = Callable[[socket.socket], None]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Admin:
    """Answers each connection by `answering`; `asked` are the request lines."""

    def __init__(self, answering: Answering) -> None:
        self.asked: list[str] = []
        self._answering = answering
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            self.asked.append(connection.recv(65536).split(b"\r\n")[0].decode())
            try:
                self._answering(connection)
            except OSError:
                return


@contextmanager
def served(answering: Answering) -> Iterator[tuple[Admin, str]]:
    """The admin interface and the base URL of a listener that reads it."""
    admin = Admin(answering)
    address = MetricsAddress("127.0.0.1", free_port())
    listener = MetricsListener(address, [], EnvoyStatistics(MetricsAddress(*admin.listening.getsockname())))
    listener.start()
    try:
        yield admin, f"http://{address}"
    finally:
        listener.stop()
        admin.listening.close()


def whole(connection: socket.socket) -> None:
    connection.sendall(HEAD + chunk(LINES) + chunk(LINES) + chunk(b""))


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_what_envoy_says_is_passed_on(coding: str) -> None:
    with served(whole) as (_, url):
        answer = httpx.get(f"{url}/metrics/envoy", headers={"accept-encoding": coding})
    assert answer.content == LINES * 2
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.headers.get("content-encoding", "identity") == coding


def test_both_are_one_answer() -> None:
    with served(whole) as (_, url):
        text = httpx.get(f"{url}/metrics/all", headers={"accept": "application/openmetrics-text"}).text
    assert text.endswith((LINES * 2).decode())
    assert "process_resident_memory_bytes" in text
    assert "# EOF" not in text


def test_a_reader_chooses_nothing_but_which_of_the_two_it_wants() -> None:
    with served(whole) as (admin, url):
        for path in ("envoy", "envoy?usedonly", "all?usedonly=", "envoy?filter=x&format=json", "envoy/../quitquitquit"):
            httpx.get(f"{url}/metrics/{path}")
        with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 0)) as raw:
            raw.sendall(b"GET /metrics/envoy/../../quitquitquit HTTP/1.0\r\n\r\n")
            assert b" 404 " in raw.recv(4096)
        for method in ("POST", "PUT", "DELETE", "HEAD"):
            assert httpx.request(method, f"{url}/metrics/envoy").status_code == 405
    assert admin.asked == [
        "GET /stats/prometheus HTTP/1.1",
        "GET /stats/prometheus?usedonly HTTP/1.1",
        "GET /stats/prometheus?usedonly HTTP/1.1",
        "GET /stats/prometheus HTTP/1.1",
    ]


def test_without_envoy_the_own_metrics_remain() -> None:
    with served(lambda connection: connection.sendall(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")) as (_, url):
        for _ in range(6):
            answer = httpx.get(f"{url}/metrics/envoy")
            assert (answer.status_code, "Envoy does not answer" in answer.text) == (503, True)
        joined = httpx.get(f"{url}/metrics/all")
    assert joined.status_code == 200
    assert "process_resident_memory_bytes" in joined.text
    assert "envoy_" not in joined.text


def test_an_answer_that_envoy_breaks_off_is_no_whole_answer() -> None:
    with served(lambda connection: connection.sendall(HEAD + chunk(LINES))) as (_, url):
        for _ in range(6):
            with httpx.stream("GET", f"{url}/metrics/envoy", headers={"accept-encoding": "gzip"}) as answer:
                raw = b"".join(answer.iter_raw())
            with pytest.raises(EOFError):
                gzip.decompress(raw)


def test_few_read_at_once_and_who_leaves_makes_room() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        while True:
            connection.sendall(chunk(LINES))

    with served(endless) as (_, url), ExitStack() as readers:
        for _ in range(4):
            answer = readers.enter_context(httpx.stream("GET", f"{url}/metrics/envoy"))
            assert answer.status_code == 200
        assert "others read" in httpx.get(f"{url}/metrics/envoy").text
        assert httpx.get(f"{url}/metrics").status_code == 200
        readers.close()
        for _ in range(200):
            with httpx.stream("GET", f"{url}/metrics/envoy") as answer:
                if answer.status_code == 200:
                    return
            threading.Event().wait(0.05)
        pytest.fail("no room again")


def test_a_long_answer_is_not_held_in_memory() -> None:
    total = 64 * 1024 * 1024
    part = chunk(LINES * 20)

    def long(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        for _ in range(total // len(part)):
            connection.sendall(part)
        connection.sendall(chunk(b""))

    with served(long) as (_, url):
        tracemalloc.start()
        try:
            with httpx.stream("GET", f"{url}/metrics/envoy", headers={"accept-encoding": "identity"}) as answer:
                read = sum(map(len, answer.iter_raw()))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert read > total * 0.9
    assert peak < 8 * 1024 * 1024
