"""Huffman-coded strings of hexadecimal digits and dashes, as in `traceparent`: read a byte at a time, by a table.

Performance-sensitive: once for each request of a gateway that traces, whether it is sampled or not.
"""

from functools import cache

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_ALPHABET = "0123456789abcdef-"
_PADDING = 7  # bits at most, all ones

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
