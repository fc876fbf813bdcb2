"""A gateway that has seen everything that metrics tell apart, and what Prometheus would read of it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from planoctl.config.reloads import ReloadRecord, write_record
from planoctl.mock_provider.server import RunningMock
from tests.integration.gateway import Gateway, free_port, running_gateway

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
TEAM_KEY, TEAM = "a-key-for-team-a-of-some-length-0001", "team-a"
ACCESS = {"x-plano-key": TEAM_KEY}
CODE = "write a function that sorts a list in Rust"

Scrape = dict[str, dict[tuple[tuple[str, str], ...], float]]
"""Values by sample name and sorted labels."""


def document(mock: RunningMock, port: int) -> dict[str, Any]:
    def entry(model: str, base_url: str = mock.url, **more: Any) -> dict[str, Any]:
        return {"model": model, "base_url": base_url, "access_key": "$MOCK_KEY", **more}

    auth = {"keys": [{"name": TEAM, "key": "$TEAM_KEY"}]}
    return {
        "listeners": [{"type": "model", "name": "llm", "address": "127.0.0.1", "port": port, "auth": auth}],
        "model_providers": [
            entry("openai/gpt-4o", default=True),
            entry("anthropic/claude-sonnet-4-5"),
            entry("openai/down", f"http://127.0.0.1:{free_port()}", fallbacks=["anthropic/claude-sonnet-4-5"]),
            entry("openai/gone", f"http://127.0.0.1:{free_port()}"),
            entry("openai/limited"),
            entry("openai/broken@status=503"),
            entry("openai/slow@gap=0.2"),
            entry("groq/*"),
        ],
        "routing_preferences": [
            {"name": "code", "description": "writing functions and programs", "models": ["anthropic/claude-sonnet-4-5"]}
        ],
        "ratelimits": [{"model": "limited", "limit": {"requests": 1, "unit": "day"}}],
    }


@contextlib.contextmanager
def metered_gateway(folder: Path, mock: RunningMock, key: str) -> Iterator[Gateway]:
    """A gateway with two workers that wants a key."""
    port = free_port()
    environment = {"MOCK_KEY": key, "TEAM_KEY": TEAM_KEY}
    access = {"headers": ACCESS}
    with running_gateway(folder, document(mock, port), environment, workers=2, port=port, access=access) as gateway:
        yield gateway


def body(path: str, model: str, *, stream: bool, text: str = "hello", **more: Any) -> dict[str, Any]:
    """A request without preferences of its own: routing must not change where it goes."""
    said: dict[str, Any] = {"input": text} if path == RESPONSES else {"messages": [{"role": "user", "content": text}]}
    if path == MESSAGES:
        said["max_tokens"] = 50
    return {"model": model, "stream": stream, "routing_preferences": [], **said, **more}


def send_everything(gateway: Gateway) -> int:
    """Both formats, streams and whole answers, a failed provider, a chain, limits, routing, errors, one that leaves.

    Returns how many of the requests were for models.
    """
    sent = 0

    def count(request: httpx.Request) -> None:
        nonlocal sent
        sent += request.method == "POST" and not request.url.path.startswith("/routing")

    with httpx.Client(base_url=gateway.url, headers=ACCESS, timeout=20, event_hooks={"request": [count]}) as client:
        for path in (CHAT, MESSAGES, RESPONSES):
            for model in ("gpt-4o", "claude-sonnet-4-5", "groq/llama-9"):
                for stream in (False, True):
                    client.post(path, json=body(path, model, stream=stream))
        for model in ("openai/down", "openai/gone", "groq/llama-9", "nobody/knows", "limited", "limited"):
            client.post(CHAT, json=body(CHAT, model, stream=False))
        client.post(CHAT, content=b"no JSON")
        client.post(CHAT, json=body(CHAT, "broken@status=503", stream=False))
        client.post("/v1/embeddings", json={"model": "gpt-4o", "input": "hello"})
        routed = {"model": "gpt-4o", "messages": [{"role": "user", "content": CODE}]}
        for _ in range(2):
            client.post(CHAT, json=routed, headers={"x-model-affinity": "session-1"})
        small_talk = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}
        client.post(CHAT, json=small_talk)
        client.post("/routing" + CHAT, json=routed)
        client.get("/v1/models")
        client.get("/routing/nowhere")
        leaving = body(CHAT, "slow@gap=0.2", stream=True)
        with client.stream("POST", CHAT, json=leaving) as answer:
            next(answer.iter_raw(), None)
    httpx.post(gateway.url + CHAT, json=body(CHAT, "gpt-4o", stream=False), timeout=20)
    write_record(ReloadRecord(ok=True), gateway.deployment.run_dir)
    write_record(ReloadRecord(ok=False, message="a slip of the pen"), gateway.deployment.run_dir)
    return sent + 1


def scrape(*urls: str) -> Scrape:
    """All samples at `urls`."""
    found: Scrape = {}
    for url in urls:
        answer = httpx.get(url, timeout=20)
        assert answer.status_code == 200
        written = {line.split("{")[0].split(" ")[0] for line in answer.text.splitlines()}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                bare = sample.name.removesuffix("_total")  # which the parser adds to Envoy's counters
                name = sample.name if sample.name in written else bare
                found.setdefault(name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def total(found: Scrape, name: str, **labels: str) -> float:
    """The sum of a metric over the samples that have `labels`."""
    return sum(value for each, value in found.get(name, {}).items() if labels.items() <= dict(each).items())


def eventually(gateway: Gateway, reached: Callable[[Scrape], bool], *, seconds: float = 15) -> Scrape:
    """A scrape for which `reached` holds, or the last one: numbers come a second or two after a request."""
    deadline = time.monotonic() + seconds
    while True:
        found = scrape(gateway.metrics_url)
        if reached(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def everything_seen(gateway: Gateway) -> Scrape:
    """A scrape after everything was sent, and reported by whichever worker has seen it."""
    started, requests, refused = (
        "extproc_start_time_seconds",
        "plano_requests_total",
        "plano_ratelimited_requests_total",
    )
    eventually(gateway, lambda seen: len(seen.get(started, {})) == len(gateway.workers), seconds=30)
    before = scrape(gateway.metrics_url)
    sent = send_everything(gateway)

    def reported(seen: Scrape) -> bool:
        enough = total(seen, requests) >= total(before, requests) + sent
        return enough and total(seen, refused) > total(before, refused)

    return eventually(gateway, reported, seconds=30)
