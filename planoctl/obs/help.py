"""The help of the console."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

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
    ("model:sonnet", "the text is somewhere in the name; model:gpt-* has to match all of it"),
    ("provider: session: route: request:", "likewise; nothing after the colon: calls without it"),
    ("status:429", "also 4xx, 5xx, error, ok"),
    ("-status:ok", "a dash turns a condition around"),
    ("weather", "without a key: in any of these fields"),
)


def help_text() -> Text:
    text = Text("Keys\n", style("brand"))
    for key, meaning in _KEYS:
        text.append(f"  {key:<16}", style("strong")).append(f"{meaning}\n")
    text.append("\nFilters: conditions apart by spaces; all have to hold\n", style("brand"))
    for example, meaning in _FILTERS:
        if len(example) > 16:
            text.append(f"  {example}\n", style("strong")).append(f"  {'':<16}{meaning}\n")
        else:
            text.append(f"  {example:<16}", style("strong")).append(f"{meaning}\n")
    text.append("\nFigures\n", style("brand"))
    text.append("  Sums cover all calls since the start, with a filter the buffered ones that pass it. Percentiles ")
    text.append("cover the buffer. in·new leaves out what came from the provider's cache. A + after a cost means ")
    text.append("that some calls have no known price; --prices FILE tells it.")
    return text


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "app.pop_screen", "back")]
    CSS = """
    HelpScreen { background: $background; }
    #help { border: round #969FF4; padding: 0 1; height: 1fr; border-title-color: #969FF4;
            border-subtitle-color: #8a8a8a; scrollbar-size-vertical: 1; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as pane:
            pane.border_title = "planoctl obs"
            pane.border_subtitle = "esc: back"
            yield Static(help_text())
