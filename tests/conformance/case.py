"""A case of the kit: what the client sends, what the provider must get and answers, what the client must get."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.conformance.cutting import (
    Variant,
    binary_stream_variants,
    event_stream_variants,
    split_events,
    split_frames,
    whole,
)
from tests.conformance.encoding import encoded_variants

CASES = Path(__file__).parent / "cases"
CLIENTS = ("chat", "anthropic", "responses")
PROVIDER_FORMATS = ("chat", "anthropic", "responses", "converse", "gemini")

_CONTENT_TYPES = {
    ".json": "application/json",
    ".sse": "text/event-stream",
    ".hex": "application/vnd.amazon.eventstream",
    ".txt": "text/html; charset=utf-8",
}
_ENCODED_IN_ALL_WAYS = ("stream-text", "tools-stream")  # cases; of the other streams one compressed variant will do
_REQUIRED = frozenset({"title", "client", "upstream", "provider", "model"})


class BadCase(Exception):
    """A case whose files do not make sense."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One folder of `cases/`. README.md says what each member of meta.json means."""

    folder: Path
    title: str
    client: str
    upstream: str
    provider: str
    model: str
    stream: bool = False
    client_path: str | None = None
    client_headers: dict[str, str] = field(default_factory=dict)
    upstream_path: str | None = None
    upstream_request_headers: dict[str, str] = field(default_factory=dict)
    upstream_status: int = 200
    upstream_headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    response_headers: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def pair(self) -> str:
        return self.folder.parent.name

    @property
    def name(self) -> str:
        return f"{self.pair}/{self.folder.name}"

    @cached_property
    def request(self) -> dict[str, Any]:
        request = self._json("request.json")
        if not isinstance(request, dict):
            raise BadCase(f"{self.name}: request.json must be an object")
        return request

    @cached_property
    def upstream_request(self) -> Any:
        """The exact body the provider must get; None where it is not checked."""
        return self._json("upstream_request.json")

    @cached_property
    def answer(self) -> Path | None:
        """The file with the provider's answer; None where the provider must not be called."""
        found = [path for suffix in _CONTENT_TYPES if (path := self.folder / f"upstream_response{suffix}").exists()]
        if len(found) > 1:
            raise BadCase(f"{self.name}: more than one upstream_response")
        return found[0] if found else None

    @property
    def answer_headers(self) -> dict[str, str]:
        own = {name.lower(): value for name, value in self.upstream_headers.items()}
        return {"content-type": _CONTENT_TYPES[self.answer.suffix], **own} if self.answer else own

    @cached_property
    def response(self) -> Any:
        """The JSON that the client must get; None where it gets a stream."""
        return self._json("response.json")

    @cached_property
    def response_stream(self) -> bytes | None:
        path = self.folder / "response.sse"
        return path.read_bytes() if path.exists() else None

    def variants(self) -> Iterator[Variant]:
        """The provider's answer in every cut that the client must not notice."""
        if self.answer is None:
            yield whole(b"")
        elif self.answer.suffix == ".hex":
            frames = bytes.fromhex(self.answer.read_text())
            yield from _distinct(binary_stream_variants(frames))
            yield from self._encoded(split_frames(frames))
        elif self.answer.suffix == ".sse":
            yield from _distinct(event_stream_variants(self.answer.read_bytes()))
            yield from self._encoded(split_events(self.answer.read_bytes()))
        else:
            yield whole(self.answer.read_bytes())

    def _encoded(self, pieces: list[bytes]) -> Iterator[Variant]:
        """Compressed streams that the gateway must read; what it passes on untouched is the client's to decode."""
        if self.client != self.upstream and pieces:
            yield from encoded_variants(pieces, thorough=self.folder.name in _ENCODED_IN_ALL_WAYS)

    def _json(self, name: str) -> Any:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            return json.loads(path.read_bytes())
        except ValueError as fault:
            raise BadCase(f"{self.name}: {name}: {fault}") from None


def load_case(folder: Path) -> Case:
    """Raises BadCase."""
    name = f"{folder.parent.name}/{folder.name}"
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
    except (OSError, ValueError) as fault:
        raise BadCase(f"{name}: meta.json: {fault}") from None
    missing = _REQUIRED - meta.keys()
    if missing:
        raise BadCase(f"{name}: meta.json lacks {', '.join(sorted(missing))}")
    members: dict[str, Any] = {
        member: tuple(value) if isinstance(value, list) else value for member, value in meta.items()
    }
    try:
        case = Case(folder=folder, **members)
    except TypeError as fault:
        raise BadCase(f"{name}: meta.json: {fault}") from None
    if case.client not in CLIENTS or case.upstream not in PROVIDER_FORMATS:
        raise BadCase(f"{name}: unknown format {case.client} or {case.upstream}")
    if case.request is None:
        raise BadCase(f"{name}: request.json is missing")
    if (case.response is None) == (case.response_stream is None):
        raise BadCase(f"{name}: there must be either a response.json or a response.sse")
    if case.upstream_request is not None and case.answer is None:
        raise BadCase(f"{name}: upstream_request.json without an upstream_response")
    return case


def load_cases(root: Path = CASES, only: str = "") -> list[Case]:
    """All cases whose `<pair>/<name>` contains `only` or matches it as a pattern (`chat-*/tool*`)."""
    folders = sorted(path.parent for path in root.glob("*/*/meta.json"))
    return [load_case(folder) for folder in folders if _wanted(folder, only)]


def _wanted(folder: Path, only: str) -> bool:
    name = f"{folder.parent.name}/{folder.name}"
    return only in name or Path(name).match(only)


def _distinct(variants: Iterator[Variant]) -> Iterator[Variant]:
    seen = set()
    for variant in variants:
        pieces = tuple(variant.pieces)
        if pieces not in seen:
            seen.add(pieces)
            yield variant
