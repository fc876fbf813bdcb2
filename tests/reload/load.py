"""A client that keeps its connections, gives up nothing and repeats nothing: every failure counts."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

_PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
_ENDS = {"chat": b"data: [DONE]", "messages": b"message_stop"}


@dataclass
class Tally:
    """What became of the requests. `failures` holds what was wrong, at most once each kind."""

    whole: int = 0
    streams: int = 0
    events: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    def failed(self, what: str) -> None:
        self.failures[what] = self.failures.get(what, 0) + 1


class Connection:
    """One client connection, opened again when the gateway said that it closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, api: str, document: dict[str, Any]) -> tuple[int, bytes]:
        """Status and whole body. Raises OSError and asyncio.IncompleteReadError."""
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        body = json.dumps(document).encode()
        head = f"POST {_PATHS[api]} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        if "chunked" in headers.get("transfer-encoding", ""):
            answer = await self._chunks(self._reader)
        else:
            answer = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), answer

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        answer = bytearray()
        while size := int(await reader.readuntil(b"\r\n"), 16):
            answer += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return bytes(answer)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def question(api: str, model: str, events: int = 0) -> dict[str, Any]:
    """A request for a whole answer, or for a stream of `events`."""
    document: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    if events:
        document |= {"stream": True, "max_tokens": events}
    elif api == "messages":
        document["max_tokens"] = 9
    return document


async def ask_steadily(port: int, api: str, model: str, pause: float, until: float, tally: Tally) -> None:
    """A request each `pause` seconds on one connection, until the monotonic time `until`."""
    connection = Connection(port)
    due = time.monotonic()
    while due < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += pause
        began = time.monotonic()
        try:
            status, answer = await connection.ask(api, question(api, model))
        except (OSError, asyncio.IncompleteReadError) as fault:
            tally.failed(f"{api}: {fault!r}")
            connection.close()
            continue
        tally.whole += 1
        tally.latencies.append(time.monotonic() - began)
        if status != 200 or b"ok" not in answer:
            tally.failed(f"{api}: {status} {answer[:200]!r}")
    connection.close()


async def keep_streaming(port: int, api: str, model: str, events: int, until: float, tally: Tally) -> None:
    """One stream after the other, each read to its end and checked to be whole."""
    while time.monotonic() < until:
        connection = Connection(port)
        try:
            status, answer = await connection.ask(api, question(api, model, events))
        except (OSError, asyncio.IncompleteReadError) as fault:
            tally.failed(f"{api} stream: {fault!r}")
            await asyncio.sleep(0.1)
            continue
        finally:
            connection.close()
        tally.streams += 1
        tally.events += events
        whole = all(b"<%d>" % number in answer for number in range(events)) and _ENDS[api] in answer
        if status != 200 or not whole:
            tally.failed(f"{api} stream: {status} {answer[-200:].partition(b'request_id')[0]!r}")
