"""`planoctl logs`."""

import signal
import time

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import BRAND, console
from planoctl.cli.errors import CliError
from planoctl.instance import Instance

_COMPONENTS = ["access", "envoy", "extproc", "brightstaff", "supervisor", "mock-provider", "trace-collector"]
_POLL_SECONDS = 0.2


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option(
    "--lines", "-n", type=click.IntRange(min=0), default=10, show_default=True, help="Last lines of each file to show."
)
@click.option(
    "--component",
    "-c",
    "components",
    type=click.Choice(_COMPONENTS),
    multiple=True,
    metavar="NAME",
    help=f"Only this component: {', '.join(_COMPONENTS)}. Repeatable.",
)
@click.option(
    "--pretty", is_flag=True, help="Requests as readable lines: models, times, tokens, cost at list prices, errors."
)
@options.instance
@options.verbose
def logs(follow: bool, lines: int, components: tuple[str, ...], pretty: bool, instance: Instance) -> None:
    """Show what the processes wrote."""
    from planoctl.log_tail import FolderTail, last_lines, log_files

    folder = instance.paths.log_dir
    if not folder.is_dir():
        raise CliError(f"there are no logs yet: {folder} does not exist", remedy="run `planoctl up`")
    tail = FolderTail(folder, components) if follow else None
    files = log_files(folder, components)
    if not files and tail is None:
        raise CliError(f"there are no such logs in {folder}", remedy="leave out --component, or run `planoctl up`")
    show = _print_pretty if pretty else _print_line
    for path in files:
        for line in last_lines(path, lines):
            show(path.stem, line)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs are started with it ignored
    try:
        while tail is not None:
            for source, line in tail.poll():
                show(source, line)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _print_line(source: str, line: str) -> None:
    out = console()
    out.print(f"{source:<13} ", style=BRAND, end="")
    out.print(line)


def _print_pretty(source: str, line: str) -> None:
    from hermesllm.prices import list_price
    from planoctl.access_record import AccessRecord

    record = AccessRecord.parse(line) if source.startswith("access") else None
    if record is None:
        _print_line(source, line)
        return
    out = console()
    out.print(f"{source:<13} ", style=BRAND, end="")
    out.print(record.line(list_price))
