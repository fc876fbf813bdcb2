"""`planoctl render` for Kubernetes and Compose: the configuration, judged without its keys, and what it becomes."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import rich_click as click

from planoctl.cli import options
from planoctl.cli.configuration import Configuration
from planoctl.cli.console import say, success
from planoctl.cli.errors import CliError
from planoctl.cli.findings import InvalidConfigError, print_findings
from planoctl.config.deployment import Deployment
from planoctl.config.edge_files import edge_files
from planoctl.config.environment import merged_environment
from planoctl.config.findings import ConfigError, Finding
from planoctl.config.pipeline import find_config, load_config
from planoctl.config.source import parse, read_file
from planoctl.config.variables import report_literal_secrets, stand_ins, variables
from planoctl.render.compose import Stack, compose_file
from planoctl.render.destinations import destinations, is_loopback
from planoctl.render.documents import to_yaml
from planoctl.render.image import PYTHON, RUN_DIR
from planoctl.render.kubernetes import (
    Site,
    create_secret_command,
    create_tls_command,
    kustomization,
    manifests,
    public_listeners,
)

_LARGEST_CONFIG_MAP = 1024 * 1024 - 4096  # bytes; Kubernetes takes 1 MiB in all
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Named:
    """A configuration, its text as written, and its variables: name → whether a value is required."""

    configuration: Configuration
    text: str
    variables: dict[str, bool]


def load_without_keys(file: Path | None, folder: Path, env_file: Path | None) -> Named:
    """The configuration of a file that must exist; keys that are not set do not count as faults.

    Raises InvalidConfigError with all findings, among them secrets that are written into the file.
    """
    env_path = options.existing(env_file, "env file")
    try:
        found = find_config(file.expanduser() if file else None, folder)
        if found is None:
            raise click.UsageError(f"no FILE was named, and {folder} holds no config.yaml or plano_config.yaml")
        text = read_file(found)
        source = parse(text, str(found))
        beside = found.parent / ".env"
        environment = merged_environment(os.environ, env_path or (beside if beside.is_file() else None))
        environment |= stand_ins(source.document, environment)
        loaded = load_config(found, environment=environment, env_file=env_path, elsewhere=True)
        report = source.report(str(found))
        report_literal_secrets(source.document, report)
    except ConfigError as error:
        raise InvalidConfigError(error.findings) from error
    if report.failed:
        raise InvalidConfigError(report.findings)
    asked = {**dict.fromkeys(loaded.secrets, True), **variables(source.document, environment)}
    named = Named(Configuration(loaded, found), text, dict(sorted(asked.items())))
    if not public_listeners(loaded.runtime.listeners):
        raise CliError(
            "every listener binds to loopback", remedy="give one `address: 0.0.0.0`, so that clients reach it"
        )
    _check_mounted(found, edge_files(loaded.runtime.listeners))
    print_findings((*named.configuration.warnings, *_loopback_warnings(named)))
    return named


def _check_mounted(config: Path, files: list[Path]) -> None:
    """Certificates are mounted at their paths, all from one Secret."""
    beside = [file for file in files if file.is_relative_to(config.parent)]
    if beside:
        raise CliError(
            f"{beside[0].relative_to(config.parent)} is beside the configuration: containers have it not",
            remedy="name the files of tls and auth by absolute paths, e.g. /etc/plano-tls/tls.crt",
        )
    if len({file.parent for file in files}) > 1:
        raise CliError(
            "the files of tls and auth are in several folders",
            remedy="name them all in one folder, which one Secret is mounted at",
        )


def image_deployment(*, workers: int, concurrency: int, log_level: str) -> Deployment:
    """The deployment inside of the image."""
    return Deployment(
        run_dir=RUN_DIR,
        workers=workers,
        concurrency=concurrency,
        ports=replace(options.internal_ports(random=False), metrics_host="0.0.0.0"),  # noqa: S104 — of the pod's
        log_level=log_level,
        python=PYTHON,
        access_log="stdout",
    )


def write_kubernetes(named: Named, deployment: Deployment, site: Site, target: Path) -> None:
    """Write one file, or a Kustomize base if `target` is a folder; `-` is stdout."""
    size = len(named.text.encode())
    if size > _LARGEST_CONFIG_MAP:
        raise CliError(f"the configuration has {size} bytes, more than a ConfigMap holds", remedy="make it smaller")
    made = manifests(named.configuration.loaded, named.text, named.variables, deployment, site)
    secret = create_secret_command(named.variables, site)
    heading = ("Made by `planoctl render --target kubernetes`. The keys, once per cluster:", f"  {secret}")
    if _is_file(target):
        _write(target, to_yaml(made.values(), heading))
    else:
        target.mkdir(parents=True, exist_ok=True)
        for name, document in {**made, "kustomization.yaml": kustomization(list(made))}.items():
            _write(target / name, to_yaml([document], heading if name == "deployment.yaml" else ()))
    if str(target) == "-":
        return
    success(f"rendered {named.configuration.file} to {target}")
    say()
    if any(named.variables.values()):
        say(f"  {secret}")
    if files := edge_files(named.configuration.loaded.runtime.listeners):
        say(f"  {create_tls_command(files, site)}")
    say(f"  kubectl apply -{'f' if _is_file(target) else 'k'} {target}")


def write_compose(named: Named, deployment: Deployment, *, name: str, image: str, target: Path) -> None:
    """Write a Compose file; a folder gets a `compose.yaml`, `-` is stdout."""
    stdout = str(target) == "-"
    path = target if _is_file(target) else target / "compose.yaml"
    folder = Path.cwd() if stdout else path.expanduser().absolute().parent
    stack = Stack(name=name, image=image, config_file=named.configuration.file, folder=folder)
    listeners = public_listeners(named.configuration.loaded.runtime.listeners)
    document = compose_file(listeners, named.variables, deployment, stack)
    if not stdout:
        folder.mkdir(parents=True, exist_ok=True)
    _write(path, to_yaml([document], ("Made by `planoctl render --target compose`.",)))
    if not stdout:
        success(f"rendered {named.configuration.file} to {path}")
        say()
        say(f"  docker compose -f {path} up --wait")


def _loopback_warnings(named: Named) -> list[Finding]:
    """Addresses that mean the developer's machine there, and the container itself here."""
    return [
        Finding(
            "warning",
            "loopback-address",
            f"{place.host}:{place.port} means the container itself",
            "write the name of a service that the container reaches",
        )
        for place in destinations(named.configuration.loaded)
        if is_loopback(place.host)
    ]


def _is_file(target: Path) -> bool:
    return str(target) == "-" or (target.suffix in _SUFFIXES and not target.is_dir())


def _write(target: Path, text: str) -> None:
    if str(target) == "-":
        click.echo(text, nl=False)
    else:
        target.write_text(text, encoding="utf-8")
