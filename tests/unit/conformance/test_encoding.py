"""Compressed variants say the same as the stream they were made of, and tell their encoding."""

from hypothesis import given
from hypothesis import strategies as st

from extproc.content_encoding import decoder
from tests.conformance.case import load_cases
from tests.conformance.encoding import encoded_variants


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5))
def test_what_is_decoded_is_what_was_encoded(pieces: list[bytes]) -> None:
    found = list(encoded_variants(pieces, thorough=True))
    assert [variant.encoding for variant in found] == ["gzip", "gzip", "br", "zstd"]
    for variant in found:
        reader = decoder(variant.encoding, 1 << 20)
        assert reader is not None
        assert b"".join([*map(reader.decode, variant.pieces), reader.flush()]) == b"".join(pieces)


def test_each_event_can_be_read_when_its_piece_has_come() -> None:
    pieces = [b"data: one\n\n", b"data: two\n\n"]
    for variant in encoded_variants(pieces, thorough=True):
        if variant.name != "gzip, 7 bytes":
            reader = decoder(variant.encoding, 1 << 20)
            assert reader is not None
            assert [reader.decode(piece) for piece in variant.pieces[:2]] == pieces


def test_streams_that_are_translated_are_sent_compressed_and_others_not() -> None:
    for case in load_cases():
        encodings = [variant.encoding for variant in case.variants() if variant.encoding]
        streamed = case.answer is not None and case.answer.suffix in (".sse", ".hex") and case.answer.stat().st_size > 0
        assert bool(encodings) is (streamed and case.client != case.upstream), case.name


def test_some_case_of_both_kinds_of_stream_is_compressed_in_every_way() -> None:
    found = {
        case.answer.suffix
        for case in load_cases()
        if case.answer is not None and {variant.encoding for variant in case.variants()} >= {"gzip", "br", "zstd"}
    }
    assert found == {".sse", ".hex"}
