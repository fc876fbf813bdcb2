"""The ranking rule."""

import math
from collections.abc import Mapping, Sequence


def rank(models: Sequence[str], table: Mapping[str, float]) -> list[str]:
    """The models by their value in `table`, lowest first; those without one (or NaN) last. Ties keep their order."""
    return sorted(models, key=lambda model: _position(table.get(model)))


def _position(value: float | None) -> tuple[bool, float]:
    known = value is not None and not math.isnan(value)
    return (not known, value if value is not None and known else 0.0)
