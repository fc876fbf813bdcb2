"""The clients that a load program does not play: large, slow, mistaken, and those that leave in the middle."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from tests.bench.servers import ANTHROPIC_MODEL, OPENAI_MODEL

CHAIN_WITH_503 = "soak-chain"
MOCK_MODEL = "mock-gpt"
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
_LARGE = "x" * (4 * 1024 * 1024)
_SLOW_BYTES = 100_000  # of text; on the wire it is many times that
_SECONDS = 60.0
_MOST_AT_ONCE = 64


class Unexpected(Exception):
    """An answer that should not be."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the visitors go: `host:port`."""

    address: str
    client: httpx.AsyncClient

    async def ask(
        self, path: str, body: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", "anthropic-version": "2023-06-01", **(headers or {})}
        return await self.client.post(f"http://{self.address}{path}", content=content, headers=sent)

    @contextlib.asynccontextmanager
    async def connection(self, path: str, body: bytes, headers: str = "", *, sent: float = 1.0) -> Any:
        """A reader of the answer to a request of which only the first part, `sent`, is written; aborted at the end."""
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=65536)
        try:
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}"
            writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[: int(len(body) * sent)])
            await writer.drain()
            yield reader
        finally:
            writer.transport.abort()


Visit = Callable[[Gateway, int], Awaitable[None]]


@dataclass(slots=True)
class Tally:
    """How often each kind of visitor came, and what was unexpected."""

    visits: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    skipped: int = 0


async def send_visitors(address: str, seconds: float) -> Tally:
    """All kinds of visitors, each at its pace, for `seconds`; then waits for those that are still there."""
    tally = Tally()
    async with httpx.AsyncClient(timeout=_SECONDS, limits=httpx.Limits(max_connections=None)) as client:
        gateway = Gateway(address, client)
        await asyncio.gather(*(_keep_coming(gateway, kind, seconds, tally) for kind in VISITORS))
    return tally


async def _keep_coming(gateway: Gateway, kind: "Visitor", seconds: float, tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    start, present = loop.time(), set[asyncio.Task[None]]()
    for number in count():
        await asyncio.sleep(max(0.0, start + number / kind.per_second - loop.time()))
        if loop.time() - start > seconds:
            break
        if len(present) >= _MOST_AT_ONCE:
            tally.skipped += 1
            continue
        task = asyncio.create_task(_once(gateway, kind, number, tally))
        present.add(task)
        task.add_done_callback(present.discard)
    await asyncio.gather(*present)


async def _once(gateway: Gateway, kind: "Visitor", number: int, tally: Tally) -> None:
    tally.visits[kind.name] += 1
    try:
        async with asyncio.timeout(_SECONDS):
            await kind.visit(gateway, number)
    except (Unexpected, OSError, httpx.HTTPError, TimeoutError, ValueError) as fault:
        tally.unexpected[f"{kind.name}: {type(fault).__name__}: {str(fault)[:200]}"] += 1


def _question(model: str, text: str = "Hello", *, stream: bool = False) -> dict[str, Any]:
    return {"model": model, "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": text}]}


def _path(number: int) -> str:
    return (CHAT, MESSAGES)[number % 2]


def _expect(answer: httpx.Response, *statuses: int) -> None:
    if answer.status_code not in statuses:
        raise Unexpected(f"{answer.status_code} {answer.text[:150]}")
    if answer.status_code >= 400 and "error" not in answer.json():
        raise Unexpected(f"no error object: {answer.text[:150]}")


async def _unknown_model(gateway: Gateway, number: int) -> None:
    _expect(await gateway.ask(_path(number), _question(f"nothing-{number}")), 400, 404)


async def _no_json(gateway: Gateway, number: int) -> None:
    _expect(await gateway.ask(_path(number), b'{"model": ' * (number % 50)), 400)


async def _failing_provider(gateway: Gateway, number: int) -> None:
    behaviour = ("status=500", "status=429", "html=502", "malformed", "reset", "close", "empty")[number // 2 % 7]
    path = _path(number)
    answer = await gateway.ask(path, _question(MOCK_MODEL), {"x-mock-behaviour": behaviour})
    untouched = path == CHAT and behaviour in {"malformed", "empty"}  # the same format passes as it is
    _expect(answer, *((200, 502) if untouched else (429, 500, 502, 503)))


async def _broken_stream(gateway: Gateway, number: int) -> None:
    behaviour = ("cut=2", "error-event=2", "reset-after=2", "cutclean=2", "malformed")[number // 2 % 5]
    with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError):
        answer = await gateway.ask(_path(number), _question(MOCK_MODEL, stream=True), {"x-mock-behaviour": behaviour})
        if answer.status_code not in (200, 502):
            raise Unexpected(f"{answer.status_code} {answer.text[:150]}")


async def _failover(gateway: Gateway, number: int) -> None:
    answer = await gateway.ask(_path(number), _question(CHAIN_WITH_503, stream=number % 3 == 0))
    _expect(answer, 200)
    if answer.headers.get("x-plano-attempts") != "2":
        raise Unexpected(f"attempts: {answer.headers.get('x-plano-attempts')}")


async def _large_body(gateway: Gateway, number: int) -> None:
    model = (OPENAI_MODEL, ANTHROPIC_MODEL)[number // 2 % 2]
    _expect(await gateway.ask(_path(number), _question(model, _LARGE)), 200)


async def _leaves_during_answer(gateway: Gateway, number: int) -> None:
    body = json.dumps(_question(OPENAI_MODEL, stream=True)).encode()
    async with gateway.connection(_path(number), body) as reader:
        if not (await reader.read(300)).startswith(b"HTTP/1.1 200"):
            raise Unexpected("no 200")


async def _leaves_during_request(gateway: Gateway, number: int) -> None:
    body = json.dumps(_question(OPENAI_MODEL, _LARGE if number % 8 == 0 else "Hello" * 100)).encode()
    async with gateway.connection(_path(number), body, sent=0.5):
        await asyncio.sleep(0.05)


async def _slow_reader(gateway: Gateway, number: int) -> None:
    body = json.dumps(_question(MOCK_MODEL, stream=True) | {"max_tokens": _SLOW_BYTES}).encode()
    headers = f"x-mock-behaviour: big={_SLOW_BYTES}\r\nanthropic-version: 2023-06-01\r\nconnection: close\r\n"
    received = 0
    async with gateway.connection(_path(number), body, headers) as reader:
        while data := await reader.read(16384):
            received += len(data)
            await asyncio.sleep(0.05)
    if received < _SLOW_BYTES:
        raise Unexpected(f"only {received} bytes")


@dataclass(frozen=True, slots=True)
class Visitor:
    name: str
    per_second: float
    visit: Visit


VISITORS = (
    Visitor("unknown model", 2, _unknown_model),
    Visitor("no JSON", 2, _no_json),
    Visitor("failing provider", 4, _failing_provider),
    Visitor("broken stream", 4, _broken_stream),
    Visitor("chain whose first answers 503", 4, _failover),
    Visitor("large body", 1, _large_body),
    Visitor("leaves during the answer", 6, _leaves_during_answer),
    Visitor("leaves during the request", 4, _leaves_during_request),
    Visitor("slow reader", 0.3, _slow_reader),
)
