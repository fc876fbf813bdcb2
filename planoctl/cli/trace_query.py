"""`planoctl trace query`."""

import json
import sys
import time
from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli.console import console, say, warn
from planoctl.cli.errors import CliError
from planoctl.traces import DEFAULT_PORT

if TYPE_CHECKING:
    from planoctl.traces.details import Detail
    from planoctl.traces.query import Query, Selection
    from planoctl.traces.span import Trace

_PIPE_WIDTH = 160


@click.command()
@click.argument("target", required=False, help="last, any, or the first 8 or all 32 hex digits of a trace id.")
@click.option("--filter", "filters", multiple=True, metavar="PATTERN", help="Only these attributes, e.g. 'http.*'.")
@click.option("--where", "wheres", multiple=True, metavar="KEY=VALUE", help="Only traces with a span that has this.")
@click.option("--list", "listing", is_flag=True, help="Choose a trace with the arrow keys; in a pipe, print the ids.")
@click.option("--no-interactive", is_flag=True, help="With --list: print the ids on a terminal too.")
@click.option("--limit", type=int, metavar="N", help="At most this many traces; 0 is no limit.")
@click.option("--since", metavar="TIME", help="Only spans that began in this time: 30s, 5m, 2h, 1d.")
@click.option("--json", "as_json", is_flag=True, help='Print {"traces": […]}, or with --list {"trace_ids": […]}.')
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where the collector is.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    default=DEFAULT_PORT,
    show_default=True,
    envvar="PLANO_TRACE_PORT",
    show_envvar=True,
    help="Port of the collector.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show every attribute, uncut.")
@click.pass_context
def query(
    context: click.Context,
    target: str | None,
    filters: tuple[str, ...],
    wheres: tuple[str, ...],
    listing: bool,
    no_interactive: bool,
    limit: int | None,
    since: str | None,
    as_json: bool,
    host: str,
    port: int,
    verbose: bool,
) -> None:
    """Show traces that the collector has.

    Spans are below their parents. --where and --filter can be repeated; a trace must fulfil every --where.
    """
    from planoctl.cli.errors import VERBOSE
    from planoctl.traces.background import local_address
    from planoctl.traces.details import Detail
    from planoctl.traces.query import NoSuchTrace, QueryError, parse_query, select

    context.meta[VERBOSE] = verbose
    try:
        asked = parse_query(target, filters=filters, wheres=wheres, since=since, limit=limit, listing=listing)
        found = select(_fetched(local_address(host, port)), asked, now=time.time_ns())
    except NoSuchTrace as error:
        raise CliError(
            str(error), remedy="`planoctl trace --list --no-interactive` prints the ids there are"
        ) from error
    except QueryError as error:
        raise CliError(str(error)) from error
    if found.unmatched:
        rest = " Returning unfiltered traces." if len(found.unmatched) == len(asked.filters) else ""
        warn(f"Filter key(s) not found: {', '.join(found.unmatched)}.{rest}")
    if as_json:
        _print_json(found, asked)
        return
    detail = Detail(everything=verbose, chosen=len(found.unmatched) < len(asked.filters))
    if not listing:
        _print_first(found.traces, detail)
    elif no_interactive or not (sys.stdin.isatty() and sys.stdout.isatty()):
        _print_ids(found.traces)
    else:
        _choose(found.traces, detail)


def _fetched(address: str) -> "list[Trace]":
    from planoctl.traces.client import CollectorUnavailable, NotACollector, fetch_traces

    try:
        return fetch_traces(address)
    except NotACollector as error:
        raise CliError(str(error), remedy="name the port of the right one with --port") from error
    except CollectorUnavailable as error:
        raise CliError(
            f"No trace listener is running on {address}",
            remedy="start one: `planoctl trace listen`, or `planoctl up --with-tracing`",
        ) from error


def _print_json(found: "Selection", asked: "Query") -> None:
    if asked.listing:
        shown: object = {"trace_ids": [trace["trace_id"] for trace in found.traces]}
    else:
        shown = {"traces": found.traces}
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


def _print_ids(traces: "list[Trace]") -> None:
    from planoctl.traces.query import SHORT_ID

    say("Trace IDs:" if traces else "No trace IDs found.")
    for trace in traces:
        say(f"- {trace['trace_id'][:SHORT_ID]}")


def _print_first(traces: "list[Trace]", detail: "Detail") -> None:
    if not traces:
        say("No traces found.")
        return
    _print_tree(traces[0], detail)
    if (more := len(traces) - 1) > 0:
        say()
        say(f"{more} more trace{'' if more == 1 else 's'}: planoctl trace --list", style="dim")


def _print_tree(trace: "Trace", detail: "Detail") -> None:
    from planoctl.traces.tree import Page, draw

    out = console()
    page = Page(out.width) if out.is_terminal else Page(_PIPE_WIDTH, wrap=False)
    for line in draw(trace, page, detail):
        line.rstrip()
        out.print(line)


def _choose(traces: "list[Trace]", detail: "Detail") -> None:
    """Let the user pick one; Ctrl-C and Escape pick none."""
    import questionary

    if not traces:
        say("No trace IDs found.")
        return
    choices = [questionary.Choice(_title(trace), value=index) for index, trace in enumerate(traces)]
    chosen = questionary.select("Which trace?", choices=choices, qmark="", pointer="❯").ask()
    if chosen is None:
        say("Cancelled.")
    else:
        _print_tree(traces[chosen], detail)


def _title(trace: "Trace") -> str:
    from planoctl.traces.query import SHORT_ID
    from planoctl.traces.shape import period

    whole = period(trace["spans"])
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(whole.start / 1e9))
    return f"{trace['trace_id'][:SHORT_ID]} ({whole.milliseconds:.2f}ms total • {began})"
