"""Compares texts by the words they share, weighted by how rare these are; needs nothing but the standard library."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from brightstaff.embedded.space import Index, Weights
from brightstaff.embedded.text import content_words
from brightstaff.embedded.topics import all_topics

# A word loses the longest of these that leaves a stem of at least so many letters.
_SHORTEST_STEM_BEFORE = {
    **dict.fromkeys(("ization", "isation", "ations", "ation", "ments", "ment", "ings", "ing", "ers", "ly"), 4),
    **dict.fromkeys(("ions", "ion"), 6),
    **dict.fromkeys(("er", "ed", "es", "s", "e", "y"), 3),
}
_SHORTEST_CORRECTED = 5
_ALIKE = 0.66  # share of letter pairs from which an unknown word is taken for a misspelt one
_MISSPELT = 0.7  # what such a word counts


class WordSpace:
    """Similarity = summed rarity of the shared words, over the root of the number of words asked for."""

    name = "words"
    weights = Weights(direct=5.5, topical=3.1, bias=-2.0, elsewhere=3.0, chatter=3.4)
    unrelated = 0.3
    related = 1.2

    def index(self, texts: Sequence[str]) -> Index:
        return _WordIndex(texts)


class _WordIndex:
    def __init__(self, texts: Sequence[str]) -> None:
        self._size = len(texts)
        self._places: dict[str, list[int]] = {}
        for place, text in enumerate(texts):
            for stem in _stems(text):
                self._places.setdefault(stem, []).append(place)

    def similarities(self, text: str) -> list[float]:
        found = [0.0] * self._size
        stems = _stems(text)
        for stem in stems:
            known, certainty = (stem, 1.0) if stem in self._places else _corrected(stem)
            for place in self._places.get(known, ()):
                found[place] += certainty * _rarity(known)
        norm = math.sqrt(max(2, len(stems)))
        return [value / norm for value in found]


def _stems(text: str) -> set[str]:
    return {_stem(word.partition("'")[0]) for word in content_words(text.lower())}


def _stem(word: str) -> str:
    for suffix, shortest in _SHORTEST_STEM_BEFORE.items():
        if word.endswith(suffix) and len(word) - len(suffix) >= shortest:
            return word[: -len(suffix)]
    return word


@cache
def _topics_by_stem() -> Counter[str]:
    return Counter(stem for topic in all_topics() for stem in _stems(topic.text))


def _rarity(stem: str) -> float:
    """1 for a word of at most one topic, less the more topics share it."""
    topics = len(all_topics())
    return math.log(1 + topics / max(1, _topics_by_stem()[stem])) / math.log(1 + topics)


@cache
def _pairs_by_initial() -> dict[str, list[tuple[str, frozenset[str]]]]:
    table: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for stem in _topics_by_stem():
        if len(stem) >= _SHORTEST_CORRECTED - 1:
            table.setdefault(stem[0], []).append((stem, _letter_pairs(stem)))
    return table


@lru_cache(maxsize=4096)
def _corrected(stem: str) -> tuple[str, float]:
    """The known word that an unknown one was probably meant to be, and what it then counts."""
    if len(stem) < _SHORTEST_CORRECTED or stem in _topics_by_stem():
        return stem, 1.0
    pairs = _letter_pairs(stem)
    candidates = _pairs_by_initial().get(stem[0], ())
    likeness, known = max(((_dice(pairs, other), word) for word, other in candidates), default=(0.0, stem))
    return (known, _MISSPELT) if likeness >= _ALIKE else (stem, 1.0)


def _letter_pairs(word: str) -> frozenset[str]:
    return frozenset(_adjacent(f"^{word}$"))


def _adjacent(word: str) -> Iterable[str]:
    return (word[i : i + 2] for i in range(len(word) - 1))


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))
