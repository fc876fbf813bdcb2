"""The kit's own provider: answers each request with the case it belongs to, byte for byte, and keeps what it got."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.conformance.case import Case
from tests.conformance.cutting import Variant
from tests.conformance.http1 import HEAD_LIMIT, Broken, Message, head, read_message

CASE_HEADER = "x-conformance-case"
_PACED = 40  # pieces
# Seconds between pieces, so that each arrives on its own: longer while they are few.
_LONG_BREATH, _SHORT_BREATH = 0.001, 0.0003
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(slots=True, eq=False)
class Call:
    """One run of a case as the provider sees it."""

    case: Case
    variant: Variant
    received: list[Message] = field(default_factory=list)


class FakeProvider:
    """`serial`: requests carry no case header, so that they belong to the only call that is expected."""

    def __init__(self, *, serial: bool = False) -> None:
        self._serial = serial
        self._calls: dict[str, Call] = {}
        self._open: set[asyncio.StreamWriter] = set()

    def expect(self, key: str, call: Call) -> None:
        self._calls[key] = call

    def forget(self, key: str) -> None:
        del self._calls[key]

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, host, port, limit=HEAD_LIMIT)
        try:
            yield
        finally:
            server.close()
            for writer in list(self._open):
                writer.close()
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await read_message(reader, until_close=False)) is not None and not request.cut:
                await self._answer(request, writer)
        except (Broken, ConnectionError):
            pass  # the gateway went away; the run that this belongs to tells
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, request: Message, writer: asyncio.StreamWriter) -> None:
        key = request.headers.get(CASE_HEADER, "")
        call = next(iter(self._calls.values()), None) if self._serial else self._calls.get(key)
        if call is None:
            await _send_fault(writer, f"no case is expected here ({CASE_HEADER}: {key!r}); try --serial")
            return
        call.received.append(request)
        if call.case.answer is None:
            await _send_fault(writer, "this case expects that the provider is not called")
            return
        await _send(writer, call.case, call.variant)


async def _send(writer: asyncio.StreamWriter, case: Case, variant: Variant) -> None:
    start = f"HTTP/1.1 {case.upstream_status} {_REASONS.get(case.upstream_status, 'Status')}"
    streamed = case.answer is not None and case.answer.suffix in (".sse", ".hex")
    body = b"".join(variant.pieces)
    length = {"transfer-encoding": "chunked"} if streamed else {"content-length": str(len(body))}
    encoding = {"content-encoding": variant.encoding} if variant.encoding else {}
    writer.write(head(start, {**case.answer_headers, **length, **encoding}))
    if not streamed:
        writer.write(body)
        await writer.drain()
        return
    pause = _LONG_BREATH if len(variant.pieces) <= _PACED else _SHORT_BREATH
    for piece in variant.pieces:
        await writer.drain()
        await asyncio.sleep(pause)
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _send_fault(writer: asyncio.StreamWriter, text: str) -> None:
    body = json.dumps({"error": {"message": f"conformance kit: {text}", "type": "server_error"}}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    writer.write(head("HTTP/1.1 500 Unexpected", headers) + body)
    await writer.drain()
