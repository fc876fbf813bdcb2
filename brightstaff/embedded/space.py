"""What a way of comparing texts offers the router: static vectors, or words where those are not installed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each kind of evidence counts; fitted on the calibration part of `tests/data/routing`.

    A preference's evidence is `direct` and `topical`; that of none of them is `bias`, `elsewhere` and `chatter`.
    """

    direct: float
    topical: float
    bias: float
    elsewhere: float
    chatter: float


class Index(Protocol):
    """Texts prepared for comparison."""

    def similarities(self, text: str) -> Sequence[float]:
        """How near `text` is to each of them: zero or below is unrelated."""
        ...


class Space(Protocol):
    """`unrelated` and `related` are similarities: from the first on a topic starts to belong to a preference,
    from the second on it belongs to it wholly."""

    @property
    def name(self) -> str: ...
    @property
    def weights(self) -> Weights: ...
    @property
    def unrelated(self) -> float: ...
    @property
    def related(self) -> float: ...

    def index(self, texts: Sequence[str]) -> Index: ...
