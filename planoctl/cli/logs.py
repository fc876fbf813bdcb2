"""`planoctl logs`."""

import signal
import time
from pathlib import Path

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
@options.instance
@options.verbose
def logs(follow: bool, lines: int, components: tuple[str, ...], instance: Instance) -> None:
    """Show what the processes wrote."""
    from planoctl.log_tail import FolderTail, log_files

    folder = instance.paths.log_dir
    if not folder.is_dir():
        raise CliError(f"there are no logs yet: {folder} does not exist", remedy="run `planoctl up`")
    tail = FolderTail(folder, components) if follow else None
    files = log_files(folder, components)
    if not files and tail is None:
        raise CliError(f"there are no such logs in {folder}", remedy="leave out --component, or run `planoctl up`")
    for path in files:
        _print_end(path, lines)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs are started with it ignored
    try:
        while tail is not None:
            for source, line in tail.poll():
                _print_line(source, line)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _print_end(path: Path, lines: int) -> None:
    from planoctl.log_tail import last_lines

    for line in last_lines(path, lines):
        _print_line(path.stem, line)


def _print_line(source: str, line: str) -> None:
    out = console()
    out.print(f"{source:<13}", style=BRAND, end="")
    out.print(line)
