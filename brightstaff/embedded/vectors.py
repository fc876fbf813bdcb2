"""Compares texts by static word vectors, and a little by the words they share.

The vectors are those that the `wordllama` package ships. They are read without importing it: its own loader looks for
the shipped tokenizer in a folder of another name, and so would download one.
"""

import importlib.util
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from brightstaff.embedded.lexical import WordSpace
from brightstaff.embedded.space import Index, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_VECTORS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"
_SHARED_WORDS = 0.2  # what the similarity of words counts beside the cosine
_FIRST_WORD_TOKEN = 259  # those before are single bytes and control tokens: they mean nothing


class VectorsUnavailable(Exception):
    """The vectors are not installed, or not in the form this module reads."""


class VectorSpace:
    """Similarity = cosine of the mean vectors of the texts' tokens (a text without known tokens is near nothing),
    plus a share of the similarity of WordSpace: a rare word that both have weighs little in a mean."""

    name = "vectors"
    weights = Weights(direct=13.7, topical=5.6, bias=1.3, elsewhere=3.1, chatter=3.0)
    unrelated = 0.3
    related = 0.6

    def __init__(self, vectors: "NDArray[np.float16]", tokenizer: "Tokenizer") -> None:
        self._vectors = vectors
        self._tokenizer = tokenizer
        self._space = tokenizer.token_to_id("▁")

    @classmethod
    def load(cls) -> "VectorSpace":
        """Maps the vectors into memory. Raises VectorsUnavailable."""
        package = importlib.util.find_spec("wordllama")
        if package is None or not package.submodule_search_locations:
            raise VectorsUnavailable("the package wordllama is not installed")
        folder = Path(package.submodule_search_locations[0])
        try:
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
            return cls(_mapped(folder / _VECTORS), tokenizer)
        except Exception as error:  # the tokenizer raises nothing narrower
            raise VectorsUnavailable(f"the vectors in {folder} cannot be read: {error}") from error

    def index(self, texts: Sequence[str]) -> Index:
        import numpy as np

        return _VectorIndex(self, np.stack([self.embed(text) for text in texts]), WordSpace().index(texts))

    def embed(self, text: str) -> "NDArray[np.float32]":
        """A unit vector, or zeros for a text without known tokens."""
        import numpy as np

        ids = self._tokenizer.encode(text.encode(errors="replace").decode().lower(), add_special_tokens=False).ids
        known = [token for token in ids if _FIRST_WORD_TOKEN <= token < len(self._vectors) and token != self._space]
        if not known:
            return np.zeros(self._vectors.shape[1], np.float32)
        mean: NDArray[np.float32] = self._vectors[known].astype(np.float32).mean(axis=0)
        length = np.float32(np.linalg.norm(mean))
        return mean / length if length else mean


class _VectorIndex:
    def __init__(self, space: VectorSpace, matrix: "NDArray[np.float32]", words: Index) -> None:
        self._space = space
        self._matrix = matrix
        self._words = words

    def similarities(self, text: str) -> list[float]:
        cosines: list[float] = (self._matrix @ self._space.embed(text)).tolist()
        shared = self._words.similarities(text)
        return [cosine + _SHARED_WORDS * common for cosine, common in zip(cosines, shared, strict=True)]


def _mapped(path: Path) -> "NDArray[np.float16]":
    """The one matrix of a safetensors file: an 8-byte length, a JSON header of that length, then the numbers."""
    import numpy as np

    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        entry = orjson.loads(file.read(length))[_TENSOR]
    if entry["dtype"] != "F16":
        raise ValueError(f"{path.name} holds {entry['dtype']} numbers")
    start = 8 + length + entry["data_offsets"][0]
    return np.memmap(path, dtype="<f2", mode="r", offset=start, shape=tuple(entry["shape"]))
