"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from planoctl.cli.errors import VERBOSE, CliError
from planoctl.config.deployment import Capacity, InternalPorts
from planoctl.config.metrics_address import MetricsAddress, metrics_address
from planoctl.instance import Instance, InstanceNameError

type_folder = click.Path(file_okay=False, path_type=Path)
type_file = click.Path(dir_okay=False, path_type=Path)

_LEVELS = ["trace", "debug", "info", "warning", "warn", "error", "critical"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _InstanceType(click.ParamType[Instance]):
    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Instance:
        if isinstance(value, Instance):
            return value
        try:
            return Instance.named(value, os.environ)
        except InstanceNameError as error:
            self.fail(str(error), param, ctx)


instance = click.option(
    "--instance",
    type=_InstanceType(),
    default="default",
    envvar="PLANO_INSTANCE",
    show_envvar=True,
    help="Name of the instance; several can run side by side.",
)
config_file = click.argument("file", required=False, type=type_file, help="The configuration, in YAML.")
path = click.option(
    "--path",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Folder of config.yaml or plano_config.yaml.",
)
env_file = click.option(
    "--env-file", type=type_file, envvar="PLANO_ENV_FILE", help="File of NAME=value lines; default: .env by the config."
)
envoy_path = click.option("--envoy-path", metavar="FILE", help="Envoy to run instead of the installed one.")
listener_port = click.option(
    "--listener-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    default=12000,
    show_default=True,
    envvar="PLANO_LISTENER_PORT",
    help="Port of the gateway when there is no configuration file.",
)


def _remember_verbose(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta[VERBOSE] = value


verbose = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    expose_value=False,
    callback=_remember_verbose,
    help="Show the traceback of an error.",
)


def log_level(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--log-level",
        type=click.Choice(_LEVELS, case_sensitive=False),
        metavar="LEVEL",
        default="info",
        show_default=True,
        envvar="LOG_LEVEL",
        callback=lambda _context, _parameter, value: "warning" if value == "warn" else value,
        help=f"How much the processes log: {', '.join(_LEVELS)}.",
    )(function)


def access_log(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--access-log",
        type=click.Choice(["file", "stdout"]),
        default="file",
        show_default=True,
        envvar="PLANO_ACCESS_LOG",
        help="Where Envoy writes its access log: logs/access.log, or its own output, which containers collect.",
    )(function)


def process_counts(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--workers` and `--concurrency`."""
    workers = click.option(
        "--workers",
        type=click.IntRange(1, 256),
        metavar="N",
        envvar="PLANO_WORKERS",
        help="Sidecar processes; default: one per core, at most 8.",
    )
    concurrency = click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        metavar="N",
        envvar="PLANO_CONCURRENCY",
        help="Envoy worker threads; default: one per core.",
    )
    return workers(concurrency(function))


drain_seconds = click.option(
    "--drain-seconds",
    type=click.FloatRange(0, 86400),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    envvar="PLANO_DRAIN_SECONDS",
    help="How long open requests may take to finish when the gateway stops.",
)


def existing(file: Path | None, what: str) -> Path | None:
    """The absolute path of a file that was named; raises CliError if there is none."""
    if file is None:
        return None
    path = file.expanduser().absolute()
    if not path.is_file():
        raise CliError(f"{what} {file} does not exist", remedy=f"check the path; looked at {path}")
    return path


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def envoy_capacity() -> Capacity:
    """What Envoy may take of this machine; PLANO_ENVOY_MEMORY_MIB and PLANO_MAX_CONNECTIONS win."""
    from planoctl.machine import capacity

    mebibytes = _number("PLANO_ENVOY_MEMORY_MIB", least=64)
    return capacity(
        heap_bytes=mebibytes * 1024 * 1024 if mebibytes else None, connections=_number("PLANO_MAX_CONNECTIONS", least=1)
    )


def _number(variable: str, *, least: int) -> int | None:
    text = os.environ.get(variable)
    if not text:
        return None
    if not text.isdecimal() or not least <= int(text) < 2**31:
        raise CliError(f"{variable}={text} is not a usable number", remedy=f"write a whole number from {least}")
    return int(text)


def internal_ports(*, random: bool) -> InternalPorts:
    """The usual ports, or with `random` free ones. Variables win; 0 in a variable asks for a free port."""
    from planoctl.port_check import free_port

    fixed = InternalPorts()
    taken: set[int] = set()

    def choose(variable: str, usual: int) -> int:
        text = os.environ.get(variable) or str(0 if random else usual)
        if not text.isdecimal() or int(text) > 65535:
            raise CliError(f"{variable}={text} is no TCP port", remedy="use a number from 1 to 65535, or 0 for any")
        port = int(text) or next(port for port in iter(free_port, None) if port not in taken)
        taken.add(port)
        return port

    brightstaff = choose("PLANO_BRIGHTSTAFF_PORT", fixed.brightstaff)
    admin = choose("PLANO_ADMIN_PORT", fixed.admin)
    usual = MetricsAddress(fixed.metrics_host, choose("PLANO_METRICS_PORT", fixed.metrics))
    metrics = metrics_address(os.environ, usual)
    return InternalPorts(brightstaff, admin, metrics.port, metrics.host)
