"""Where faults are tried: gateways with all that surrounds them, each started when a case first needs it."""

import contextlib
import json
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from planoctl.config.deployment import Capacity
from planoctl.machine import capacity
from planoctl.mock_provider.server import RunningMock, run_in_thread
from tests.faults.case import CHAT, Api, error_words
from tests.faults.raw import CLOSED
from tests.faults.recorder import Recorder, recorder
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.redis_server import RedisServer

KEY = "provider-key-7f3a"
FEW = 60  # connections that the small gateway takes
IDLE_SECONDS = 2  # the listener's timeout: every case that waits for it is quick


class Site:
    """One try-out at a time. `gateway` has two sidecar workers, and a model for each kind of provider."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = contextlib.ExitStack()
        self._own_seconds: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @cached_property
    def mock(self) -> RunningMock:
        return self._open.enter_context(run_in_thread(key=KEY))

    @cached_property
    def recorder(self) -> Recorder:
        return self._open.enter_context(recorder())

    @cached_property
    def gateway(self) -> Gateway:
        refused = f"http://127.0.0.1:{free_port()}"
        recorded = f"http://127.0.0.1:{self.recorder.port}"
        models = [
            {**self._entry("openai/mock-gpt"), "default": True},
            self._entry("anthropic/mock-claude"),
            self._entry("openai/down", refused),
            self._entry("custom/tls", f"https://127.0.0.1:{self.mock.port}", provider_interface="openai"),
            self._entry("custom/recorded", recorded, provider_interface="openai"),
        ]
        return self._gateway("main", {"model_providers": models}, workers=2, capacity=capacity())

    @cached_property
    def small(self) -> Gateway:
        """Takes few connections, and sends few requests at a time to its provider."""
        document = {"model_providers": [self._entry("openai/mock-gpt")], "overrides": {"max_provider_requests": 4}}
        return self._gateway("small", document, capacity=Capacity(connections=FEW))

    @cached_property
    def lost(self) -> Gateway:
        """Has a provider whose name no DNS server knows: its start waits for their answers."""
        nowhere = self._entry("custom/nowhere", "http://no-such-host.invalid", provider_interface="openai")
        return self._gateway("lost", {"model_providers": [self._entry("openai/mock-gpt"), nowhere]})

    @cached_property
    def tight(self) -> Gateway:
        """Has little memory, and patience with those who take it."""
        document = {"model_providers": [self._entry("openai/mock-gpt")]}
        return self._gateway("tight", document, capacity=Capacity(heap_bytes=64 << 20))

    @cached_property
    def unusual(self) -> Gateway:
        """One in an environment that a case has prepared."""
        return self._gateway("unusual", {"model_providers": [self._entry("openai/mock-gpt")]})

    @cached_property
    def redis(self) -> RedisServer:
        folder = self.folder / "redis"
        folder.mkdir()
        return self._open.enter_context(RedisServer(folder))

    @cached_property
    def routed(self) -> Gateway:
        """Routes by preference and keeps its sessions in Redis."""
        document = {
            "model_providers": [self._entry("openai/mock-gpt"), self._entry("anthropic/mock-claude")],
            "routing_preferences": [
                {"name": "code", "description": "writing programs", "models": ["anthropic/mock-claude"]}
            ],
            "overrides": {"routing_timeout_ms": 500},
            "routing": {"session_cache": {"type": "redis", "url": "$REDIS_URL"}},
        }
        return self._gateway("routed", document)

    def ask(
        self,
        api: Api,
        behaviour: str = "",
        *,
        model: str = "mock-gpt",
        gateway: Gateway | None = None,
        url: str = "",
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> str:
        """Send a request; what the client sees of the answer, to its end, in words."""
        body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}], **more}
        url = (url or (gateway or self.gateway).url) + api.path
        sent = {"x-mock-behaviour": behaviour, **(headers or {})}
        began = time.monotonic()
        try:
            with httpx.stream("POST", url, json=body, headers=sent, timeout=60) as response:
                return self._words(api, response)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return CLOSED
        except httpx.ConnectError:
            return "connection refused"
        finally:
            self._own_seconds = time.monotonic() - began

    def next_request(self, api: Api = CHAT, gateway: Gateway | None = None) -> float:
        """Seconds of a good request. Raises AssertionError if it fails."""
        assert self.ask(api, gateway=gateway) == "200"
        return self.measured(0)

    def timed(self, seconds: float) -> None:
        """What a case measured itself, where the whole of it says little."""
        self._own_seconds = seconds

    def measured(self, default: float) -> float:
        seconds, self._own_seconds = self._own_seconds, None
        return default if seconds is None else seconds

    def _words(self, api: Api, response: httpx.Response) -> str:
        body = b""
        try:
            for piece in response.iter_bytes():
                body += piece
        except httpx.RemoteProtocolError:
            return f"{response.status_code}, then a broken connection"
        kind = response.headers.get("content-type", "")
        if response.status_code >= 400:
            return error_words(api, response.status_code, kind, body)
        if kind.startswith("text/event-stream"):
            return str(response.status_code) + _end_of(body)
        with contextlib.suppress(ValueError):
            json.loads(body)
            return str(response.status_code)
        return f"{response.status_code} with the provider's own bytes"

    def _entry(self, model: str, base_url: str = "", **more: Any) -> dict[str, Any]:
        return {"model": model, "base_url": base_url or self.mock.url, "access_key": "$MOCK_KEY", **more}

    def _gateway(
        self, name: str, document: dict[str, Any], workers: int = 1, capacity: Capacity | None = None
    ) -> Gateway:
        port = free_port()
        listener = {"type": "model", "name": "llm", "address": "127.0.0.1", "port": port, "timeout": f"{IDLE_SECONDS}s"}
        environment = {"MOCK_KEY": KEY, "REDIS_URL": self.redis.url if "routing" in document else ""}
        started = running_gateway(
            self.folder / name, {"listeners": [listener], **document}, environment, workers, port, capacity=capacity
        )
        return self._open.enter_context(started)


def _end_of(stream: bytes) -> str:
    """How a stream of events ended."""
    data = [line[6:] for line in stream.splitlines() if line.startswith(b"data: ")]
    if not data:
        return " and an empty stream"
    last = data[-1]
    if last == b"[DONE]" or b"message_stop" in last:
        return ""
    return ", then an error event" if b"error" in last else ", then no end of the stream"


@contextlib.contextmanager
def site(folder: Path) -> Iterator[Site]:
    with Site(folder) as made:
        yield made
