"""`planoctl obs`."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import say, success
from planoctl.cli.errors import CliError

if TYPE_CHECKING:
    from planoctl.obs.filters import Filter
    from planoctl.obs.pricing import Prices
    from planoctl.obs.sources import SpanSource

_TRACING_HINT = "run `planoctl up --with-tracing`, or set `tracing: {random_sampling: 100}` in the configuration"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the trace collector.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    default=4317,
    show_default=True,
    envvar="PLANO_TRACE_PORT",
    help="Port of the trace collector (OTLP over gRPC).",
)
@click.option(
    "--capacity",
    type=click.IntRange(1, 20_000),
    metavar="N",
    default=1000,
    show_default=True,
    help="Requests to keep in full; sums cover all there were.",
)
@click.option(
    "--refresh-ms",
    type=click.IntRange(50, 60_000),
    metavar="MS",
    default=500,
    show_default=True,
    help="Milliseconds between two drawings.",
)
@click.option(
    "--filter", "wanted", metavar="TEXT", default="", help="Requests to show, such as `model:gpt* status:4xx`."
)
@click.option(
    "--prices",
    "price_file",
    type=options.type_file,
    help="YAML or JSON of your own prices, USD per million tokens: `model: {input, output, cache_read, cache_write}`.",
)
@click.option("--replay", "replay_file", type=options.type_file, help="Show spans from a file of JSON lines instead.")
@click.option("--json", "as_json", is_flag=True, help="Print each request as one JSON line; no console.")
@options.verbose
def obs(
    host: str,
    port: int,
    capacity: int,
    refresh_ms: int,
    wanted: str,
    price_file: Path | None,
    replay_file: Path | None,
    as_json: bool,
) -> None:
    """Watch requests, models, tokens, cost, latency and errors live.

    The requests come from the trace collector that `planoctl trace listen` or `planoctl up --with-tracing` runs; if
    there is none, one runs as long as the console. The gateway has to trace: see `planoctl up --with-tracing`.

    Costs come from the price list of the genai-prices package, those in --prices before it. In the console, `?` shows
    all keys and how to write filters.
    """
    from planoctl.obs.collector import CollectorSource, running_collector
    from planoctl.obs.filters import FilterError, parse_filter
    from planoctl.obs.sources import FileSource, SourceError

    try:
        passing = parse_filter(wanted)
    except FilterError as error:
        raise click.BadParameter(str(error), param_hint="--filter") from error
    if not as_json and not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise CliError("the console needs a terminal", remedy="use --json in a pipe or a script")
    prices = _prices(price_file)
    recorded = options.existing(replay_file, "the file of --replay")
    with contextlib.ExitStack() as stack:
        source: SpanSource
        try:
            if recorded is not None:
                source = FileSource(recorded)
            else:
                address, own = stack.enter_context(running_collector(host, port))
                source = CollectorSource(address)
                if own:
                    say(f"started a trace collector on {address}; to send spans there, {_TRACING_HINT}", stderr=True)
                    stack.callback(success, "stopped the trace collector")
            _show(source, prices, passing, capacity, refresh_ms, as_json=as_json)
        except SourceError as error:
            raise CliError(str(error), remedy="see `planoctl trace --help` for the collector") from error


def _show(
    source: "SpanSource", prices: "Prices", wanted: "Filter", capacity: int, refresh_ms: int, *, as_json: bool
) -> None:
    if as_json:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_print_lines(source, prices, wanted))
        return
    from planoctl.obs.app import ObsApp
    from planoctl.obs.store import CallStore

    store = CallStore(capacity, prices)
    app = ObsApp(store, source, refresh_seconds=refresh_ms / 1000, wanted=wanted, price_source=prices.source)
    app.run()
    if app.failure is not None:
        raise app.failure


async def _print_lines(source: "SpanSource", prices: "Prices", wanted: "Filter") -> None:
    from planoctl.obs.calls import call_of
    from planoctl.obs.records import json_line

    async for span in source.spans():
        call = call_of(span, prices)
        if call is not None and wanted(call):
            click.echo(json_line(call))


def _prices(file: Path | None) -> "Prices":
    from planoctl.obs.pricing import PriceFileError, Prices, read_prices

    path = options.existing(file, "the price file")
    try:
        return Prices(read_prices(path) if path else {})
    except PriceFileError as error:
        raise CliError(str(error), remedy="mend the file named by --prices") from error
