"""A routing model on a real socket: it answers what a test says, well-formed or not, and keeps what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class FakeModel:
    """`reply`: the bytes of a whole HTTP answer, or what to do with the connection instead."""

    url: str = ""
    reply: Reply = b""
    targets: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def prompt(self) -> str:
        """The text that it was asked last."""
        text: str = json.loads(self.bodies[-1])["messages"][0]["content"]
        return text

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.targets.append(target)
        self.headers.append(headers)
        self.bodies.append(await reader.readexactly(int(headers["content-length"])))
        if isinstance(self.reply, bytes):
            writer.write(self.reply)
            await writer.drain()
        else:
            await self.reply(writer)


@asynccontextmanager
async def running_fake_model(socket: Path | None = None) -> AsyncIterator[FakeModel]:
    """On a free port, or on a Unix socket."""
    model = FakeModel()
    server: asyncio.Server
    if socket is None:
        server = await asyncio.start_server(model.serve, "127.0.0.1", 0)
        model.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        server = await asyncio.start_unix_server(model.serve, socket)
    try:
        yield model
    finally:
        server.close()


def http_answer(body: bytes, status: str = "200 OK", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{extra}\r\n".encode() + body


def completion(content: Any) -> bytes:
    """An answer with nothing in it that a client could do without."""
    return http_answer(json.dumps({"choices": [{"message": {"content": content}}]}).encode())
