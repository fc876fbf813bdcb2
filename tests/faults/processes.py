"""What can happen to the gateway's own processes, and to what they keep their memory in."""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator

import httpx

from tests.faults.case import CHAT, Api, Case
from tests.faults.site import Site

_numbers = itertools.count()


@contextlib.contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Processes that are there and do nothing, while the block lasts."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def one_worker_hangs(site: Site, api: Api) -> str:
    """The clients whose requests it holds wait; once its health checks have failed nobody does."""
    with frozen(site.gateway.workers[0].pid):
        began = time.monotonic()
        deadline = began + 20
        good = 0
        while good < 10 and time.monotonic() < deadline:
            good = good + 1 if site.ask(api) == "200" else 0
        seconds = time.monotonic() - began
    site.timed(seconds)
    return "200 again" if good == 10 else "no answer"


def all_workers_hang(site: Site, api: Api) -> str:
    with frozen(*(worker.pid for worker in site.gateway.workers)):
        return site.ask(api)


def brightstaff_hangs(site: Site, api: Api) -> str:
    """Routing has a time-out of its own; the request goes to the model it names."""
    site.next_request(api, site.routed)
    with frozen(site.routed.brightstaff.pid):
        return site.ask(api, gateway=site.routed)


def brightstaff_hangs_for_the_list_of_models(site: Site, _api: Api) -> str:
    with frozen(site.gateway.brightstaff.pid):
        response = httpx.get(f"{site.gateway.url}/v1/models", timeout=30)
        assert response.json()["error"]["message"]
        return f"{response.status_code} {response.json()['error']['code']}"


def redis_is_down(site: Site, api: Api) -> str:
    site.next_request(api, site.routed)
    site.redis.stop()
    words = _in_a_session(site, api)
    site.redis.start()
    return words


def redis_hangs(site: Site, api: Api) -> str:
    site.next_request(api, site.routed)
    site.redis.freeze()
    try:
        return _in_a_session(site, api)
    finally:
        site.redis.thaw()


def redis_is_back(site: Site, api: Api) -> str:
    """Seconds until sessions are kept again after Redis was away."""
    site.redis.stop()
    _in_a_session(site, api)
    site.redis.start()
    began = time.monotonic()
    while time.monotonic() - began < 15:
        session = {"x-model-affinity": f"back-{next(_numbers)}"}
        outcomes = [_routing(site, api, session) for _ in range(2)]
        if outcomes[1] == "pinned":
            site.timed(time.monotonic() - began)
            return "sessions are kept again"
    return "no sessions"


def _in_a_session(site: Site, api: Api) -> str:
    return site.ask(api, gateway=site.routed, headers={"x-model-affinity": f"session-{next(_numbers)}"})


def _routing(site: Site, api: Api, headers: dict[str, str]) -> str:
    body = {"model": "mock-gpt", "max_tokens": 9, "messages": [{"role": "user", "content": "write a program"}]}
    response = httpx.post(site.routed.url + api.path, json=body, headers=headers, timeout=20)
    return response.headers.get("x-plano-routing", "")


CASES = [
    Case("One of two sidecar workers hangs", one_worker_hangs, ("200 again",), within=20, apis=(CHAT,), quick=False),
    Case(
        "All sidecar workers hang",
        all_workers_hang,
        ("503 gateway_unavailable", "504 gateway_timeout"),
        within=20,
        quick=False,
    ),
    Case("brightstaff hangs", brightstaff_hangs, ("200",), within=6, quick=False),
    Case(
        "brightstaff hangs, asked for the list of models",
        brightstaff_hangs_for_the_list_of_models,
        ("504 gateway_timeout", "504 provider_timeout"),
        within=20,
        apis=(CHAT,),
        quick=False,
    ),
    Case("Redis is down", redis_is_down, ("200",), quick=False),
    Case("Redis hangs", redis_hangs, ("200",), quick=False),
    Case("Redis is back", redis_is_back, ("sessions are kept again",), within=10, quick=False),
]
