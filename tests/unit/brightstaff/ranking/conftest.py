"""An HTTP server on a real socket that serves one document."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest


@dataclass(slots=True)
class DocumentServer:
    """`document` None: connections are closed unanswered; `status` goes with the document."""

    url: str = ""
    document: Any = None
    status: str = "200 OK"
    targets: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.targets.append(head.split(b" ", 2)[1].decode())
        if self.document is not None:
            body = self.document if isinstance(self.document, bytes) else orjson.dumps(self.document)
            writer.write(f"HTTP/1.1 {self.status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()
        self.asked.set()

    async def times_asked(self, number: int) -> None:
        async with asyncio.timeout(30):
            while len(self.targets) < number:
                self.asked.clear()
                await self.asked.wait()


@pytest.fixture
async def server() -> AsyncIterator[DocumentServer]:
    documents = DocumentServer()
    listener = await asyncio.start_server(documents.serve, "127.0.0.1", 0)
    documents.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    yield documents
    listener.close()
