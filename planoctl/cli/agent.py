"""`planoctl agent`."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import success

if TYPE_CHECKING:
    from planoctl.config.deployment import AccessLog, Deployment
    from planoctl.rollout.rollout import Rendered


@click.command()
@click.option("--config", type=options.type_file, required=True, metavar="FILE", help="The configuration, in YAML.")
@click.option("--run-dir", type=options.type_folder, required=True, metavar="DIR", help="Where the processes read.")
@options.env_file
@options.process_counts
@options.envoy_path
@click.option("--once", is_flag=True, help="End after the first time, without waiting for changes.")
@options.access_log
@options.log_level
@options.verbose
def agent(
    config: Path,
    run_dir: Path,
    env_file: Path | None,
    workers: int | None,
    concurrency: int | None,
    envoy_path: str | None,
    once: bool,
    access_log: "AccessLog",
    log_level: str,
) -> None:
    """Render a configuration, and roll out its changes to what runs.

    For containers, where each process of the gateway has one of its own and they share DIR. Values of variables come
    from the environment. A changed FILE is checked and then brought to Envoy, the sidecar workers and brightstaff in
    the right order, without a request noticing; one with errors changes nothing. DIR/plano_config_rendered.yaml is
    written last: where it is, the other processes can start.
    """
    from planoctl.cli.errors import CliError
    from planoctl.config.deployment import Deployment
    from planoctl.config.pipeline import env_file_beside
    from planoctl.rollout.agent import Agent

    logging.basicConfig(stream=sys.stderr, level=log_level.upper().replace("TRACE", "DEBUG"), format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    file, env_path = options.existing(config, "config file"), options.existing(env_file, "env file")
    if file is None:
        raise click.UsageError("no configuration was named")
    deployment = Deployment(
        run_dir=run_dir.expanduser().absolute(),
        workers=workers or 1,
        concurrency=concurrency or options.usable_cores(),
        ports=options.internal_ports(random=False),
        log_level=log_level,
        access_log=access_log,
    )
    watched = [path for path in (file, env_path or env_file_beside(file)) if path is not None]
    rolling = Agent(deployment, watched, lambda: _render(file, env_path, deployment, envoy_path), CliError)
    rolling.render()
    success(f"rendered {file} to {deployment.run_dir}")
    if once:
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    rolling.follow(stop)


def _render(file: Path, env_file: Path | None, deployment: "Deployment", envoy_path: str | None) -> "Rendered":
    """Raises CliError if the configuration, or what Envoy says to it, is bad."""
    from planoctl.cli.errors import CliError
    from planoctl.cli.findings import InvalidConfigError, print_findings
    from planoctl.config.edge_files import key_set_files
    from planoctl.config.findings import ConfigError
    from planoctl.config.pipeline import dump_rendered, load_config
    from planoctl.envoy_binary import EnvoyError, find_envoy, validate_files
    from planoctl.render import render_envoy
    from planoctl.rollout.rollout import Rendered

    try:
        loaded = load_config(file, environment=os.environ, env_file=env_file)
    except ConfigError as error:
        print_findings(error.findings)
        raise InvalidConfigError(error.findings) from error
    print_findings(loaded.warnings)
    files = render_envoy(loaded.runtime, deployment)
    deployment.log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        validate_files(find_envoy(envoy_path), files, loaded.signing)
    except EnvoyError as error:
        raise CliError(str(error), remedy=error.remedy) from error
    named = tuple(key_set_files(loaded.runtime.listeners))
    return Rendered(dump_rendered(loaded.document), loaded.secrets, files, named)
