"""The widget that draws a table: only the lines in sight, so that its cost does not grow with the rows."""

from collections.abc import Hashable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from planoctl.obs.columns import Cell, Placed, Placement, Table, place
from planoctl.obs.formats import cut
from planoctl.obs.look import style

_WHEEL_ROWS = 3
_UP, _DOWN = "▲", "▼"


class Grid(Widget, can_focus=True):
    """Rows of a table under a header, with a cursor that stays on its row while others come and go.

    A cursor on the first row stays on the first row, so that the newest can be watched.
    """

    class Chosen(Message):
        """Enter, or a second click, on a row."""

        def __init__(self, table: Table, row: Any) -> None:
            super().__init__()
            self.table = table
            self.row = row

    def __init__(self, table: Table, *, name: str | None = None) -> None:
        super().__init__(id=name or table.name)
        self.table = table
        self.cursor = 0
        self._rows: Sequence[Any] = ()
        self._order = {table.name: 0}
        self._reversed: set[str] = set()
        self._offset = 0
        self._key: Hashable = None
        self._notes = ("", "")

    @property
    def row(self) -> Any | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    @property
    def rows(self) -> Sequence[Any]:
        """All rows, as sorted."""
        return self._rows

    @property
    def order_label(self) -> str:
        order = self.table.orders[self._order.setdefault(self.table.name, 0)]
        return f"{order.label} {_DOWN if order.descending is not self._is_reversed else _UP}"

    @property
    def _is_reversed(self) -> bool:
        return self.table.name in self._reversed

    def show(self, table: Table, rows: Sequence[Any], *, title: str = "", note: str = "") -> None:
        """Draw these rows; `title` and `note` go into the border."""
        if table is not self.table:
            self.table, self._key, self.cursor, self._offset = table, None, 0, 0
        order = table.orders[self._order.setdefault(table.name, 0)]
        self._rows = order.apply(rows, reverse=self._is_reversed)
        self._notes = (title or table.title, note)
        self._find_cursor()
        self._settle()

    def next_order(self) -> None:
        self._order[self.table.name] = (self._order[self.table.name] + 1) % len(self.table.orders)
        self._reversed.discard(self.table.name)
        self.move_to(0)

    def reverse_order(self) -> None:
        self._reversed ^= {self.table.name}
        self.move_to(0)

    def move_to(self, cursor: int) -> None:
        self.cursor = max(0, min(cursor, len(self._rows) - 1))
        self._key = self.table.key(self._rows[self.cursor]) if self.cursor else None
        self._settle()

    def page(self) -> int:
        """Rows in sight."""
        return max(1, self.size.height - 1)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        placement = place(self.table.columns, self._rows, width)
        if y == 0:
            return self._line(placement, [(placed.column.title, "head") for placed in placement.columns], Style.null())
        number = self._offset + y - 1
        if number < len(self._rows):
            cells = [placed.column.cell(self._rows[number]) for placed in placement.columns]
            under = style("cursor") if number == self.cursor and self.has_focus else Style.null()
            return self._line(placement, cells, under)
        text = self.table.empty if not self._rows and y == 1 else ""
        return Strip([Segment(cut(text, width).ljust(width), self.rich_style + style("dim"))], width)

    def on_resize(self) -> None:
        self._settle()

    def on_focus(self) -> None:
        self._settle()

    def on_blur(self) -> None:
        self._settle()

    def on_key(self, event: events.Key) -> None:
        steps = {"up": -1, "down": 1, "k": -1, "j": 1, "pageup": -self.page(), "pagedown": self.page()}
        if event.key in steps:
            self.move_to(self.cursor + steps[event.key])
        elif event.key in {"home", "g"}:
            self.move_to(0)
        elif event.key in {"end", "G"}:
            self.move_to(len(self._rows) - 1)
        elif event.key == "enter" and self.row is not None:
            self.post_message(self.Chosen(self.table, self.row))
        else:
            return
        event.stop()

    def on_click(self, event: events.Click) -> None:
        number = self._offset + event.get_content_offset_capture(self).y - 1
        if not self._offset <= number < len(self._rows):
            return
        if number == self.cursor:
            self.post_message(self.Chosen(self.table, self.row))
        self.move_to(number)

    def on_mouse_scroll_down(self) -> None:
        self.move_to(self.cursor + _WHEEL_ROWS)

    def on_mouse_scroll_up(self) -> None:
        self.move_to(self.cursor - _WHEEL_ROWS)

    def _line(self, placement: Placement, cells: Sequence[Cell], under: Style) -> Strip:
        plain = self.rich_style
        segments: list[Segment] = []
        used = 0
        for number, (placed, (text, name)) in enumerate(zip(placement.columns, cells, strict=True)):
            gap = placement.gap if number else 0
            segments.append(Segment(" " * gap + _padded(placed, text), plain + style(name) + under))
            used += gap + placed.width
        segments.append(Segment(" " * max(0, self.size.width - used), plain + under))
        return Strip(segments).adjust_cell_length(self.size.width)

    def _find_cursor(self) -> None:
        """Put the cursor where its row is now; if the row has gone, leave the cursor where it is."""
        if self._key is None:
            self.cursor = 0
            return
        for number, row in enumerate(self._rows):
            if self.table.key(row) == self._key:
                self.cursor = number
                return
        self.cursor = max(0, min(self.cursor, len(self._rows) - 1))

    def _settle(self) -> None:
        """Keep the cursor in sight, renew the border and draw."""
        page = self.page()
        self._offset = max(min(self._offset, self.cursor), self.cursor - page + 1)
        self._offset = max(0, min(self._offset, len(self._rows) - page))
        title, note = self._notes
        last = min(len(self._rows), self._offset + page)
        place_text = f"{self._offset + 1}–{last} of {len(self._rows):,}" if len(self._rows) > page else ""
        self.border_title = Text(f"{title} · {self.order_label}" if self._rows else title)  # a Text, lest [ be markup
        self.border_subtitle = Text(" · ".join(text for text in (note, place_text) if text))
        self.refresh()


def _padded(placed: Placed, text: str) -> str:
    text = cut(text.replace("\n", " "), placed.width)
    blank = " " * (placed.width - cell_len(text))
    return text + blank if placed.column.left else blank + text
