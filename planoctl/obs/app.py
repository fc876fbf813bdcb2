"""The console itself: takes up spans, and draws what is known of them some times a second."""

import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from planoctl.obs import panels
from planoctl.obs.columns import Table
from planoctl.obs.detail import DetailScreen
from planoctl.obs.filters import EVERYTHING, Filter, FilterError, exactly, parse_filter
from planoctl.obs.grid import Grid
from planoctl.obs.help import HelpScreen
from planoctl.obs.sources import SourceError, SpanSource
from planoctl.obs.store import CallStore
from planoctl.obs.tables import ERRORS, MODELS, RECENT, ROUTES, SESSIONS, TABLES, rows_of
from planoctl.obs.tallies import ErrorKey, ModelKey
from planoctl.obs.view import Group, Moment, View, view_of

MIN_REFRESH_SECONDS = 0.05
_WIDE_COLUMNS, _TALL_ROWS = 100, 30
_AGES_SECONDS = 1.0
_HINTS = (
    ("q", "quit"),
    ("p", "pause"),
    ("/", "filter"),
    ("s", "sort"),
    ("tab", "table"),
    ("⏎", "detail"),
    ("?", "help"),
    ("r", "reverse"),
    ("esc", "clear filter"),
)


class ObsApp(App[None]):
    """The live console over one source of spans."""

    TITLE = "planoctl obs"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", "quit"),
        Binding("p,space", "pause", "pause"),
        Binding("slash", "filter", "filter"),
        Binding("escape", "clear", "clear the filter"),
        Binding("s", "sort", "sort"),
        Binding("r", "reverse", "reverse"),
        Binding("tab", "table(1)", "next table", priority=True),
        Binding("shift+tab", "table(-1)", "table before", priority=True),
        Binding("question_mark,h", "help", "help"),
    ]

    def __init__(
        self,
        store: CallStore,
        source: SpanSource,
        *,
        refresh_seconds: float = 0.5,
        wanted: Filter = EVERYTHING,
        price_source: str = "none",
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__()
        self.store = store
        self.filter = wanted
        self.active: Table = RECENT
        self.failure: SourceError | None = None
        self._side: Table | None = None
        self._source = source
        self._refresh_seconds = max(MIN_REFRESH_SECONDS, refresh_seconds)
        self._price_source = price_source
        self._clock = clock
        self._paused: Moment | None = None
        self._drawn = (-1, 0.0)
        self._ended = False
        self._drawable = False

    @property
    def paused(self) -> bool:
        return self._paused is not None

    def compose(self) -> ComposeResult:
        with Horizontal(id="summary"):
            yield Static(id="latest", classes="panel")
            yield Static(id="totals", classes="panel")
        yield Static(id="banner")
        with Horizontal(id="groups"):
            yield Grid(MODELS)
            yield Grid(ROUTES, name="side")
        yield Grid(RECENT)
        yield Input(id="filter", placeholder="model:gpt* status:4xx -route:code   (? explains)", compact=True)
        yield Static(id="keys")

    def on_mount(self) -> None:
        self._drawable = True
        self._grid(RECENT).focus()
        self.set_interval(self._refresh_seconds, self._tick)
        self._receive()
        self.draw()

    def on_resize(self) -> None:
        self.draw()

    @work(exclusive=True)
    async def _receive(self) -> None:
        try:
            async for span in self._source.spans():
                self.store.add_span(span)
        except SourceError as error:
            self.failure = error
        self._ended = True
        self.draw()

    def action_pause(self) -> None:
        self._paused = None if self.paused else Moment.of(self.store)
        self.draw()

    def action_filter(self) -> None:
        prompt = self.query_one("#filter", Input)
        prompt.value = self.filter.text
        prompt.border_title = "filter"
        prompt.display = True
        prompt.focus()

    def action_clear(self) -> None:
        if self.query_one("#filter", Input).display:
            self._close_prompt()
        else:
            self._filter_by(EVERYTHING)

    def action_sort(self) -> None:
        self._grid(self.active).next_order()
        self.draw()

    def action_reverse(self) -> None:
        self._grid(self.active).reverse_order()
        self.draw()

    def action_table(self, step: int) -> None:
        if not isinstance(self.screen.focused, Input) and len(self.screen_stack) == 1:
            self._activate(TABLES[(TABLES.index(self.active) + step) % len(TABLES)])

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            wanted = parse_filter(event.value)
        except FilterError as error:
            event.input.border_title = Text(str(error))
            return
        self._close_prompt()
        self._filter_by(wanted)

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        if event.table is RECENT:
            grid = self._grid(RECENT)
            self.push_screen(DetailScreen(tuple(grid.rows), grid.cursor))
            return
        self._filter_by(parse_filter(_requests_of(event.table, event.row)))
        self._activate(RECENT)

    def draw(self) -> None:
        """Show what is known now, or was known at the pause."""
        if not self._drawable or len(self.screen_stack) > 1:
            return
        moment = self._paused or Moment.of(self.store)
        self._drawn = (self.store.version, time.monotonic())
        view = view_of(moment, self.filter)
        self._lay_out(view)
        self._draw_panels(view)
        for grid in self.query(Grid):
            table = (self._side or ROUTES) if grid.id == "side" else grid.table
            if grid.display:
                note = f"prices: {self._price_source}" if table is MODELS else ""
                title = table.title if self.query_one("#totals").display else _tabs(table)
                grid.show(table, rows_of(table, view), title=title, note=note)

    def _tick(self) -> None:
        version, drawn = self._drawn
        if version != self.store.version or time.monotonic() - drawn >= _AGES_SECONDS:
            self.draw()

    def _filter_by(self, wanted: Filter) -> None:
        self.filter = wanted
        self._grid(RECENT).move_to(0)
        self.draw()

    def _close_prompt(self) -> None:
        self.query_one("#filter", Input).display = False
        self._grid(self.active).focus()

    def _activate(self, table: Table) -> None:
        self.active = table
        if table not in {RECENT, MODELS}:
            self._side = table
        self.draw()
        self._grid(table).focus()

    def _grid(self, table: Table) -> Grid:
        return self.query_one(f"#{table.name if table in {RECENT, MODELS} else 'side'}", Grid)

    def _lay_out(self, view: View) -> None:
        """Everything where there is room; else the table in use, below a short summary."""
        wide, tall = self.size.width >= _WIDE_COLUMNS, self.size.height >= _TALL_ROWS
        together = wide and tall
        side_chosen = self.active not in {RECENT, MODELS}
        if not side_chosen:
            self._side = next((table for table in (ROUTES, SESSIONS, ERRORS) if rows_of(table, view)), None)
        models, side = self._grid(MODELS), self._grid(ROUTES)
        models.display = together or self.active is MODELS
        side.display = side_chosen or (together and self._side is not None)
        self.query_one("#groups").display = models.display or side.display
        self._grid(RECENT).display = together or self.active is RECENT
        self.query_one("#totals").display = together
        self.set_class(not together, "small")

    def _draw_panels(self, view: View) -> None:
        latest, totals = self.query_one("#latest", Static), self.query_one("#totals", Static)
        width = self.size.width // 2 - 4 if totals.display else self.size.width - 4
        latest.update((panels.latest if totals.display else panels.compact)(view, width))
        totals.update(panels.totals(view, width))
        latest.border_title, totals.border_title = Text(self._headline(view)), "totals"
        head = totals if totals.display else latest
        head.border_subtitle = Text(" · ".join(filter(None, (self._source.label, self._condition(view)))))
        latest.set_class(self.paused, "paused")
        banner, error = self.query_one("#banner", Static), view.last_error
        banner.display = error is not None
        if error is not None:
            text, level = panels.banner(error, self._clock(), self.size.width - (4 if totals.display else 2))
            banner.update(text)
            banner.set_class(level == "warn", "mild")
        self.query_one("#keys", Static).update(panels.keys(_HINTS, self.size.width))

    def _headline(self, view: View) -> str:
        parts = [f"PAUSED · {self.store.version - self._paused.version:,} new"] if self._paused else []
        if view.filter:
            parts.append(f"filter: {view.filter.text} · {len(view.calls):,} of {view.buffered:,}")
        return " · ".join(parts) or "live LLM traffic"

    def _condition(self, view: View) -> str:
        if self.failure is not None:
            return "stopped"
        return self._source.state or panels.receiving(view, ended=self._ended)


def _requests_of(table: Table, group: Group) -> str:
    """The filter for the requests of a row."""
    key = group.key
    if isinstance(key, ErrorKey):
        return f"status:{key.status or ''} status:error {exactly('model', key.model)}"
    if isinstance(key, ModelKey):
        return f"{exactly('model', key.model)} {exactly('provider', key.provider)}"
    return exactly("route" if table is ROUTES else "session", key)


def _tabs(active: Table) -> str:
    """The names of all tables, that in use in brackets: for where only one is seen."""
    return " ".join(f"[{table.name}]" if table is active else table.name for table in TABLES)
