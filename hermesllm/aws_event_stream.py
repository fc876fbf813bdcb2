"""The binary framing of AWS event streams: bytes in, frames out, however the bytes are cut; and frames to bytes.

Follows the event stream encoding of the Smithy specification (`application/vnd.amazon.eventstream`). Hot path of every
Bedrock stream; `tests/bench/translate.py` measures it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

FRAME_LIMIT = 16 * 1024 * 1024

HeaderValue = bool | int | bytes | str | datetime | UUID

_PRELUDE = Struct("!III")  # length of the frame, length of its headers, CRC32 of these two
_CRC = Struct("!I")
_LENGTH = Struct("!H")
_INTEGERS = {2: Struct("!b"), 3: Struct("!h"), 4: Struct("!i"), 5: Struct("!q")}
_TRUE, _FALSE, _INT64, _BYTES, _STRING, _TIMESTAMP, _UUID = 0, 1, 5, 6, 7, 8, 9
_LEAST = _PRELUDE.size + _CRC.size
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED = 64  # distinct header sections a decoder keeps: streams repeat a handful of them
_SHORT = 512  # bytes of a section worth keeping


class Frame(NamedTuple):
    """One message of the stream. Header names are as sent, `:event-type` for one."""

    headers: Mapping[str, HeaderValue]
    payload: bytes

    def text(self, header: str) -> str:
        """A header's text; empty where it is absent or something else."""
        value = self.headers.get(header)
        return value if isinstance(value, str) else ""


class InvalidFrame(ValueError):
    """Bytes that are no event stream, or stop inside a frame. `frames` came before them in the same chunk."""

    def __init__(self, problem: str, frames: list[Frame] | None = None) -> None:
        super().__init__(problem)
        self.frames = frames or []


class EventStreamDecoder:
    """Incremental decoder. It holds at most one unfinished frame of `limit` bytes. After an error it is of no use."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()
        self._wanted = _PRELUDE.size  # bytes that must be there before it is worth looking again
        self._headers: dict[bytes, Mapping[str, HeaderValue]] = {}

    def decode(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes. Raises InvalidFrame."""
        held = self._held
        held += chunk
        frames: list[Frame] = []
        start = 0
        try:
            while len(held) - start >= self._wanted:
                length, header_length = self._prelude(start)
                self._wanted = length
                if len(held) - start < length:
                    break
                frames.append(self._frame(bytes(held[start : start + length]), header_length))
                start += length
                self._wanted = _PRELUDE.size
        except InvalidFrame as fault:
            held.clear()
            raise InvalidFrame(str(fault), frames) from None
        if start:
            del held[:start]
        return frames

    def flush(self) -> None:
        """The end of the bytes. Raises InvalidFrame where they stop inside a frame."""
        if self._held:
            self._held.clear()
            raise InvalidFrame("the event stream ends inside a frame")

    def _prelude(self, start: int) -> tuple[int, int]:
        length, header_length, checksum = _PRELUDE.unpack_from(self._held, start)
        if crc32(self._held[start : start + 8]) != checksum:
            raise InvalidFrame("the checksum of a frame's prelude is wrong")
        if length > self._limit:
            raise InvalidFrame(f"a frame is larger than {self._limit} bytes")
        if length < _LEAST + header_length:
            raise InvalidFrame("the lengths in a frame's prelude contradict each other")
        return length, header_length

    def _frame(self, frame: bytes, header_length: int) -> Frame:
        if crc32(frame[:-4]) != _CRC.unpack_from(frame, len(frame) - 4)[0]:
            raise InvalidFrame("the checksum of a frame is wrong")
        payload = _PRELUDE.size + header_length
        section = frame[_PRELUDE.size : payload]
        headers = self._headers.get(section)
        if headers is None:
            headers = _read_headers(section)
            if len(section) < _SHORT and len(self._headers) < _REMEMBERED:
                self._headers[section] = headers
        return Frame(headers, frame[payload:-4])


def _read_headers(section: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(section):
            name, at = _cut(section, at + 1, section[at])
            kind = section[at]
            value, at = _read_value(section, at + 1, kind)
            headers[name.decode()] = value
    except (IndexError, UnicodeDecodeError, OverflowError, ValueError):
        raise InvalidFrame("a frame's headers cannot be read") from None
    return headers


def _read_value(section: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    """The value of type `kind` at `at`, and where the next header starts. Raises IndexError and ValueError."""
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in _INTEGERS:
        raw, end = _cut(section, at, _INTEGERS[kind].size)
        number: int = _INTEGERS[kind].unpack(raw)[0]
        return number, end
    if kind in (_BYTES, _STRING):
        raw, at = _cut(section, at, _LENGTH.size)
        raw, end = _cut(section, at, _LENGTH.unpack(raw)[0])
        return (raw if kind == _BYTES else raw.decode()), end
    if kind == _TIMESTAMP:
        raw, end = _cut(section, at, 8)
        return _EPOCH + timedelta(milliseconds=_INTEGERS[_INT64].unpack(raw)[0]), end
    if kind == _UUID:
        raw, end = _cut(section, at, 16)
        return UUID(bytes=raw), end
    raise ValueError(f"unknown header type {kind}")


def _cut(section: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(section):
        raise IndexError
    return section[at : at + length], at + length


def encode_frame(headers: Mapping[str, HeaderValue], payload: bytes = b"") -> bytes:
    """One frame. Integers go out as 64 bits. Raises ValueError for a name or value that does not fit its length."""
    section = b"".join(_header(name, value) for name, value in headers.items())
    length = _PRELUDE.size + len(section) + len(payload) + _CRC.size
    head = _PRELUDE.pack(length, len(section), 0)[:8]
    message = b"".join((head, _CRC.pack(crc32(head)), section, payload))
    return message + _CRC.pack(crc32(message))


def encode_event(event_type: str, payload: bytes) -> bytes:
    """A frame as AWS services send one JSON event."""
    headers = {":event-type": event_type, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, payload)


def encode_exception(exception_type: str, payload: bytes) -> bytes:
    """A frame as AWS services send a modelled exception in the middle of a stream."""
    headers = {":exception-type": exception_type, ":content-type": "application/json", ":message-type": "exception"}
    return encode_frame(headers, payload)


def _header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) < 256:
        raise ValueError("a header name is 1 to 255 bytes long")
    return b"%c%s%s" % (len(raw), raw, _value(value))


def _value(value: HeaderValue) -> bytes:
    if isinstance(value, bool):
        return b"%c" % (_TRUE if value else _FALSE)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("a header's integer has at most 64 bits")
        return b"%c%s" % (_INT64, _INTEGERS[_INT64].pack(value))
    if isinstance(value, datetime):
        return b"%c%s" % (_TIMESTAMP, _INTEGERS[_INT64].pack(round((value - _EPOCH) / timedelta(milliseconds=1))))
    if isinstance(value, UUID):
        return b"%c%s" % (_UUID, value.bytes)
    kind, raw = (_STRING, value.encode()) if isinstance(value, str) else (_BYTES, value)
    if len(raw) >= 2**15:
        raise ValueError("a header's value is at most 32767 bytes long")
    return b"%c%s%s" % (kind, _LENGTH.pack(len(raw)), raw)
