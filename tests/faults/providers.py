"""What a provider can do wrong. Chat clients get its answers as they are, Messages clients translated."""

import contextlib
import socket
import threading
import time

import httpx

from tests.faults.case import Act, Api, Case
from tests.faults.raw import open_socket, question, request
from tests.faults.site import Site


def behaving(behaviour: str, *, stream: bool = False, model: str = "mock-gpt") -> Act:
    """An act: ask a provider that behaves like this."""

    def act(site: Site, api: Api) -> str:
        return site.ask(api, behaviour, model=model, stream=stream)

    return act


def ask_nowhere(site: Site, api: Api) -> str:
    site.next_request(api, site.lost)
    return site.ask(api, model="nowhere", gateway=site.lost)


def leave_a_dribble(site: Site, api: Api) -> str:
    """Wait three seconds for a provider that sends one byte per second, and leave."""
    with open_socket(site.gateway.port, 3) as client:
        client.sendall(request(api, question(), "x-mock-behaviour: dribble;gap=1"))
        began = time.monotonic()
        try:
            head = client.recv(65536)
        except TimeoutError:
            return "nothing before the answer is whole"
        site.timed(time.monotonic() - began)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert len(client.recv(64)) < 20
        return "200, byte by byte"


def leave_while_it_hangs(site: Site, api: Api) -> str:
    """Ask a provider that never answers, and go away."""
    with socket.create_connection(("127.0.0.1", site.gateway.port)) as client:
        client.sendall(request(api, question(), "x-mock-behaviour: hang"))
        time.sleep(0.2)
    return "left"


def more_than_it_may_have(site: Site, api: Api) -> str:
    """Sixteen requests at once to a slow provider that may have four, and as many more waiting."""
    answers: list[str] = []

    def ask() -> None:
        body = {"model": "mock-gpt", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        answer = httpx.post(site.small.url + api.path, json=body, headers={"x-mock-behaviour": "delay=0.4"}, timeout=20)
        answers.append(str(answer.status_code) if answer.is_success else f"503 {answer.json()['error']['code']}")

    site.next_request(api, site.small)
    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    site.timed(0)
    assert 1 <= answers.count("200") < len(answers), answers
    return " or ".join(sorted(set(answers)))


def several_at_once(site: Site, api: Api) -> str:
    """A hundred requests to a provider that hangs; a good provider answers all the while."""
    clients = [socket.create_connection(("127.0.0.1", site.gateway.port), timeout=10) for _ in range(100)]
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
            client.sendall(request(api, question(), "x-mock-behaviour: hang"))
        began = time.monotonic()
        site.next_request(api)
        heads = {client.recv(65536).split(b"\r\n")[0] for client in clients}
        site.timed(time.monotonic() - began)
    assert heads == {b"HTTP/1.1 504 Gateway Timeout"}, heads
    return "504 for those, 200 for all others"


# A break right behind the first bytes may come before Envoy has sent them on.
_BROKEN = ("200, then a broken connection", "502 provider_unavailable", "502 provider_disconnected")

CASES = [
    Case("The provider refuses connections", behaving("", model="down"), ("503 provider_unreachable",)),
    Case("The provider's name cannot be resolved", ask_nowhere, ("503 provider_unreachable",), quick=False),
    Case("The provider speaks no TLS where it should", behaving("", model="tls"), ("502 provider_tls_error",)),
    Case("The provider resets the connection", behaving("reset"), ("502 provider_disconnected",)),
    Case("The provider closes the connection without an answer", behaving("close"), ("502 provider_disconnected",)),
    Case("The provider hangs (listener `timeout: 2s`)", behaving("hang"), ("504 provider_timeout",), within=6),
    Case(
        "The provider hangs, asked for a stream",
        behaving("hang", stream=True),
        ("504 provider_timeout",),
        within=6,
        quick=False,
    ),
    Case(
        "The provider hangs on 100 requests at once",
        several_at_once,
        ("504 for those, 200 for all others",),
        8,
        quick=False,
    ),
    Case("A client leaves while the provider hangs", leave_while_it_hangs, ("left",)),
    Case(
        "The provider dribbles one byte per second",
        leave_a_dribble,
        ("200, byte by byte", "nothing before the answer is whole"),
        within=6,
        quick=False,
    ),
    Case("The provider sends garbage instead of HTTP", behaving("garbage"), ("502 provider_disconnected",)),
    Case(
        "The provider sends half a JSON body as a whole one",
        behaving("cutclean"),
        ("200 with the provider's own bytes", "502 invalid_upstream_response"),
    ),
    Case(
        "The provider sends garbage in a stream",
        behaving("malformed", stream=True),
        ("200", "200, then an error event"),
    ),
    Case(
        "The provider closes the connection in the middle of a stream",
        behaving("cut=3", stream=True),
        _BROKEN,
    ),
    Case(
        "The provider resets the connection in the middle of a stream",
        behaving("reset-after=3", stream=True),
        _BROKEN,
    ),
    Case(
        "The provider stops in the middle of a stream (listener `timeout: 2s`)",
        behaving("stall=3", stream=True),
        _BROKEN,
        within=6,
        quick=False,
    ),
    Case(
        "The provider ends a stream before its end",
        behaving("cutclean=3", stream=True),
        ("200, then no end of the stream", "200, then an error event"),
    ),
    Case(
        "The provider answers 500", behaving("status=500"), ("500 server_error", "500 api_error", "500 upstream_error")
    ),
    Case("The provider answers 429", behaving("status=429"), ("429 rate_limit_exceeded", "429 rate_limit_error")),
    Case("The provider answers an HTML page", behaving("html=502"), ("502 server_error", "502 api_error")),
    Case(
        "More requests than `overrides.max_provider_requests` allows",
        more_than_it_may_have,
        ("200 or 503 too_many_requests_in_flight",),
    ),
]
