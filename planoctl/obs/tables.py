"""The tables of the console: which columns, which orders, what folds first."""

from collections.abc import Callable, Sequence
from typing import Any

from planoctl.obs import formats
from planoctl.obs.calls import Call
from planoctl.obs.columns import Cell, Column, Order, Table, known, plain
from planoctl.obs.tallies import ErrorKey, ModelKey
from planoctl.obs.view import Group, View

_MODEL_COLUMNS = 32


def _any_call(read: Callable[[Call], Any]) -> Callable[[Sequence[Call]], bool]:
    return lambda calls: any(read(call) for call in calls)


def bare_model(provider: str, model: str) -> str:
    """The model without the name of its provider before it."""
    prefix, slash, rest = model.partition("/")
    return rest if slash and prefix == provider else model


def _model(call: Call) -> Cell:
    name = bare_model(call.provider, call.model)
    return f"{name} ⟳" if call.is_streaming else name, ""


def _requested(call: Call) -> str:
    """What the client asked for, where that is not what served it."""
    requested = call.request_model
    same = requested is None or bare_model(call.provider, requested) == bare_model(call.provider, call.model)
    return formats.NOTHING if same else str(requested)


def _status(call: Call) -> Cell:
    return (
        formats.status(call.status_code, failed=call.failed),
        formats.level_of_status(call.status_code, failed=call.failed),
    )


RECENT = Table(
    "requests",
    "requests",
    (
        Column("time", 8, lambda call: (formats.clock(call.start_ns), "dim"), left=True),
        Column("model", 18, _model, stretch=_MODEL_COLUMNS, left=True),
        Column("provider", 10, lambda call: plain(call.provider), fold=5, stretch=14, left=True),
        Column("requested", 10, lambda call: known(_requested(call)), 9, 24, True,
               _any_call(lambda call: _requested(call) != formats.NOTHING)),
        Column("route", 8, lambda call: known(call.route_name or formats.NOTHING, "brand"), 4, 18, True,
               _any_call(lambda call: call.route_name)),
        Column("session", 8, lambda call: known(call.session_id or formats.NOTHING), 10, 18, True,
               _any_call(lambda call: call.session_id)),
        Column("in·new", 7, lambda call: known(formats.tokens(call.fresh_tokens))),
        Column("in·cache", 8, lambda call: known(formats.cache_tokens(call.cached_input_tokens)), 6,
               shown=_any_call(lambda call: call.cached_input_tokens)),
        Column("out", 6, lambda call: known(formats.tokens(call.completion_tokens))),
        Column("rsn", 6, lambda call: known(formats.cache_tokens(call.reasoning_tokens)), 8,
               shown=_any_call(lambda call: call.reasoning_tokens)),
        Column("tok/s", 7, lambda call: known(formats.token_rate(call.tokens_per_second)), 7),
        Column("TTFT", 6, lambda call: (formats.milliseconds(call.ttft_ms), formats.level_of_ttft(call.ttft_ms)), 3),
        Column("lat", 6,
               lambda call: (formats.milliseconds(call.duration_ms), formats.level_of_latency(call.duration_ms))),
        Column("cost", 10, lambda call: known(formats.cost(call.cost_usd))),
        Column("status", 6, _status, left=True),
        Column("request id", 12, lambda call: (call.request_id, "dim"), 11, 36, True),
    ),
    (
        Order("time", lambda call: call.start_ns),
        Order("latency", lambda call: call.duration_ms),
        Order("TTFT", lambda call: call.ttft_ms),
        Order("cost", lambda call: call.cost_usd),
        Order("tokens in", lambda call: call.input_tokens),
        Order("tokens out", lambda call: call.completion_tokens),
        Order("status", lambda call: call.status_code),
        Order("model", lambda call: call.model, descending=False),
    ),
    lambda call: (call.trace_id, call.span_id, call.start_ns),
    "no requests yet",
)  # fmt: skip

_REQUESTS = Column("req", 6, lambda group: plain(formats.short_count(group.tally.requests)))
_COST = Column("cost", 9, lambda group: known(_group_cost(group)))
_FAILURES = Column("err", 5, lambda group: (
    formats.cache_tokens(group.tally.failures), "bad" if group.tally.failures else "dim"))  # fmt: skip
_BY_REQUESTS = Order("requests", lambda group: group.tally.requests)
_BY_COST = Order("cost", lambda group: (group.tally.cost_usd, group.tally.requests))
_BY_FAILURES = Order("errors", lambda group: group.tally.failures)
_BY_RATE = Order("tok/s", lambda group: group.tally.tokens_per_second)
_BY_LAST = Order("last", lambda group: group.tally.last.start_ns if group.tally.last else None)


def _group_cost(group: Group) -> str:
    """A sum that leaves out calls without a price is marked."""
    text = formats.cost(group.tally.cost_usd)
    return f"{text}+" if group.tally.unpriced and group.tally.cost_usd else text


def _provider_of(key: ModelKey | ErrorKey) -> Cell:
    return known(key.provider or formats.NOTHING)


MODELS = Table(
    "models",
    "by model",
    (
        Column("model", 18, lambda group: plain(bare_model(group.key.provider, group.key.model)),
               stretch=_MODEL_COLUMNS, left=True),
        Column("provider", 10, lambda group: _provider_of(group.key), 5, 14, True),
        _REQUESTS,
        Column("err", 5, _FAILURES.cell, 4),
        Column("input", 7, lambda group: plain(formats.short_count(group.tally.fresh_tokens))),
        Column("output", 7, lambda group: plain(formats.short_count(group.tally.output_tokens))),
        Column("cache wr", 8, lambda group: known(_short(group.tally.cache_write)), 3),
        Column("cache rd", 8, lambda group: known(_short(group.tally.cache_read)), 2),
        Column("tok/s", 7, lambda group: known(formats.token_rate(group.tally.tokens_per_second)), 1),
        _COST,
    ),
    (
        _BY_COST,
        _BY_REQUESTS,
        Order("input", lambda group: group.tally.input_tokens),
        Order("output", lambda group: group.tally.output_tokens),
        _BY_RATE,
        _BY_FAILURES,
        Order("model", lambda group: group.key.model, descending=False),
    ),
    lambda group: group.key,
    "no models yet",
)  # fmt: skip


def _short(count: int) -> str:
    return formats.short_count(count) if count else formats.NOTHING


ROUTES = Table(
    "routes",
    "route share",
    (
        Column("route", 10, lambda group: (str(group.key), "brand"), stretch=24, left=True),
        Column("hits", 6, lambda group: plain(formats.short_count(group.tally.requests))),
        Column("%", 4, lambda group: plain(formats.percent(group.share))),
        Column("p95", 6, lambda group: (formats.milliseconds(group.p95), formats.level_of_latency(group.p95))),
        _FAILURES,
        Column("cost", 9, _COST.cell, 2),
        Column("tok/s", 7, lambda group: known(formats.token_rate(group.tally.tokens_per_second)), 3),
    ),
    (_BY_REQUESTS, Order("p95", lambda group: group.p95), _BY_FAILURES, _BY_COST),
    lambda group: group.key,
    "no request was routed by a preference yet",
)

SESSIONS = Table(
    "sessions",
    "sessions",
    (
        Column("session", 10, lambda group: plain(group.key), stretch=36, left=True),
        Column("req", 5, _REQUESTS.cell),
        _FAILURES,
        Column("input", 6, lambda group: plain(formats.short_count(group.tally.input_tokens))),
        Column("output", 6, lambda group: plain(formats.short_count(group.tally.output_tokens)), 2),
        _COST,
        Column("last", 8, lambda group: (
            formats.clock(group.tally.last.start_ns) if group.tally.last else formats.NOTHING, "dim"), 1),
        Column("last model", 12, lambda group: known(
            bare_model(group.tally.last.provider, group.tally.last.model) if group.tally.last else formats.NOTHING
        ), 3, _MODEL_COLUMNS, True),
    ),
    (_BY_LAST, _BY_COST, _BY_REQUESTS, _BY_FAILURES),
    lambda group: group.key,
    "no request named a session yet (x-model-affinity)",
)  # fmt: skip

ERRORS = Table(
    "errors",
    "errors",
    (
        Column("status", 6, lambda group: (
            formats.status(group.key.status, failed=True), formats.level_of_status(group.key.status, failed=True)),
            left=True),
        Column("count", 5, lambda group: plain(formats.short_count(group.tally.requests))),
        Column("model", 14, lambda group: plain(bare_model(group.key.provider, group.key.model)), 0, _MODEL_COLUMNS,
               True),
        Column("provider", 10, lambda group: _provider_of(group.key), 2, 14, True),
        Column("last", 8, lambda group: (
            formats.clock(group.tally.last.start_ns) if group.tally.last else formats.NOTHING, "dim"), 1),
        Column("reason", 14, lambda group: plain(_reason(group)), 3, 60, True),
    ),
    (_BY_REQUESTS, _BY_LAST, Order("status", lambda group: group.key.status)),
    lambda group: group.key,
    "no errors yet",
)  # fmt: skip


def _reason(group: Group) -> str:
    if group.tally.last is not None and group.tally.last.error:
        return group.tally.last.error
    status = group.key.status if isinstance(group.key, ErrorKey) else None
    return formats.NOTHING if status is None else formats.reason(status)


TABLES = (RECENT, MODELS, ROUTES, SESSIONS, ERRORS)


def rows_of(table: Table, view: View) -> Sequence[Any]:
    """The rows of a table, in no order."""
    return {
        "requests": view.calls,
        "models": view.models,
        "routes": view.routes,
        "sessions": view.sessions,
        "errors": view.errors,
    }[table.name]
