"""Where spans come from: an interface, and files of spans recorded earlier."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import orjson

from planoctl.obs.spans import Span

_BATCH = 100


class SourceError(Exception):
    """Spans cannot be had. The message says why and what to do."""


class SpanSource(Protocol):
    """A stream of spans. `label` names it, `state` says how it goes; both are for the footer."""

    @property
    def label(self) -> str: ...
    @property
    def state(self) -> str:
        """`""` while all is well."""
        ...

    def spans(self) -> AsyncIterator[Span]:
        """Spans as they come, each once; raises SourceError if there can be no more."""
        ...


class FileSource:
    """Spans from a file of JSON lines, one span each; the stream ends with the file."""

    state = ""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.label = f"replay {file.name}"

    async def spans(self) -> AsyncIterator[Span]:
        with self._file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield self._span(number, line)
                if number % _BATCH == 0:
                    await asyncio.sleep(0)  # a large file must not keep the console from drawing

    def _span(self, number: int, line: bytes) -> Span:
        try:
            span = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SourceError(f"{self._file}:{number} is not JSON ({error}): write one span per line") from error
        if not isinstance(span, dict):
            raise SourceError(f"{self._file}:{number} is no JSON object: write one span per line")
        return span
