"""Huffman-coded strings of hexadecimal digits and dashes, as in `traceparent`: read a byte at a time, by a table.

Performance-sensitive: once for each request of a gateway that traces, whether it is sampled or not.
"""

from functools import cache

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_ALPHABET = "0123456789abcdef-"
_PADDING = 7  # bits at most, all ones

_TAIL_BYTES = 6  # of an ending of up to six letters and its padding

_Row = tuple[tuple[str, str], ...]


def decode_hex(data: bytes) -> str | None:
    """The string, or None if it has other characters, or is not Huffman code."""
    table = _table()
    bits = ""
    found = []
    for byte in data:
        row = table.get(bits)
        if row is None:
            return None
        text, bits = row[byte]
        found.append(text)
    return "".join(found) if len(bits) <= _PADDING and "0" not in bits else None


def ends_in(data: bytes, ending: str) -> bool:
    """Whether a string that ends in `-00` or `-01` ends so.

    Reads only its end, which takes a tenth of the time of reading it all. Of other strings it says nothing sure: where
    a letter begins shows only to who reads from the front.
    """
    code, size, ones = _code(ending)
    tail = int.from_bytes(data[-_TAIL_BYTES:])
    padding = (~tail & (tail + 1)).bit_length() - 1 - ones
    return 0 <= padding <= _PADDING and (tail >> padding) & ((1 << size) - 1) == code


@cache
def _code(text: str) -> tuple[int, int, int]:
    """A short text's code, its length in bits, and in how many ones it ends."""
    bits = "".join(format(REQUEST_CODES[letter], f"0{REQUEST_CODES_LENGTH[letter]}b") for letter in text.encode())
    return int(bits, 2), len(bits), len(bits) - len(bits.rstrip("1"))


@cache
def _table() -> dict[str, _Row]:
    """By bits left of the last byte: for every next byte the characters that end in it, and the bits that are left."""
    codes = {format(REQUEST_CODES[ord(each)], f"0{REQUEST_CODES_LENGTH[ord(each)]}b"): each for each in _ALPHABET}
    beginnings = {code[:length] for code in codes for length in range(len(code))}
    lengths = sorted({len(code) for code in codes})
    return {start: tuple(_read(start + f"{byte:08b}", codes, lengths) for byte in range(256)) for start in beginnings}


def _read(bits: str, codes: dict[str, str], lengths: list[int]) -> tuple[str, str]:
    text = ""
    while code := next((bits[:length] for length in lengths if bits[:length] in codes), None):
        text += codes[code]
        bits = bits[len(code) :]
    return text, bits
