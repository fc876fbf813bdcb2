"""Compressed streams: some providers, and proxies in front of them, compress whatever the gateway asked for."""

import zlib
from collections.abc import Callable, Iterator

from tests.conformance.cutting import Variant

_GZIP = 31  # zlib's window bits for a gzip header


def encoded_variants(pieces: list[bytes], *, thorough: bool) -> Iterator[Variant]:
    """A stream compressed piece by piece, as a provider does that flushes after each event.

    `thorough` adds cuts that ignore the events, and the encodings whose libraries are installed.
    """
    whole = _gzip(pieces)
    yield Variant("gzip", whole, "gzip")
    if not thorough:
        return
    stream = b"".join(whole)
    yield Variant("gzip, 7 bytes", [stream[at : at + 7] for at in range(0, len(stream), 7)], "gzip")
    for encoding, encode in _OTHERS.items():
        try:
            yield Variant(encoding, encode(pieces), encoding)
        except ImportError:
            continue  # the kit needs nothing but Python


def _gzip(pieces: list[bytes]) -> list[bytes]:
    made = zlib.compressobj(wbits=_GZIP)
    return [*(made.compress(piece) + made.flush(zlib.Z_SYNC_FLUSH) for piece in pieces), made.flush()]


def _brotli(pieces: list[bytes]) -> list[bytes]:
    import brotli

    made = brotli.Compressor()
    return [*(made.process(piece) + made.flush() for piece in pieces), made.finish()]


def _zstd(pieces: list[bytes]) -> list[bytes]:
    import zstandard

    made = zstandard.ZstdCompressor().compressobj()
    flushed = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return [*(made.compress(piece) + made.flush(flushed) for piece in pieces), made.flush()]


_OTHERS: dict[str, Callable[[list[bytes]], list[bytes]]] = {"br": _brotli, "zstd": _zstd}
