"""`planoctl trace`: the group, and the collector's start and stop. Showing traces is in trace_query."""

from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import say, success, warn
from planoctl.cli.errors import CliError
from planoctl.cli.trace_query import query
from planoctl.traces import DEFAULT_PORT

if TYPE_CHECKING:
    from planoctl.traces.collector import Collector, Settings

_HIGHEST_PORT = 65535


class TraceGroup(click.RichGroup):
    """Without a subcommand it is `query`, so that `planoctl trace last` is enough. `down` is `stop`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else None
        if first not in ctx.help_option_names and (first is None or self.get_command(ctx, first) is None):
            args = ["query", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, "stop" if cmd_name == "down" else cmd_name)


@click.group(cls=TraceGroup)
def trace() -> None:
    """Collect traces on this host, and show them.

    `planoctl trace listen` starts a collector. `planoctl trace` shows the newest trace, `planoctl trace --list` lets
    you choose one, and `planoctl trace ID` shows that one: these are short for `planoctl trace query`.
    """


@trace.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, _HIGHEST_PORT),
    metavar="PORT",
    default=DEFAULT_PORT,
    show_default=True,
    envvar="PLANO_TRACE_PORT",
    show_envvar=True,
    help="Port for OTLP over gRPC.",
)
@click.option(
    "--http-port",
    type=click.IntRange(0, _HIGHEST_PORT),
    metavar="PORT",
    help="Port for OTLP over HTTP, 0 for none; default: the one after --port.",
)
@click.option("--foreground", is_flag=True, help="Stay in this terminal until Ctrl-C.")
@options.verbose
def listen(host: str, port: int, http_port: int | None, foreground: bool) -> None:
    """Start a collector in the background.

    It receives spans over OTLP (gRPC, and HTTP at /v1/traces) from the gateway and from everything else on this host,
    and keeps the latest 50 traces in memory.
    """
    from planoctl.traces import background
    from planoctl.traces.collector import Settings

    if http_port is None and port < _HIGHEST_PORT:
        http_port = port + 1
    settings = Settings(host, port, http_port or None)
    if (present := background.collector_at(host, port)) is not None:
        if foreground:
            raise CliError(
                f"a trace collector listens on port {port} already (PID: {present})",
                remedy=f"stop it: `planoctl trace stop{_port_option(port)}`",
            )
        warn(f"Trace listener already running on port {port} (PID: {present})")
        return
    _check_ports(settings)
    if foreground:
        _run(settings)
        return
    try:
        identity = background.start(settings)
    except background.NotStarted as error:
        raise CliError(
            f"Failed to start trace listener: {error}",
            details=[f"  │ {line}" for line in error.lines],
            remedy="see the lines above; `planoctl trace listen --foreground` shows more",
        ) from error
    success(f"Trace listener started (PID: {identity.pid})")
    _say_where(settings)
    at = _port_option(port)
    to = at if host in ("127.0.0.1", "0.0.0.0") else f"{at} --host {host}"  # noqa: S104 — compared, not bound
    say(f"Next:  planoctl trace{to}  ·  planoctl trace --list{to}  ·  planoctl trace stop{at}")


@trace.command()
@click.option("--port", type=click.IntRange(1, _HIGHEST_PORT), metavar="PORT", help="Only the collector on this port.")
@options.verbose
def stop(port: int | None) -> None:
    """Stop the collector in the background.

    One that `planoctl up --with-tracing` started ends with `planoctl down`.
    """
    from planoctl.traces import background

    found = {where: who for where, who in background.running().items() if port in (None, where)}
    stopped = [where for where, who in found.items() if background.stop(where, who)]
    if stopped:
        success(f"Trace listener stopped (port {', '.join(map(str, stopped))})")
    else:
        say("No background trace listener running")


trace.add_command(query)


def _run(settings: "Settings") -> None:
    import contextlib

    from planoctl.traces.background import pid_path, remembered
    from planoctl.traces.collector import ListenError, run_collector

    with contextlib.ExitStack() as stack:

        def ready(collector: "Collector") -> None:
            stack.enter_context(remembered(pid_path(collector.port)))
            success("Trace listener running; Ctrl-C stops it")
            _say_where(settings)

        try:
            run_collector(settings, ready)
        except ListenError as error:
            raise CliError(str(error)) from error


def _check_ports(settings: "Settings") -> None:
    from planoctl.port_check import Address, find_conflicts

    ports = {settings.port: "OTLP over gRPC", settings.http_port: "OTLP over HTTP"}
    wanted = [Address(settings.host, port, purpose) for port, purpose in ports.items() if port]
    if conflicts := find_conflicts(wanted):
        port, reason = conflicts[0].address.port, conflicts[0].reason
        raise CliError(
            f"Port {port} is {reason} by another process"
            if reason == "already in use"
            else f"Cannot listen on {settings.host}: {reason}",
            details=[f"  • {conflict}" for conflict in conflicts],
            remedy="stop what is in the way, or choose with --host, --port and --http-port",
        )


def _say_where(settings: "Settings") -> None:
    from planoctl.traces.collector import written

    say(f"  OTLP/gRPC  http://{written(settings.host, settings.port)}")
    if settings.http_port is not None:
        say(f"  OTLP/HTTP  http://{written(settings.host, settings.http_port)}/v1/traces")


def _port_option(port: int) -> str:
    """What to add to a command so that it means the collector on this port."""
    return "" if port == DEFAULT_PORT else f" --port {port}"
