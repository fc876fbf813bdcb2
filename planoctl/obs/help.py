"""The help of the console."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from planoctl.obs.filters import KEYS
from planoctl.obs.labelled import labelled
from planoctl.obs.look import style

_KEYS = (
    ("q", "quit"),
    ("p, space", "pause and go on; counting never stops"),
    ("tab, shift+tab", "the next table, the one before: requests, models, routes, sessions, errors"),
    ("↑ ↓ PgUp PgDn", "move in the table; home goes to the top, which follows the newest"),
    ("enter", "a request: all about it; a model, route, session or error: its requests"),
    ("s, r", "sort by the next column; the other way around"),
    ("/", "filter; esc takes the filter away"),
    ("?", "this help"),
)
_FILTERS = (
    (
        "model:sonnet",
        "somewhere in the name; with a * for any text, all of the name has to match",
    ),
    ("model=gpt-4o", "the name is exactly this"),
    ('route:"a b"', "quotes, where there are spaces"),
    ("session:", "nothing after the colon: requests without one"),
    ("status:429", "also 4xx, 5xx, error, ok"),
    ("-status:ok", "a dash turns a condition around"),
    ("weather", "without a key: in any of the fields"),
)
_FIGURES = (
    "Sums cover all requests since the start, with a filter the buffered ones that pass it. Percentiles cover the "
    "buffer. in·new leaves out what came from the provider's cache. A + after a cost means that some requests have no "
    "known price; --prices FILE tells it."
)
_INDENT = 17


def help_text(width: int) -> Text:
    """The help, for so many terminal columns."""
    parts = [
        _part("Keys", _KEYS, width),
        _part(f"Filters: conditions apart by spaces, on {', '.join(KEYS)}", _FILTERS, width),
        _part("Figures", [("", _FIGURES)], width, columns=2),
    ]
    return Text("\n\n").join(parts)


def _part(title: str, rows: Sequence[tuple[str, str]], width: int, *, columns: int = _INDENT) -> Text:
    body = labelled([(f"  {label}", value, "") for label, value in rows], width, columns=columns, label_style="strong")
    return Text().append(f"{title}\n", style("brand")).append_text(body)


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "app.pop_screen", "back")]
    CSS = """
    HelpScreen { background: $background; }
    #help { border: round #969FF4; padding: 0 1; height: 1fr; border-title-color: #969FF4;
            border-subtitle-color: #8a8a8a; scrollbar-size-vertical: 1;
              scrollbar-color: #4a4d6a; scrollbar-background: #1e1e1e; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as pane:
            pane.border_title = "planoctl obs"
            pane.border_subtitle = "esc: back"
            yield Static(id="help-text")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self.query_one("#help-text", Static).update(help_text(max(20, self.app.size.width - 6)))
