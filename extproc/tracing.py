"""What a span tells of a request beside what Envoy measures, and the way of finished requests to brightstaff.

Only where `tracing` is on. Envoy decides which requests are sampled and has the ids; brightstaff makes the spans and
exports them, so that nothing of it is in a request's path.
"""

import asyncio
import logging
import re
import secrets
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import orjson

from extproc.accounting.observation import Observation
from extproc.captured_answer import CapturedAnswer, captured_answer
from extproc.hpack_path import HeaderValue, MalformedBlock, find_header
from extproc.routing import RoutingClient
from hermesllm.conversation import conversation
from hermesllm.formats import Format
from plano_pb import routing_pb2 as pb
from planoctl.config.headers import AFFINITY
from planoctl.config.runtime import Tracing
from planoctl.config.span_attributes import header_attributes, header_text, is_secret

log = logging.getLogger(__name__)

_SHIP_SECONDS = 0.5
_MOST_WAITING = 16 * 1024 * 1024  # bytes of records; older ones are dropped while brightstaff is away
_MOST_AT_ONCE = 256 * 1024  # bytes of records in one call
_PREVIEW = 50
_LONGEST_VALUE = 256
_MOST_TOOLS = 64
_MOST_TURNS = 64
_PLAIN = {Format.COMPLETIONS: "prompt", Format.EMBEDDINGS: "input"}
_PARAMETERS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens")
_CONTEXT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class SpanSettings:
    """What of a request goes on its span. `capture`: how many bytes of what was asked, and as many of
    what was answered; 0 for nothing.
    """

    prefixes: tuple[str, ...]
    preview: bool
    capture: int
    distinct_header: str = ""

    @classmethod
    def of(cls, tracing: Tracing | None) -> "SpanSettings | None":
        """None where nothing is traced."""
        if tracing is None or not tracing.active:
            return None
        named = (str(entry.get("distinct_id_header") or "").lower() for entry in tracing.exporters)
        return cls(
            prefixes=tuple(prefix.lower() for prefix in tracing.span_attributes.header_prefixes),
            preview=tracing.message_preview,
            capture=tracing.capture_bytes if tracing.capture_content else 0,
            distinct_header=next((name for name in named if name and not is_secret(name)), ""),
        )


class RequestSpan:
    """What is told of one request to whom makes its span; `details` is empty where it is not sampled."""

    def __init__(self, settings: SpanSettings, block: bytes) -> None:
        """`block`: the header block of Envoy's call, in which the trace context is."""
        self.details = ""
        self._settings = settings
        self._context = None
        with suppress(MalformedBlock):
            self._context = find_header(block, "traceparent")
        self._sampled = self._context is not None and _is_sampled(self._context)

    @cached_property
    def _id(self) -> str:
        return secrets.token_hex(8)

    @property
    def traceparent(self) -> str | None:
        """For what is done for the request below its span; None if Envoy does not trace yet."""
        trace, flags = _ids(self._context)
        return f"00-{trace}-{self._id}-{flags}" if trace else None

    @property
    def captures(self) -> bool:
        """Whether it tells what is answered."""
        return self._sampled and self._settings.capture > 0

    def answer(self, shape: Format, headers: Mapping[str, str], request_id: str | None) -> CapturedAnswer | None:
        """Reads along an answer with these headers; None where nothing of it can be told."""
        return captured_answer(shape, self._settings.capture, headers, request_id) if self.captures else None

    def asked(self, shape: Format, headers: Mapping[str, str], document: dict[str, Any] | None = None) -> None:
        """Note what nobody knows any more once the request is over. `document`: its body, as far as it was read."""
        if not self._sampled:
            return
        told = {"span": self._id, "path": headers.get(":path", "").partition("?")[0][:_LONGEST_VALUE]}
        try:
            told |= self._told(shape, headers, document or {})
        except Exception:  # whatever a client sent, no request fails because it is traced
            log.exception("request_id=%s: its span tells less", headers.get("x-request-id"))
        self.details = orjson.dumps(told).decode()

    def _told(self, shape: Format, headers: Mapping[str, str], document: dict[str, Any]) -> dict[str, Any]:
        settings = self._settings
        known: dict[str, Any] = {}
        for name in _PARAMETERS:
            value = document.get(name)
            if type(value) in (int, float):
                known[name] = value
        tools = document.get("tools")
        if isinstance(tools, list):
            known["tools"] = [name for tool in tools[:_MOST_TOOLS] if (name := _tool_name(tool))]
        if session := header_text(headers.get(AFFINITY, "")):
            known["session"] = session
        if settings.prefixes and (attributes := header_attributes(headers, settings.prefixes)):
            known["attributes"] = attributes
        if settings.distinct_header and (distinct := header_text(headers.get(settings.distinct_header, ""))):
            known["distinct_id"] = distinct
        if settings.preview and (preview := _preview(shape, document)):
            known["preview"] = preview
        if settings.capture and (asked := _excerpt(shape, document, settings.capture)):
            known["input"] = asked
        return known


def _is_sampled(context: HeaderValue) -> bool:
    """Envoy sets no other flag, so the end of its header tells."""
    if context.ends_in("-01"):
        return True
    return not context.ends_in("-00") and bool(int(_ids(context)[1], 16) & 1)


def _ids(context: HeaderValue | None) -> tuple[str, str]:
    """Trace id and flags, as Envoy sends them with its call; an empty id and no flag if it does not."""
    with suppress(MalformedBlock):
        match = _CONTEXT.fullmatch(context.text) if context is not None else None
        if match is not None:
            return match[1], match[2]
    return "", "00"


class TracedRequests:
    """Sampled requests on their way to brightstaff. `lost` counts those that did not arrive.

    A batch that was not taken in time is sent again as it is, with its number: it may have arrived all the same.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._process = secrets.randbits(64)
        self._number = 0
        self._unsent: list[bytes] = []
        self._waiting: deque[bytes] = deque()
        self._size = 0

    def observe(self, seen: Observation) -> None:
        if not seen.sampled:
            return
        record = msgspec.json.encode(seen)
        self._waiting.append(record)
        self._size += len(record)
        while self._size > _MOST_WAITING:
            self._take_first()
            self.lost += 1

    async def ship(self, client: RoutingClient) -> None:
        """Send them for as long as the worker lives."""
        while True:
            await asyncio.sleep(_SHIP_SECONDS)
            await self.flush(client)

    async def flush(self, client: RoutingClient) -> None:
        """Send what is waiting; what does not arrive waits on."""
        while self._unsent or self._waiting:
            if not self._unsent:
                self._unsent = self._batch()
                self._number += 1
            batch = pb.Observations(traced=self._unsent, traced_process=self._process, traced_number=self._number)
            if not await client.observe(batch):
                return
            self._unsent = []

    def _batch(self) -> list[bytes]:
        """Takes the oldest that wait."""
        batch = [self._take_first()]
        size = len(batch[0])
        while self._waiting and size + len(self._waiting[0]) <= _MOST_AT_ONCE:
            batch.append(self._take_first())
            size += len(batch[-1])
        return batch

    def _take_first(self) -> bytes:
        record = self._waiting.popleft()
        self._size -= len(record)
        return record


def _tool_name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return ""
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name") or tool.get("type")
    return name[:_LONGEST_VALUE] if isinstance(name, str) else ""


def _said(shape: Format, document: dict[str, Any], turns: int) -> list[tuple[str, str]]:
    """The newest texts by role, oldest first."""
    if shape not in _PLAIN:
        return conversation(shape, document, turns)
    given = document.get(_PLAIN[shape])
    texts = given if isinstance(given, list) else [given]
    return [("user", text) for text in texts[-turns:] if isinstance(text, str) and text]


def _preview(shape: Format, document: dict[str, Any]) -> str:
    """The beginning of what the user said last."""
    text = next((text for role, text in reversed(_said(shape, document, 1)) if role == "user"), "")
    return text[:_PREVIEW] + "..." if len(text) > _PREVIEW else text


def _excerpt(shape: Format, document: dict[str, Any], limit: int) -> str:
    """The newest of what was said, in at most `limit` bytes of JSON: messages of the GenAI semantic conventions."""
    kept: list[bytes] = []
    left = limit - len(b"[]")
    for role, text in reversed(_said(shape, document, _MOST_TURNS)):
        message = _message(role, text[:left])
        if len(message) > left:
            cut = text[:left].encode()[: max(0, left - (len(message) - len(text[:left].encode())))]
            message = _message(role, cut.decode(errors="ignore"))
        if len(message) > left:
            break
        kept.append(message)
        left -= len(message) + len(b",")
        if left <= 0:
            break
    return (b"[" + b",".join(reversed(kept)) + b"]").decode() if kept else ""


def _message(role: str, text: str) -> bytes:
    return orjson.dumps({"role": role, "parts": [{"type": "text", "content": text}]})
