import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from extproc.content_encoding import DecodingError, TooLarge, decode_body, decoder

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
ENCODINGS = pytest.mark.parametrize("encoding", list(ENCODERS))
MIB = 1024 * 1024


@ENCODINGS
@given(body=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_a_body_is_the_same_however_its_bytes_arrive(encoding: str, body: bytes, cuts: list[int]) -> None:
    encoded = ENCODERS[encoding](body)
    places = [0, *sorted(cuts), len(encoded)]
    stream = decoder(encoding, MIB)
    assert stream is not None
    pieces = [stream.decode(encoded[start:end]) for start, end in pairwise(places)]
    assert b"".join(pieces) + stream.flush() == body


@ENCODINGS
def test_each_byte_may_come_alone(encoding: str) -> None:
    encoded = ENCODERS[encoding](b"hello" * 1000)
    stream = decoder(encoding, MIB)
    assert stream is not None
    assert b"".join(stream.decode(bytes([byte])) for byte in encoded) + stream.flush() == b"hello" * 1000


@ENCODINGS
def test_a_small_body_that_would_become_a_huge_one_is_refused_before_it_does(encoding: str) -> None:
    bomb = ENCODERS[encoding](bytes(64 * MIB))
    with pytest.raises(TooLarge):
        decode_body(encoding, bomb, 8 * MIB)


@ENCODINGS
def test_a_cut_body_is_an_error(encoding: str) -> None:
    with pytest.raises(DecodingError):
        decode_body(encoding, ENCODERS[encoding](b"hello" * 1000)[:-6], MIB)


@ENCODINGS
@given(garbage=st.binary(min_size=1, max_size=200))
def test_garbage_is_an_error_or_nothing_but_never_another_exception(encoding: str, garbage: bytes) -> None:
    with suppress(DecodingError):
        decode_body(encoding, garbage, MIB)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_what_is_not_encoded_passes(encoding: str) -> None:
    assert decode_body(encoding, b"as it is", 1) == b"as it is"


@pytest.mark.parametrize("encoding", ["compress", "gzip, br", "nonsense"])
def test_an_unknown_encoding_is_named(encoding: str) -> None:
    with pytest.raises(DecodingError, match=encoding):
        decode_body(encoding, b"x", MIB)


@ENCODINGS
def test_a_body_that_decodes_to_several_mebibytes_is_whole(encoding: str) -> None:
    body = bytes(range(256)) * 20_000
    assert decode_body(encoding, ENCODERS[encoding](body), 8 * MIB) == body


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_in_a_row_are_one_body(encoding: str) -> None:
    encoded = ENCODERS[encoding](b"one " * 1000) + ENCODERS[encoding](b"two")
    assert decode_body(encoding, encoded, MIB) == b"one " * 1000 + b"two"


@ENCODINGS
def test_garbage_behind_a_body_is_an_error_and_ends(encoding: str) -> None:
    with suppress(DecodingError):  # brotli's decoder leaves out what follows its end
        assert decode_body(encoding, ENCODERS[encoding](b"a" * 2 * MIB) + b"junk", 8 * MIB) == b"a" * 2 * MIB
