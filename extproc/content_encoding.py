"""Decoding compressed bodies, incrementally and bounded.

Envoy's decompressor filters end every body with trailers of their own, and ext_proc then waits for an end of stream
that never comes (Envoy 1.40), so what the sidecar must read it decodes itself.
"""

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli
import zstandard

_WINDOW_GZIP_OR_ZLIB = 47  # 15 bits of window, header detected
_STEP = 1024 * 1024
_ZSTD_STEP = 64  # the library bounds its input, not its output; a block of a few bytes can decode to 128 KiB


class DecodingError(ValueError):
    """The body is not what its content-encoding says."""


class TooLarge(DecodingError):
    """The decoded body is larger than the limit."""


class Decoder(Protocol):
    def decode(self, chunk: bytes) -> bytes:
        """Decoded bytes for the next encoded ones. Raises DecodingError."""
        ...

    def flush(self) -> bytes:
        """The rest at the end of the body. Raises DecodingError when the body was cut."""
        ...


class _Counted:
    """Counts what comes out, so that a small body cannot become an endless one."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def _count(self, out: bytes) -> bytes:
        self._left -= len(out)
        if self._left < 0:
            raise TooLarge("the decoded body is larger than the limit")
        return out


class _Zlib(_Counted):
    """gzip, of one member or several in a row, and zlib."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._stream = zlib.decompressobj(_WINDOW_GZIP_OR_ZLIB)

    def decode(self, chunk: bytes) -> bytes:
        pieces = []
        try:
            while chunk:
                if self._stream.eof:
                    self._stream = zlib.decompressobj(_WINDOW_GZIP_OR_ZLIB)
                pieces.append(self._count(self._stream.decompress(chunk, _STEP)))
                chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        except zlib.error as fault:
            raise DecodingError(str(fault)) from None
        return b"".join(pieces)

    def flush(self) -> bytes:
        if not self._stream.eof:
            raise DecodingError("the compressed body was cut")
        return b""


class _Brotli(_Counted):
    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._stream = brotli.Decompressor()

    def decode(self, chunk: bytes) -> bytes:
        pieces = []
        try:
            while True:
                piece = self._count(self._stream.process(chunk, output_buffer_limit=_STEP))
                pieces.append(piece)
                chunk = b""
                # A decompressor takes more input also while it still holds output: only an empty piece means it is dry.
                if self._stream.is_finished() or (not piece and self._stream.can_accept_more_data()):
                    return b"".join(pieces)
        except brotli.error as fault:
            raise DecodingError(str(fault)) from None

    def flush(self) -> bytes:
        if not self._stream.is_finished():
            raise DecodingError("the compressed body was cut")
        return b""


class _Zstd(_Counted):
    """zstd, of one frame or several in a row."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._stream = self._begin()

    @staticmethod
    def _begin() -> "zstandard.ZstdDecompressionObj":
        return zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj(write_size=_STEP)

    def decode(self, chunk: bytes) -> bytes:
        pieces = []
        try:
            for start in range(0, len(chunk), _ZSTD_STEP):
                piece = chunk[start : start + _ZSTD_STEP]
                while piece:
                    if self._stream.eof:
                        self._stream = self._begin()
                    pieces.append(self._count(self._stream.decompress(piece)))
                    piece = self._stream.unused_data if self._stream.eof else b""
        except zstandard.ZstdError as fault:
            raise DecodingError(str(fault)) from None
        return b"".join(pieces)

    def flush(self) -> bytes:
        if not self._stream.eof:
            raise DecodingError("the compressed body was cut")
        return b""


_DECODERS: dict[str, Callable[[int], Decoder]] = {
    "gzip": _Zlib,
    "x-gzip": _Zlib,
    "deflate": _Zlib,
    "br": _Brotli,
    "zstd": _Zstd,
}


def decoder(content_encoding: str, limit: int) -> Decoder | None:
    """A decoder for a content-encoding header, None where nothing is encoded; `limit` bounds the output in bytes.

    Raises DecodingError for an encoding that the gateway does not know, or for several at once.
    """
    name = content_encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in _DECODERS:
        raise DecodingError(f"content-encoding {name[:40]!r} is not supported (gzip, deflate, br and zstd are)")
    return _DECODERS[name](limit)


def decode_body(content_encoding: str, body: bytes, limit: int) -> bytes:
    """A whole body, decoded. Raises DecodingError."""
    stream = decoder(content_encoding, limit)
    return body if stream is None else stream.decode(body) + stream.flush()
