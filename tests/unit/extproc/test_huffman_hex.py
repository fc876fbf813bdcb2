from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given
from hypothesis import strategies as st

from extproc.huffman_hex import decode_hex, ends_in

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@given(st.text("0123456789abcdef-", max_size=80))
def test_digits_and_dashes_are_read(text: str) -> None:
    assert decode_hex(ENCODER.encode(text.encode())) == text


@given(st.binary(max_size=60))
def test_other_text_is_left_to_others(text: bytes) -> None:
    if not set(text) <= set(b"0123456789abcdef-"):
        assert decode_hex(ENCODER.encode(text)) is None


@given(st.binary(max_size=60))
def test_whatever_is_read_is_what_hpack_reads(data: bytes) -> None:
    found = decode_hex(data)
    if found is not None:
        assert decode_huffman(data) in (found.encode(), None if not found else b"")


@given(st.text("0123456789abcdef", min_size=4, max_size=60), st.sampled_from(["-00", "-01"]))
def test_an_end_is_seen_without_reading_the_rest(text: str, end: str) -> None:
    coded = ENCODER.encode(f"{text}{end}".encode())
    assert [ending for ending in ("-00", "-01") if ends_in(coded, ending)] == [end]
