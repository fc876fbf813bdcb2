"""Clients that write bytes as they like, over HTTP/1.1 or HTTP/2."""

import contextlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Iterable

import hpack

from tests.faults.case import CHAT, Api, error_words

CLOSED = "closed without an answer"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS = 1, 4


def question(model: str = "mock-gpt", **more: object) -> bytes:
    body = {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}], **more}
    return json.dumps(body).encode()


def request(api: Api, body: bytes, *headers: str) -> bytes:
    """A good request with more headers."""
    lines = [f"POST {api.path} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def open_socket(port: int, timeout: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def sent(port: int, data: bytes | Iterable[bytes], api: Api = CHAT, *, pause: float = 0, timeout: float = 20) -> str:
    """Send `data`, pausing between its pieces; what came back, in words."""
    with open_socket(port, timeout) as connection:
        try:
            for number, piece in enumerate([data] if isinstance(data, bytes) else data):
                if number:
                    time.sleep(pause)
                connection.sendall(piece)
        except OSError:
            pass  # the answer may be there all the same
        return answered(connection, api)


def answered(connection: socket.socket, api: Api = CHAT) -> str:
    """The answer on a connection, in words."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ConnectionError):
        return CLOSED
    finally:
        response.close()
    if response.status < 400:
        return str(response.status)
    return error_words(api, response.status, response.getheader("content-type", ""), body)


def sent_http2(port: int, headers: list[tuple[str, str]], body: bytes = b"", api: Api = CHAT) -> str:
    """Send one request with exactly these header fields; what came back, in words."""
    with open_socket(port) as connection:
        block = hpack.Encoder().encode(headers)
        connection.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        connection.sendall(_frame(_HEADERS, _END_HEADERS | (0 if body else _END_STREAM), 1, block))
        if body:
            connection.sendall(_frame(_DATA, _END_STREAM, 1, body))
        decoder, status, kind, received = hpack.Decoder(), 0, "", b""
        with connection.makefile("rb") as frames, contextlib.suppress(ConnectionError):
            while len(head := frames.read(9)) == 9:
                length, what, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
                payload = frames.read(length)
                if what == _HEADERS:
                    fields = dict(decoder.decode(payload))
                    status, kind = int(str(fields[":status"])), str(fields.get("content-type", ""))
                elif what == _DATA:
                    received += payload
                elif what == _RST:
                    return "stream reset"
                elif what == _GOAWAY and struct.unpack("!I", payload[4:8])[0]:
                    return CLOSED
                if what in (_HEADERS, _DATA) and flags & _END_STREAM:
                    return str(status) if status < 400 else error_words(api, status, kind, received)
        return CLOSED


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
