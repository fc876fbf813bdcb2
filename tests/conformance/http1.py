"""HTTP/1.1 on asyncio streams, by hand: the kit decides itself which bytes go out together."""

import asyncio
from dataclasses import dataclass

HEAD_LIMIT = 256 * 1024


class Broken(Exception):
    """The other side ended the connection in the middle of a message, or sent what is not HTTP."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response. `start` is its first line; header names are lower case, the last of equal names wins.

    `cut`: the body ended before the message said it would.
    """

    start: str
    headers: dict[str, str]
    body: bytes
    cut: bool = False

    @property
    def target(self) -> str:
        """The path of a request, query included."""
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])


def head(start: str, headers: dict[str, str]) -> bytes:
    """The bytes of a message up to its body."""
    lines = [start, *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_message(reader: asyncio.StreamReader, *, until_close: bool) -> Message | None:
    """The next message; None where the connection ends before it begins. Raises Broken.

    `until_close`: without a length the body lasts as long as the connection, as in responses.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise Broken(f"connection closed inside the message head: {end.partial[:200]!r}") from None
        return None
    except (ConnectionError, asyncio.LimitOverrunError) as fault:
        raise Broken(str(fault) or type(fault).__name__) from None
    start, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    if len(start.split(" ")) < 2:
        raise Broken(f"not HTTP: {start[:200]!r}")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = bytearray()
    try:
        await _read_body(reader, headers, body, until_close)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as fault:
        body += getattr(fault, "partial", b"")
        return Message(start, headers, bytes(body), cut=True)
    return Message(start, headers, bytes(body))


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str], body: bytearray, until_close: bool) -> None:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    elif "content-length" in headers:
        body += await reader.readexactly(int(headers["content-length"]))
    elif until_close:
        body += await reader.read()
