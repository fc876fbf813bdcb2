"""All about one call: its figures, where the time went, events and attributes."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from planoctl.obs import formats, panels
from planoctl.obs.calls import Call
from planoctl.obs.labelled import LABEL_COLUMNS, labelled
from planoctl.obs.look import style
from planoctl.obs.spans import Value

_MIN_BAR, _MAX_BAR = 10, 80
_HINTS = (("esc", "back"), ("↑↓", "scroll"), ("←", "newer"), ("→", "older"))


def detail_text(call: Call, width: int) -> Text:
    """Everything that is known of a call, for so many terminal columns."""
    parts = [_figures(call, width), _timings(call, width)]
    if call.events:
        parts.append(_events(call, width))
    if call.attributes:
        parts.append(_attributes(call.attributes, width))
    return Text("\n\n").join(parts)


def timing_bar(call: Call, columns: int) -> Text | None:
    """Waiting for the first token, then generating, to scale; None where the duration is not known."""
    if not call.duration_ms:
        return None
    waiting = min(1.0, (call.ttft_ms or 0.0) / call.duration_ms)
    first = round(columns * waiting)
    first = min(columns - 1, max(1, first)) if 0 < waiting < 1 else first
    bar = Text("█" * first, style("wait"))
    return bar.append("▒" * (columns - first), style("generate"))


class DetailScreen(ModalScreen[None]):
    """The detail view; `←` and `→` go through the calls in the order of the table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,backspace", "app.pop_screen", "back"),
        Binding("left,p", "step(-1)", "newer", priority=True),
        Binding("right,n", "step(1)", "older", priority=True),
        Binding("down,j", "scroll(1)", priority=True),
        Binding("up,k", "scroll(-1)", priority=True),
    ]
    CSS = """
    DetailScreen { background: $background; }
    #detail { border: round #969FF4; padding: 0 1; height: 1fr; border-title-color: #969FF4;
              border-subtitle-color: #8a8a8a; scrollbar-size-vertical: 1;
              scrollbar-color: #4a4d6a; scrollbar-background: #1e1e1e; }
    #detail-keys { height: 1; }
    """

    def __init__(self, calls: Sequence[Call], number: int) -> None:
        super().__init__()
        self._calls = calls
        self._number = number

    @property
    def call(self) -> Call:
        return self._calls[self._number]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="detail"):
            yield Static(id="detail-text")
        yield Static(id="detail-keys")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def action_step(self, step: int) -> None:
        self._number = max(0, min(len(self._calls) - 1, self._number + step))
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)
        self._draw()

    def action_scroll(self, lines: int) -> None:
        self.query_one("#detail", VerticalScroll).scroll_relative(y=lines, animate=False)

    def _draw(self) -> None:
        width = self.app.size.width
        pane = self.query_one("#detail", VerticalScroll)
        pane.border_title = Text(f"request {formats.cut(self.call.request_id, max(8, width - 30))}")
        pane.border_subtitle = f"{self._number + 1} of {len(self._calls)}"
        self.query_one("#detail-text", Static).update(detail_text(self.call, max(20, width - 5)))
        self.query_one("#detail-keys", Static).update(panels.keys(_HINTS, width))


def _figures(call: Call, width: int) -> Text:
    started = datetime.fromtimestamp(call.start_ns / 1e9).astimezone().isoformat(" ", timespec="milliseconds")
    status = formats.status(call.status_code, failed=call.failed)
    level = formats.level_of_status(call.status_code, failed=call.failed)
    rows: list[tuple[str, str | None, str]] = [
        ("model", call.model + ("  ⟳ stream" if call.is_streaming else ""), "strong"),
        ("provider", call.provider, ""),
        ("requested", call.request_model, ""),
        ("route", call.route_name, "brand"),
        ("routing", " · ".join(filter(None, (call.routing_strategy, call.routing_reason))) or None, ""),
        ("session", call.session_id, ""),
        ("status", " ".join(filter(None, (status, _reason(call)))), level),
        ("error", call.error, "bad"),
        ("started", started, ""),
        ("tokens", " · ".join(_token_parts(call)) or formats.NOTHING, ""),
        ("cost", formats.cost(call.cost_usd), "strong"),
        ("trace", call.trace_id or None, "dim"),
        ("span", " ".join(filter(None, (call.span_id, call.name))) or None, "dim"),
    ]
    return labelled([(label, value, name) for label, value, name in rows if value is not None], width)


def _reason(call: Call) -> str | None:
    return formats.reason(call.status_code) if call.status_code is not None and call.status_code >= 400 else None


def _token_parts(call: Call) -> Iterator[str]:
    if call.prompt_tokens is not None:
        yield f"{call.fresh_tokens:,} new"
    for count, what in (
        (call.cached_input_tokens, "from cache"),
        (call.cache_creation_tokens, "written to cache"),
        (call.completion_tokens, "out"),
        (call.reasoning_tokens, "of them reasoning"),
    ):
        if count is not None and (count or what == "out"):
            yield f"{count:,} {what}"


def _timings(call: Call, width: int) -> Text:
    text = _heading("timing", width)
    bar = timing_bar(call, max(_MIN_BAR, min(_MAX_BAR, width - LABEL_COLUMNS)))
    if bar is None:
        return text.append("\nthe span tells no duration", style("dim"))
    text.append("\n" + " " * LABEL_COLUMNS).append_text(bar)
    rows = [("█ first token", formats.milliseconds(call.ttft_ms), "wait")] if call.ttft_ms is not None else []
    generating = max(0.0, (call.duration_ms or 0.0) - (call.ttft_ms or 0.0))
    rate = f" · {formats.token_rate(call.tokens_per_second)}" if call.tokens_per_second else ""
    rows.append(("▒ answer", formats.milliseconds(generating) + rate, "generate"))
    rows.append(("  together", formats.milliseconds(call.duration_ms), ""))
    return text.append("\n").append_text(labelled(rows, width))


def _events(call: Call, width: int) -> Text:
    text = _heading("events", width)
    for event in call.events:
        offset = f"+{formats.milliseconds(max(0, event.time_ns - call.start_ns) / 1e6)}" if event.time_ns else ""
        text.append("\n").append_text(labelled([(offset, event.name, "strong")], width))
        for key, value in event.attributes:
            text.append("\n").append_text(labelled([("", f"{key} = {_written(value)}", "dim")], width))
    return text


def _attributes(attributes: Sequence[tuple[str, Value]], width: int) -> Text:
    longest = min(max(len(key) for key, _ in attributes) + 2, width // 2)
    rows = [(key, _written(value), "") for key, value in sorted(attributes)]
    return _heading("attributes", width).append("\n").append_text(labelled(rows, width, columns=longest))


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _heading(title: str, width: int) -> Text:
    return Text(end="").append(f"── {title} ".ljust(width, "─"), style("brand"))
