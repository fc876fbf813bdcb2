"""`planoctl down`."""

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import header, say, success
from planoctl.instance import Instance


@click.command()
@options.instance
@click.option("--now", is_flag=True, help="Do not wait for open requests.")
@options.verbose
def down(instance: Instance, now: bool) -> None:
    """Stop the gateway; open requests may finish.

    Clients with open requests get up to 30 seconds, or what `up --drain-seconds` said. Keys, sockets and
    the traces of `up --with-tracing` are removed; the configuration and the logs stay.
    """
    from planoctl.cli.start import exclusive, stop_running
    from planoctl.cli.tracing import forget_traces
    from planoctl.supervise.control import find_running, kill_orphans, remove_traces

    header()
    if not instance.run_dir.exists():
        say("No Plano instance was running")
        return
    with exclusive(instance):
        running = find_running(instance.paths)
        stopped = running is not None and stop_running(running, instance.paths, at_once=now)
        orphans = kill_orphans(instance.paths)
        remove_traces(instance.paths)
        forget_traces(instance.paths)
    if orphans:
        say(f"Ended processes that had lost their supervisor: {', '.join(orphans)}")
    if stopped or orphans:
        success("Plano stopped")
    else:
        say("No Plano instance was running")
