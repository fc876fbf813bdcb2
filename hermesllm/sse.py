"""Server-sent events, as the WHATWG HTML standard defines them: bytes in, events out, however the bytes are cut.

Hot path of every translated stream; `tests/bench/translate.py` measures it.
"""

from typing import NamedTuple

EVENT_LIMIT = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. `name` is its `event` field, empty when absent; `data` its joined `data` lines, still undecoded.

    `id` and `retry` are for reconnecting clients and mean nothing to a translator: they are read over.
    """

    name: bytes
    data: bytes


class EventTooLarge(ValueError):
    """An event grew past the limit. `events` came before it in the same chunk."""

    def __init__(self, limit: int, events: list[Event]) -> None:
        super().__init__(f"a stream event is larger than {limit} bytes")
        self.events = events


class SSEDecoder:
    """Incremental decoder. It holds at most one unfinished event of `limit` bytes."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._start: bytes | None = b""  # bytes that may still become a byte order mark; None once that is settled
        self._after_cr = False
        self._held: list[bytes] = []
        self._held_size = 0

    def decode(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises EventTooLarge."""
        if self._start is not None:
            chunk = self._without_bom(chunk)
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        if not chunk:
            return []
        if self._held:
            if b"\n\n" not in chunk and not (chunk[0] == 10 and self._held[-1][-1] == 10):
                self._hold(chunk, [])
                return []
            self._held.append(chunk)
            chunk = b"".join(self._held)
            self._held.clear()
            self._held_size = 0
        return self._split(chunk)

    def flush(self) -> list[Event]:
        """The event a provider left without its blank line at the end of the stream."""
        rest = b"".join(self._held) or self._start or b""
        self._held.clear()
        self._held_size = 0
        self._start = None
        event = _parse(rest)
        return [event] if event else []

    def _split(self, chunk: bytes) -> list[Event]:
        end = chunk.rfind(b"\n\n")
        if end < 0:
            self._hold(chunk, [])
            return []
        events: list[Event] = []
        may_be_too_large = end > self._limit
        for block in chunk[:end].split(b"\n\n"):
            if may_be_too_large and len(block) > self._limit:
                raise EventTooLarge(self._limit, events)
            event = _parse(block)
            if event is not None:
                events.append(event)
        if end + 2 < len(chunk):
            self._hold(chunk[end + 2 :], events)
        return events

    def _hold(self, rest: bytes, events: list[Event]) -> None:
        self._held.append(rest)
        self._held_size += len(rest)
        if self._held_size > self._limit:
            self._held.clear()
            self._held_size = 0
            raise EventTooLarge(self._limit, events)

    def _without_bom(self, chunk: bytes) -> bytes:
        start = (self._start or b"") + chunk
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """CRLF and CR become LF; a pair that is cut in the middle still counts once."""
        if not chunk:
            return chunk
        ends_with_cr = chunk[-1] == 13
        if self._after_cr and chunk[0] == 10:
            chunk = chunk[1:]
        self._after_cr = ends_with_cr
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _parse(block: bytes) -> Event | None:
    """The event of the lines between two blank lines. The two shapes that nearly every event has come first."""
    first = block.find(b"\n")
    if first < 0:
        if len(block) > 6 and block.startswith(b"data: "):
            return Event(b"", block[6:])
    elif block.startswith(b"event: ") and block.startswith(b"data: ", first + 1) and block.find(b"\n", first + 1) < 0:
        return Event(block[7:first], block[first + 7 :])
    name = b""
    data = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    if not data and block.lstrip()[:1] in (b"{", b"["):
        return Event(name, block)  # bare JSON: how Gemini, for one, ends a stream with an error
    # An event without data is not dispatched by browsers; here its name may be all a sloppy server sends.
    return Event(name, b"\n".join(data)) if name or any(data) else None
