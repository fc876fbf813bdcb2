"""What a client can do wrong, or on purpose."""

import contextlib
import gzip
import itertools
import resource
import socket
import time
from collections.abc import Iterator

import psutil

from tests.faults.case import CHAT, Act, Api, Case, Unavailable
from tests.faults.raw import CLOSED, answered, open_socket, question, request, sent
from tests.faults.site import FEW, Site

_GIBIBYTE = 1 << 30
_GROWTH_LIMIT = 200_000_000  # bytes that a bomb may cost a sidecar worker
_SLOW_CLIENTS = 200
_IDLE_CONNECTIONS = 10_000


def posting(body: bytes, *headers: str) -> Act:
    """An act: send a body, whatever it is."""

    def act(site: Site, api: Api) -> str:
        return sent(site.gateway.port, request(api, body, *headers), api)

    return act


def heading(*lines: str) -> Act:
    """An act: a good body under these header lines too."""

    def act(site: Site, api: Api) -> str:
        return sent(site.gateway.port, request(api, question(), *lines), api)

    return act


def long_target(site: Site, api: Api) -> str:
    data = request(api, question()).replace(api.path.encode(), api.path.encode() + b"?" + b"x" * 100_000, 1)
    return sent(site.gateway.port, data, api)


def gzip_bomb(site: Site, api: Api) -> str:
    """A gibibyte of spaces in a megabyte of gzip. No worker may unpack it."""
    compressed = gzip.compress(b" " * (_GIBIBYTE // 64), 1) * 64
    before = [_resident(worker.pid) for worker in site.gateway.workers]
    began = time.monotonic()
    words = sent(site.gateway.port, request(api, compressed, "content-encoding: gzip"), api, timeout=30)
    site.timed(time.monotonic() - began)
    for worker, resident in zip(site.gateway.workers, before, strict=True):
        assert _resident(worker.pid) - resident < _GROWTH_LIMIT
    return words


def _resident(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


def stop_in_the_body(site: Site, api: Api) -> str:
    """Announce a body, send half of it, and wait."""
    data = request(api, question())
    return sent(site.gateway.port, data[:-20], api)


def slow_headers(site: Site, api: Api) -> str:
    """Two hundred clients that send a header line per second; a good one asks all the while."""
    lines = itertools.chain(request(api, question()).split(b"\r\n")[:3], itertools.repeat(b"x-slow: 1"))
    with _clients(site.gateway.port, _SLOW_CLIENTS) as clients:
        began = time.monotonic()
        for line in lines:
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(line + b"\r\n")
            site.next_request(api)
            if time.monotonic() - began > 11:
                break
            time.sleep(1)
        words = {answered(client) for client in clients}
        site.timed(time.monotonic() - began)
    return " or ".join(sorted(words))


def idle_connections(site: Site, api: Api) -> str:
    """Ten thousand connections that ask nothing."""
    needed = 2 * _IDLE_CONNECTIONS
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < needed:
        raise Unavailable(f"a limit of {needed} open files is needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    before = _resident(site.gateway.envoy.pid)
    with _clients(site.gateway.port, _IDLE_CONNECTIONS) as clients:
        seconds = max(site.next_request(api) for _ in range(20))
        grown = _resident(site.gateway.envoy.pid) - before
        assert grown < 1_000_000_000, grown
        clients[0].sendall(request(api, question()))
        assert answered(clients[0], api) == "200"
    site.timed(seconds)
    return "200 for all others, and for them when they ask"


def too_many_connections(site: Site, api: Api) -> str:
    """One connection more than PLANO_MAX_CONNECTIONS."""
    site.next_request(api, site.small)
    with _clients(site.small.port, FEW):
        began = time.monotonic()
        while (words := sent(site.small.port, request(api, question()), api)) == "200":
            assert time.monotonic() - began < 5  # connections count once Envoy has accepted them
        seconds = time.monotonic() - began
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and site.ask(api, gateway=site.small) != "200":
        time.sleep(0.1)
    site.next_request(api, site.small)
    site.timed(seconds)
    return words


@contextlib.contextmanager
def _clients(port: int, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(open_socket(port)) for _ in range(count)]


def _nested(levels: int) -> bytes:
    deep = b'{"a":' * levels + b"1" + b"}" * levels
    tool = b'{"type":"function","function":{"name":"f","parameters":' + deep + b"}}"
    return question()[:-1] + b',"tools":[' + tool + b"]}"


def _metadata(levels: int) -> bytes:
    return question()[:-1] + b',"metadata":' + b"[" * levels + b"]" * levels + b"}"


_PARSING = ("400 invalid_request",)
_TOO_LARGE_HEADERS = ("431 headers_too_large",)

CASES = [
    Case("A body that is no JSON", posting(b"not json"), _PARSING),
    Case("NUL in a body", posting(b"\x00" * 100), _PARSING),
    Case("NUL inside a JSON string", posting(question().replace(b'"hi"', b'"h\x00i"')), _PARSING),
    Case("Invalid UTF-8 in a JSON string", posting(question().replace(b'"hi"', b'"\xc3\x28"')), _PARSING),
    Case("A lone surrogate in a JSON string", posting(question().replace(b'"hi"', rb'"\ud800"')), _PARSING),
    # The mock's own JSON decoder gives up at such depths, and its 400 comes through.
    Case("JSON nested 1,000 levels deep, in a tool", posting(_nested(1000)), ("200", "400 invalid_request_error")),
    Case(
        "JSON nested 1,000 levels deep, in a parameter",
        posting(_metadata(1000)),
        ("400 invalid_request", "400 invalid_request_error"),
    ),
    Case("JSON nested 100,000 levels deep", posting(b"[" * 100_000 + b"]" * 100_000), _PARSING),
    Case("A gzip bomb: 1 GiB in 1 MB", gzip_bomb, ("413 request_too_large",), within=10),
    Case("A body that is not the gzip it says", posting(question(), "content-encoding: gzip"), _PARSING),
    Case("A header of 100 KB", heading("x-bomb: " + "x" * 100_000), _TOO_LARGE_HEADERS, apis=(CHAT,)),
    Case(
        "1,000 headers", heading(*[f"x-bomb-{number}: 1" for number in range(1000)]), _TOO_LARGE_HEADERS, apis=(CHAT,)
    ),
    Case("A request line of 100 KB", long_target, _TOO_LARGE_HEADERS, apis=(CHAT,)),
    Case("NUL in a header", heading("x-nul: a\x00b"), ("400 bad_request",), apis=(CHAT,)),
    Case("A client stops in the middle of its body", stop_in_the_body, ("408 request_timeout",), within=6),
    Case("Slowloris: 200 clients send a header per second", slow_headers, ("408 request_timeout",), 20, (CHAT,), False),
    Case(
        "10,000 idle connections",
        idle_connections,
        ("200 for all others, and for them when they ask",),
        within=5,
        apis=(CHAT,),
        quick=False,
    ),
    Case("More connections than PLANO_MAX_CONNECTIONS", too_many_connections, (CLOSED,)),
]
