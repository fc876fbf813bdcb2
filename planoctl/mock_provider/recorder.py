"""Keeps what the mock received, for tests to look at."""

import collections
import json
from pathlib import Path

from starlette.requests import Request

from planoctl.mock_provider.validation import Json

_REMEMBERED = 1000


class Recorder:
    """The last requests in memory, and all of them in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.requests: collections.deque[Json] = collections.deque(maxlen=_REMEMBERED)

    def add(self, request: Request, body: bytes) -> Json:
        """Records one request; returns its record: method, path as sent, headers, and the body as JSON or text."""
        try:
            content: object = json.loads(body) if body else None
        except (ValueError, RecursionError):
            content = body.decode("utf-8", "replace")
        record: Json = {
            "method": request.method,
            "path": raw_path(request) + (f"?{request.url.query}" if request.url.query else ""),
            "headers": {name: ", ".join(request.headers.getlist(name)) for name in request.headers},
            "body": content,
        }
        self.requests.append(record)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        return record


def raw_path(request: Request) -> str:
    """The path as the client sent it, percent-encoded, without the query."""
    raw: bytes = request.scope["raw_path"]
    return raw.decode("latin-1")
