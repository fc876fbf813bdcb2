"""What a table is made of: columns that fold away where the terminal is narrow, and orders to go through."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from planoctl.obs.formats import NOTHING

Cell = tuple[str, str]
"""A text and the name of its style; the plain style is ''."""

_GAP, _WIDE_GAP = 1, 3


@dataclass(frozen=True, slots=True)
class Column:
    """`width` terminal columns, up to `stretch` where there is room. The highest `fold` goes first, 0 never."""

    title: str
    width: int
    cell: Callable[[Any], Cell]
    fold: int = 0
    stretch: int = 0
    left: bool = False
    shown: Callable[[Sequence[Any]], bool] | None = None
    """Whether any row has something for it; None is yes."""


@dataclass(frozen=True, slots=True)
class Order:
    """A way of sorting. Rows without a value come last."""

    label: str
    value: Callable[[Any], Any]
    descending: bool = True

    def apply(self, rows: Sequence[Any], *, reverse: bool = False) -> list[Any]:
        known = [row for row in rows if self.value(row) is not None]
        unknown = [row for row in rows if self.value(row) is None]
        return sorted(known, key=self.value, reverse=self.descending is not reverse) + unknown


@dataclass(frozen=True, slots=True)
class Table:
    """`key` tells rows apart while others come and go; `empty` is shown where there are none."""

    name: str
    title: str
    columns: tuple[Column, ...]
    orders: tuple[Order, ...]
    key: Callable[[Any], Hashable]
    empty: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A column that is shown, `width` wide."""

    column: Column
    width: int


@dataclass(frozen=True, slots=True)
class Placement:
    columns: tuple[Placed, ...]
    gap: int


def place(columns: Sequence[Column], rows: Sequence[Any], available: int) -> Placement:
    """Which columns fit into so many terminal columns, and how wide they are."""
    chosen = [column for column in columns if column.shown is None or column.shown(rows)]
    while _needed(chosen) > available and any(column.fold for column in chosen):
        chosen.remove(max(chosen, key=lambda column: column.fold))
    spare = max(0, available - _needed(chosen))
    widths = {column.title: column.width for column in chosen}
    while growing := [column for column in chosen if widths[column.title] < column.stretch][:spare]:
        for column in growing:
            widths[column.title] += 1
        spare -= len(growing)
    gap = min(_WIDE_GAP, _GAP + spare // max(1, len(chosen) - 1))
    return Placement(tuple(Placed(column, widths[column.title]) for column in chosen), gap)


def plain(text: object) -> Cell:
    return str(text), ""


def known(text: str, style: str = "") -> Cell:
    """A cell that is dim where there is nothing to say."""
    return text, "dim" if text == NOTHING else style


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * max(0, len(columns) - 1)
