"""Finding headers in an HPACK header block (RFC 7541): `:path`, and where requests are traced `traceparent`.

The server announces a dynamic table of size 0, so every block can be read on its own.
"""

from collections.abc import Iterator
from functools import lru_cache

from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman

from extproc.huffman_hex import decode_hex, ends_in

_LITERALS = frozenset(b"\x00\x10\x40")  # fields whose name follows: not indexed, never indexed, indexed
_PATH_INDEXES = (4, 5)  # `:path: /` and `:path: /index.html` of the static table


class MalformedBlock(ValueError):
    """The header block is not HPACK."""


def find_path(block: bytes) -> str | None:
    """The value of `:path`, None where the block has none. Raises MalformedBlock."""
    for index, name, value in _fields(block):
        if index in _PATH_INDEXES or _text(name) == ":path":
            return _text(value)
    return None


def find_header(block: bytes, wanted: str) -> "HeaderValue | None":
    """A header that is not in the static table. Raises MalformedBlock."""
    for mark in _marks(wanted):
        at = block.find(mark)
        if at > 0 and block[at - 1] in _LITERALS:  # reading all the headers before it takes longer than the rest
            return HeaderValue(_string(block, at + len(mark))[0])
    for index, name, value in _fields(block):
        if index == 0 and _text(name) == wanted:
            return HeaderValue(value)
    return None


class HeaderValue:
    """A value that is decoded when it is wanted."""

    __slots__ = ("_string",)

    def __init__(self, string: bytes) -> None:
        """`string`: a byte that tells in its first bit whether it is Huffman-coded, and the string."""
        self._string = string

    @property
    def text(self) -> str:
        """Raises MalformedBlock."""
        return _decoded(self._string)

    def ends_in(self, ending: str) -> bool:
        """Whether a text that ends in `-00` or `-01` ends so. Does not decode it."""
        coded = self._string[:1] >= b"\x80"
        return ends_in(self._string[1:], ending) if coded else self._string.endswith(ending.encode())


@lru_cache(maxsize=8)
def _marks(name: str) -> tuple[bytes, bytes]:
    """How a name is written, with its length: Huffman-coded, and as it is."""
    coded = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(name.encode())
    return bytes((0x80 | len(coded),)) + coded, bytes((len(name),)) + name.encode()


def _fields(block: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Index of the name in the static table, or 0 and the name, and the value; strings still as they came."""
    position = 0
    while position < len(block):
        first = block[position]
        if first & 0x80:  # indexed field: name and value from the static table, which has no gRPC path
            _, position = _integer(block, position, 0x7F)
        elif first & 0xE0 == 0x20:  # dynamic table size update
            _, position = _integer(block, position, 0x1F)
        else:
            index, position = _integer(block, position, 0x3F if first & 0x40 else 0x0F)
            name = b""
            if index == 0:
                name, position = _string(block, position)
            value, position = _string(block, position)
            yield index, name, value


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """An integer with a prefix of `mask` bits (section 5.1), and the position behind it."""
    try:
        value = block[position] & mask
        position += 1
        if value < mask:
            return value, position
        for shift in range(0, 28, 7):
            byte = block[position]
            position += 1
            value += (byte & 0x7F) << shift
            if not byte & 0x80:
                return value, position
    except IndexError:
        raise MalformedBlock("an integer is cut") from None
    raise MalformedBlock("an integer is too large")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """A string (section 5.2), still as it came: its first byte tells whether it is Huffman-coded."""
    start = position
    length, position = _integer(block, position, 0x7F)
    end = position + length
    if end > len(block):
        raise MalformedBlock("a string is cut")
    return block[start : start + 1] + block[position:end], end


def _decoded(string: bytes) -> str:
    if not string:
        return ""
    if string[0] & 0x80 and (text := decode_hex(string[1:])) is not None:
        return text
    try:
        raw = decode_huffman(string[1:]) if string[0] & 0x80 else string[1:]
    except HPACKDecodingError as fault:
        raise MalformedBlock(str(fault)) from None
    return bytes(raw or b"").decode("ascii", "replace")


_text = lru_cache(maxsize=64)(_decoded)
