"""`planoctl up`."""

from pathlib import Path

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import header
from planoctl.instance import Instance


@click.command()
@options.config_file
@options.path
@options.env_file
@options.listener_port
@options.instance
@click.option("--watch", is_flag=True, help="Reload whenever the configuration, its .env file or a jwks_file changes.")
@click.option("--foreground", is_flag=True, help="Stay in this terminal and show the logs; Ctrl-C stops the gateway.")
@click.option(
    "--with-tracing", is_flag=True, help="Trace every request to a collector on this host; see planoctl trace."
)
@click.option(
    "--tracing-port",
    type=click.IntRange(1, 65534),
    metavar="PORT",
    default=4317,
    show_default=True,
    help="With --with-tracing: port of the collector. One that listens there already is used.",
)
@options.process_counts
@options.drain_seconds
@options.envoy_path
@click.option("--demo", is_flag=True, help="Use a fake provider instead of a configuration file.")
@options.log_level
@options.verbose
@click.option_panel("Configuration", options=["file", "--path", "--env-file", "--listener-port", "--demo"])
@click.option_panel(
    "Runtime",
    options=[
        "--foreground",
        "--watch",
        "--with-tracing",
        "--tracing-port",
        "--instance",
        "--workers",
        "--concurrency",
        "--drain-seconds",
        "--envoy-path",
        "--log-level",
    ],
)
def up(
    file: Path | None,
    folder: Path,
    env_file: Path | None,
    listener_port: int,
    instance: Instance,
    watch: bool,
    foreground: bool,
    with_tracing: bool,
    tracing_port: int,
    workers: int | None,
    concurrency: int | None,
    drain_seconds: float,
    envoy_path: str | None,
    demo: bool,
    log_level: str,
) -> None:
    """Start the gateway, or replace the running one.

    FILE is the configuration; without it config.yaml or plano_config.yaml in --path is taken. If there is none, every
    provider whose key is in the environment is made available. A configuration with errors leaves a running gateway as
    it is.
    """
    from planoctl.supervise.plan import StartRequest

    config, env_path = options.existing(file, "config file"), options.existing(env_file, "env file")
    request = StartRequest(
        config=str(config) if config else None,
        env_file=str(env_path) if env_path else None,
        folder=str(folder.expanduser().absolute()),
        workers=workers,
        concurrency=concurrency,
        listener_port=listener_port,
        envoy_path=envoy_path,
        log_level=log_level,
        drain_seconds=drain_seconds,
        demo=demo,
        watch=watch,
        tracing_port=tracing_port if with_tracing else None,
    )
    header()
    if foreground:
        from planoctl.cli.foreground import start_in_foreground

        start_in_foreground(request, instance)
    else:
        from planoctl.cli.start import start_in_background

        start_in_background(request, instance)
