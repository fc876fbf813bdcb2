"""The texts above and below the tables: what came last, the totals, the last error, the footer."""

from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text

from planoctl.obs import formats
from planoctl.obs.calls import Call
from planoctl.obs.look import style
from planoctl.obs.tables import bare_model
from planoctl.obs.tallies import Percentiles, Tally
from planoctl.obs.view import View

Piece = tuple[str, str]
"""A text and the name of its style."""

_MODEL_COLUMNS = 48
_LABEL_COLUMNS = 10
_SEPARATOR: Piece = (" · ", "dim")


def latest(view: View, width: int) -> Text:
    """The newest call, over seven lines."""
    call = view.newest
    if call is None:
        return Text("no request matches the filter" if view.filter else "waiting for spans…", style("dim"))
    name = formats.cut(bare_model(call.provider, call.model), _MODEL_COLUMNS)
    rows = [("model", [(name, "strong"), _SEPARATOR, (call.provider, ""), *_stream(call)])]
    if call.request_model and call.request_model != call.model:
        rows.append(("requested", [(call.request_model, "")]))
    if call.route_name:
        rows.append(("route", [(call.route_name, "brand")]))
    rows += [("status", _status(call)), ("tokens", _tokens(call)), ("timing", _timing(call))]
    rows.append(("cost", [(formats.cost(call.cost_usd), "strong")]))
    return _labelled(rows, width)


def totals(view: View, width: int) -> Text:
    """The sums, over seven lines."""
    tally = view.totals.all
    rows = [
        ("requests", [(f"{tally.requests:,}", "strong")]),
        ("errors", _errors(tally)),
        ("cost", [(_cost(tally), "strong")]),
        ("tokens", _token_sums(tally)),
        ("latency", _percentiles(view.latency, formats.level_of_latency)),
        ("TTFT", _percentiles(view.ttft, formats.level_of_ttft)),
    ]
    if view.totals.sessions:
        current: list[Piece] = [_SEPARATOR, ("current ", "dim"), (view.session, "")] if view.session else []
        rows.append(("sessions", [(f"{len(view.totals.sessions):,}", ""), *current]))
    return _labelled(rows, width)


def compact(view: View, width: int) -> Text:
    """The totals and the newest call in four lines, for small terminals."""
    tally = view.totals.all
    mark = "+" if tally.unpriced and tally.cost_usd else ""
    cost: list[Piece] = [_SEPARATOR, ("cost ", "dim"), (formats.cost(tally.cost_usd) + mark, "strong")]
    known = len(view.totals.sessions)
    sessions: list[Piece] = [_SEPARATOR, (f"{known:,}", ""), (" sessions", "dim")] if known else []
    latency = _percentiles(view.latency, formats.level_of_latency)
    ttft: list[Piece] = [("   TTFT ", "dim"), *_percentiles(view.ttft, formats.level_of_ttft, named=False)]
    call = view.newest
    newest: list[Piece] = [("waiting for spans…", "dim")]
    if call is not None:
        name = formats.cut(bare_model(call.provider, call.model), 28)
        newest = [(name, "strong"), *_stream(call, short=True), ("  ", ""), *_status(call, short=True), ("  ", "")]
        newest += [*_timing(call, short=True), _SEPARATOR, (formats.cost(call.cost_usd), "")]
    elif view.filter:
        newest = [("no request matches the filter", "dim")]
    rows = [
        ("requests", [(f"{tally.requests:,}", "strong"), _SEPARATOR, *_errors(tally, label=True), *cost]),
        ("tokens", _token_sums(tally) + sessions),
        ("latency", latency + ttft),
        ("latest", newest),
    ]
    return _labelled(rows, width)


def banner(call: Call, now_ns: int, width: int) -> tuple[Text, str]:
    """The last error in one line, and the level of its colour."""
    level = "warn" if call.status_code is not None and 400 <= call.status_code < 500 else "bad"
    head = "error" if call.status_code is None else f"{call.status_code} {formats.reason(call.status_code)}"
    pieces: list[Piece] = [(f"● {head}", level), _SEPARATOR, (bare_model(call.provider, call.model), "strong")]
    if call.route_name:
        pieces += [_SEPARATOR, (call.route_name, "brand")]
    pieces += [_SEPARATOR, (formats.age((now_ns - call.start_ns) / 1e9), "")]
    if call.error and call.error != "error":
        pieces += [_SEPARATOR, (call.error, "")]
    tail: list[Piece] = [_SEPARATOR, (f"req {call.request_id}", "dim")]
    fits = _length(pieces) + _length(tail) <= width
    return _line(pieces + tail if fits else pieces, width), level


def keys(hints: Sequence[tuple[str, str]], width: int) -> Text:
    """The footer: as many of the keys as there is room for, most useful first."""
    text = Text()
    for key, meaning in hints:
        if cell_len(text.plain) + cell_len(key) + cell_len(meaning) + 3 > width:
            break
        text.append(f" {key} ", style("strong") + style("brand")).append(f"{meaning} ", style("dim"))
    return text


def receiving(view: View, *, ended: bool = False) -> str:
    if not view.buffered:
        return "no spans" if ended else "waiting for spans"
    return f"{'ended' if ended else 'receiving'} · {view.buffered:,} buffered"


def _status(call: Call, *, short: bool = False) -> list[Piece]:
    text = formats.status(call.status_code, failed=call.failed)
    level = formats.level_of_status(call.status_code, failed=call.failed)
    if call.failed and not short:
        why = call.error if call.error and call.error != "error" else None
        why = why or (formats.reason(call.status_code) if call.status_code else "no answer")
        return [(text, level), _SEPARATOR, (why, "")]
    return [(text, level)]


def _stream(call: Call, *, short: bool = False) -> list[Piece]:
    return [(" ⟳" if short else "  ⟳ stream", "brand")] if call.is_streaming else []


def _tokens(call: Call) -> list[Piece]:
    pieces: list[Piece] = [(formats.tokens(call.input_tokens), ""), (" in", "dim"), _SEPARATOR]
    pieces += [(formats.tokens(call.completion_tokens), ""), (" out", "dim")]
    if call.cached_input_tokens:
        pieces += [_SEPARATOR, (formats.tokens(call.cached_input_tokens), ""), (" cached", "dim")]
    return pieces


def _timing(call: Call, *, short: bool = False) -> list[Piece]:
    pieces: list[Piece] = []
    if call.ttft_ms is not None:
        text = formats.milliseconds(call.ttft_ms)
        pieces += [("TTFT ", "dim"), (text, formats.level_of_ttft(call.ttft_ms)), _SEPARATOR]
    lat = formats.milliseconds(call.duration_ms)
    pieces += [("lat ", "dim"), (lat, formats.level_of_latency(call.duration_ms))]
    if call.tokens_per_second is not None and not short:
        pieces += [_SEPARATOR, (formats.token_rate(call.tokens_per_second).replace("/", " tok/"), "")]
    return pieces


def _errors(tally: Tally, *, label: bool = False) -> list[Piece]:
    if not tally.failures:
        return [("no errors" if label else "none", "good")]
    kinds = [(tally.client_errors, "4xx"), (tally.server_errors, "5xx")]
    other = tally.failures - tally.client_errors - tally.server_errors
    counted = " · ".join(f"{count:,} {kind}" for count, kind in [*kinds, (other, "other")] if count)
    share = f" {tally.failures / tally.requests:.1%}"
    head = f"{tally.failures:,}{' errors' if label else ''}"
    level = "bad" if tally.server_errors or other else "warn"
    return [(head, level), (f" ({counted})" if label else f"{share} ({counted})", "dim")]


def _cost(tally: Tally) -> str:
    text = formats.cost(tally.cost_usd)
    return f"{text} + {tally.unpriced:,} unpriced" if tally.unpriced else text


def _token_sums(tally: Tally) -> list[Piece]:
    pieces: list[Piece] = [(f"{tally.input_tokens:,}", ""), (" in", "dim"), _SEPARATOR]
    pieces += [(f"{tally.output_tokens:,}", ""), (" out", "dim")]
    if tally.cache_read and tally.input_tokens:
        share = formats.percent(tally.cache_read / tally.input_tokens)
        pieces += [_SEPARATOR, (share, ""), (" cached", "dim")]
    return pieces


def _percentiles(
    values: Percentiles | None, level: Callable[[float | None], str], *, named: bool = True
) -> list[Piece]:
    if values is None:
        return [(formats.NOTHING, "dim")]
    pieces: list[Piece] = []
    for name, value in zip(values._fields, values, strict=True):
        pieces += [_SEPARATOR] if pieces else []
        pieces += [(f"{name} ", "dim")] if named else []
        pieces.append((formats.milliseconds(value), level(value)))
    return pieces


def _labelled(rows: Iterable[tuple[str, Sequence[Piece]]], width: int) -> Text:
    lines = [_line([(f"{label:<{_LABEL_COLUMNS}}", "dim"), *pieces], width) for label, pieces in rows]
    return Text("\n").join(lines)


def _line(pieces: Sequence[Piece], width: int) -> Text:
    text = Text(no_wrap=True, end="")
    for content, name in pieces:
        text.append(content, style(name))
    text.truncate(max(1, width), overflow="ellipsis")
    return text


def _length(pieces: Sequence[Piece]) -> int:
    return sum(cell_len(text) for text, _ in pieces)
