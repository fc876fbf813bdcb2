"""Counting tokens with the vocabularies of OpenAI, which the `bpe-openai` package embeds: nothing is downloaded.

For models of others the count is an estimate, usually within a tenth for text.
"""

from functools import cache
from itertools import pairwise
from typing import Any

O200K = "o200k_base"
CL100K = "cl100k_base"

_PIECE = 32 * 1024  # characters: the library refuses texts beyond about a million
_SAMPLES = 4
_SAMPLE = 12 * 1024  # characters
_BYTES_PER_TOKEN = 4


def vocabulary(model: str) -> str:
    """The vocabulary of a bare model id: only the first GPT-4 models have the older one (spec 05 §8.2)."""
    older = model == "gpt-4" or model.startswith(("gpt-4-", "gpt-4:"))
    return CL100K if older else O200K


def load_vocabulary(name: str) -> None:
    """Load it now, so that the first count need not: it takes half a second."""
    _encoding(name)


def count_tokens(text: str, name: str = O200K) -> int:
    """The tokens of a text, for about 40 ns a character. Long ones are counted in pieces: a cut may add a token."""
    encoding = _encoding(name)
    if encoding is None:
        return -(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN)
    if len(text) <= _PIECE:
        return len(encoding.encode_ordinary(text)) if text else 0
    cuts = [*range(0, len(text), _PIECE), len(text)]
    return sum(len(encoding.encode_ordinary(text[start:end])) for start, end in pairwise(cuts))


def estimate_tokens(text: str, name: str = O200K) -> int:
    """As `count_tokens`, in a few milliseconds at most: long texts are counted at four places, spread over them.

    The library does not let other threads run while it counts, so a long count would hold up every other request.
    """
    if len(text) <= _SAMPLES * _SAMPLE:
        return count_tokens(text, name)
    step = (len(text) - _SAMPLE) // (_SAMPLES - 1)
    sample = sum(count_tokens(text[start : start + _SAMPLE], name) for start in range(0, step * _SAMPLES, step))
    return -(-sample * len(text) // (_SAMPLES * _SAMPLE))


@cache
def _encoding(name: str) -> Any:
    """60 MB of tables: only a process that counts pays for them. None where they cannot be loaded."""
    try:
        from bpe_openai import get_encoding

        return get_encoding(name)
    except ImportError:
        return None
