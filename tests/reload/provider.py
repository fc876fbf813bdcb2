"""A provider that costs little: whole Chat answers, and streams of a set number of events."""

import asyncio
import json

_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    document = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    data = f"data: {json.dumps(document)}\n\n".encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Provider:
    """`max_tokens` of a request for a stream is the number of its events, which come `gap` seconds apart."""

    def __init__(self, gap: float) -> None:
        self.gap = gap
        self.keys: set[str] = set()
        """Credentials that came."""
        body = json.dumps(_ANSWER).encode()
        self._whole = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._connection, "127.0.0.1", 0)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                self.keys.add(headers.get("authorization", ""))
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                if body.get("stream"):
                    await self._stream(writer, body.get("max_tokens") or body["max_completion_tokens"])
                else:
                    writer.write(self._whole)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter, events: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(events):
            writer.write(_chunk({"content": f"<{number}>"}))
            await writer.drain()
            await asyncio.sleep(self.gap)
        writer.write(_chunk({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
