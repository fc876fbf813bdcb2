"""A load of requests that knows of each what became of it. HTTP/1.1 by hand: a client library would cost too much."""

import asyncio
import json
import time
from dataclasses import dataclass, field

from tests.faults.case import CHAT, MESSAGES
from tests.faults.raw import question, request

_REQUESTS = [
    request(CHAT, question()),
    request(MESSAGES, question()),
    request(CHAT, question(stream=True), "x-mock-behaviour: gap=0.02"),
    request(MESSAGES, question(stream=True), "x-mock-behaviour: gap=0.02"),
]


@dataclass(frozen=True)
class Outcome:
    """One request: when it began and ended (monotonic seconds), and `200`, `503 JSON`, `broken`, `refused` or worse."""

    began: float
    ended: float
    words: str
    kind: int

    @property
    def good(self) -> bool:
        return self.words == "200"

    @property
    def explained(self) -> bool:
        """A JSON error, or a connection that broke or was refused, which only a dead Envoy does."""
        return self.words in {"broken", "refused"} or self.words.endswith(" JSON")


@dataclass
class Load:
    """`clients` connections that send one request after the other until `stop`."""

    port: int
    clients: int
    outcomes: list[Outcome] = field(default_factory=list)
    _stopped: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    def stop(self) -> None:
        self._stopped = True

    def between(self, begin: float, end: float) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if begin <= outcome.ended < end]

    async def _client(self, number: int) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._stopped:
            began = time.monotonic()
            words = "refused"
            try:
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", self.port)
                words = "broken"
                connection[1].write(_REQUESTS[number % len(_REQUESTS)])
                words, lasting = await asyncio.wait_for(_answer(connection[0]), 20)
            except TimeoutError:
                words, lasting = "no answer", False
            except (OSError, asyncio.IncompleteReadError):
                lasting = False
            self.outcomes.append(Outcome(began, time.monotonic(), words, number % len(_REQUESTS)))
            if not lasting and connection is not None:
                connection[1].close()
                connection = None
            if words != "200":
                await asyncio.sleep(0.02)
            number += 1
        if connection is not None:
            connection[1].close()


async def _answer(reader: asyncio.StreamReader) -> tuple[str, bool]:
    """What an answer says, and whether its connection can take another request."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" in head:
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
    lasting = b"connection: close" not in head
    if status == 200:
        streamed = b"text/event-stream" in head
        whole = not streamed or b"[DONE]" in body or b"message_stop" in body
        return ("200" if whole else "broken"), lasting
    try:
        return (f"{status} JSON" if json.loads(body)["error"]["message"] else f"{status}"), lasting
    except (ValueError, KeyError, TypeError):
        return f"{status} {body[:80]!r}", lasting
