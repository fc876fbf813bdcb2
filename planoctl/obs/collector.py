"""Spans from the local trace collector, which is started if there is none."""

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import ModuleType
from typing import Any

from planoctl.obs.sources import SourceError
from planoctl.obs.spans import Span

_WAITING = 20_000
"""Spans kept for a console that does not keep up; the oldest are dropped."""
_REMEMBERED = 50_000
"""Spans known by their ids, so that none is counted twice after a reconnection."""
_RETRY_SECONDS = 1.0
_BATCH = 200


class CollectorSource:
    """Spans as a collector hands them out, those it has stored first. A lost connection is made again."""

    def __init__(self, address: str) -> None:
        self.state = ""
        self.dropped = 0
        self._address = address
        self._waiting: deque[Span] = deque(maxlen=_WAITING)
        self._failure: SourceError | None = None
        self._over = threading.Event()
        self._known: dict[tuple[Any, Any], None] = {}

    @property
    def label(self) -> str:
        lost = f" · {self.dropped:,} spans dropped" if self.dropped else ""
        return f"OTLP {self._address}{lost}"

    async def spans(self) -> AsyncIterator[Span]:
        arrived = asyncio.Event()
        from planoctl.traces import client  # gRPC takes long to import

        watcher = partial(self._watch, client, asyncio.get_running_loop(), arrived)
        # A daemon, since a blocked gRPC call cannot be ended from here and must not keep the process.
        threading.Thread(target=watcher, name="obs-spans", daemon=True).start()
        try:
            while self._failure is None or self._waiting:
                await arrived.wait()
                arrived.clear()
                while self._waiting:
                    span = self._waiting.popleft()
                    if self._is_new(span):
                        yield span
                    if len(self._waiting) % _BATCH == 0:
                        await asyncio.sleep(0)  # a flood of spans must not keep the console from drawing
        finally:
            self._over.set()
        raise self._failure

    def _watch(self, client: ModuleType, loop: asyncio.AbstractEventLoop, arrived: asyncio.Event) -> None:
        """The thread: put spans where `spans` finds them, until nobody waits for them any more."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            while self._failure is None and not self._over.is_set():
                for span in self._attempt(client):
                    self.dropped += len(self._waiting) == self._waiting.maxlen
                    self._waiting.append(span)
                    loop.call_soon_threadsafe(arrived.set)
                loop.call_soon_threadsafe(arrived.set)
                if self._failure is None:
                    self._over.wait(_RETRY_SECONDS)

    def _attempt(self, client: ModuleType) -> Iterator[Span]:
        """The spans of one connection."""
        try:
            for span in client.watch_spans(self._address):
                self.state = ""
                yield span
        except client.NotACollector as error:
            self._failure = SourceError(f"{error}: stop it, or choose another --port")
        except client.CollectorUnavailable:
            self.state = "collector gone · reconnecting"

    def _is_new(self, span: Span) -> bool:
        key = (span.get("traceId"), span.get("spanId"))
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return True


@contextlib.contextmanager
def running_collector(host: str, port: int) -> Iterator[tuple[str, bool]]:
    """A collector at this address while the block lasts: its `host:port`, and whether it was started for the block.

    One that was there before stays. Raises SourceError if there is none and none can be started.
    """
    from planoctl.traces import background
    from planoctl.traces.collector import Settings

    address = background.local_address(host, port)
    if background.collector_at(host, port) is not None:
        yield address, False
        return
    settings = Settings(host=host, port=port, http_port=_http_port(port))
    with _leash() as leash:
        try:
            identity = background.start(settings, leash)
        except background.NotStarted as error:
            raise SourceError(
                f"nothing to get spans from on {address}, and no collector could be started there: {error}\n"
                + "\n".join(error.lines)
            ) from error
        try:
            yield address, True
        finally:
            background.stop(port, identity)


@contextlib.contextmanager
def _leash() -> Iterator[int]:
    """The reading end of a pipe; the writing end is closed with the block, or with this process however it ends."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _http_port(port: int) -> int | None:
    return port + 1 if port < 65535 else None
