"""`planoctl render`."""

import shlex
from pathlib import Path

import rich_click as click
from click.core import ParameterSource

from planoctl.cli import options
from planoctl.cli.console import BRAND, say, success
from planoctl.cli.errors import CliError
from planoctl.config.deployment import AccessLog, Deployment
from planoctl.render.image import DEFAULT_IMAGE

_IMAGE_PROCESSES = 2
_ONLY_FOR = {
    "with_secrets": ("envoy",),
    "access_log": ("envoy",),
    "image": ("kubernetes", "compose"),
    "name": ("kubernetes", "compose"),
    **dict.fromkeys(("namespace", "secret", "replicas", "max_replicas", "drain_seconds"), ("kubernetes",)),
}
_NAME = r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?"


@click.command()
@options.config_file
@options.path
@options.env_file
@click.option(
    "--target",
    type=click.Choice(["envoy", "kubernetes", "compose"]),
    default="envoy",
    show_default=True,
    help="What to write: files for processes that you run yourself, Kubernetes manifests, or a Compose file.",
)
@click.option(
    "--output",
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Where to: a folder, or for manifests also a .yaml file, or - for stdout.",
)
@click.option("--with-secrets", is_flag=True, help="Also write secrets.json, with the keys in plain text, mode 0600.")
@options.access_log
@options.process_counts
@options.log_level
@click.option("--image", metavar="IMAGE", default=DEFAULT_IMAGE, show_default=True, help="The gateway's image.")
@click.option("--name", metavar="NAME", default="plano", show_default=True, help="Name of the deployment.")
@click.option("--namespace", metavar="NAME", help="Namespace; default: that of kubectl's context.")
@click.option(
    "--secret", metavar="NAME", default="plano-keys", show_default=True, help="Secret that holds the variables."
)
@click.option(
    "--replicas", type=click.IntRange(1, 1000), metavar="N", default=2, show_default=True, help="Fewest pods."
)
@click.option(
    "--max-replicas",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=10,
    show_default=True,
    help="Most pods; an autoscaler decides unless it is --replicas or less.",
)
@click.option(
    "--drain-seconds",
    type=click.IntRange(1, 3600),
    metavar="N",
    default=30,
    show_default=True,
    help="How long a pod that is to go may finish its requests.",
)
@options.verbose
@click.option_panel("Kubernetes and Compose", options=["--image", "--name"])
@click.option_panel(
    "Kubernetes", options=["--namespace", "--secret", "--replicas", "--max-replicas", "--drain-seconds"]
)
@click.pass_context
def render(
    context: click.Context,
    file: Path | None,
    folder: Path,
    env_file: Path | None,
    target: str,
    output: Path,
    with_secrets: bool,
    access_log: AccessLog,
    workers: int | None,
    concurrency: int | None,
    log_level: str,
    image: str,
    name: str,
    namespace: str | None,
    secret: str,
    replicas: int,
    max_replicas: int,
    drain_seconds: int,
) -> None:
    """Write the files to run the gateway elsewhere.

    For envoy, a folder with plano_config_rendered.yaml and envoy/ with envoy.yaml, lds.yaml and cds.yaml, to run the
    processes yourself. Paths in them are absolute: render to the folder they will be used in.

    For kubernetes, the manifests in one file, or a folder for `kubectl apply -k`; for compose, a Compose file. The
    configuration goes in as it is, its variables as references to a Secret or to the environment: keys need not be
    set, and none may be written into the file.
    """
    _check_options(context, target)
    if target == "envoy":
        deployment = _own_deployment(output, workers, concurrency, log_level, access_log)
        _render_envoy(file, folder, env_file, deployment, with_secrets=with_secrets)
        return
    _check_names(name=name, namespace=namespace, secret=secret)
    from planoctl.cli.manifests import image_deployment, load_without_keys, write_compose, write_kubernetes
    from planoctl.render.kubernetes import Site

    named = load_without_keys(file, folder, env_file)
    deployment = image_deployment(
        workers=workers or _IMAGE_PROCESSES, concurrency=concurrency or _IMAGE_PROCESSES, log_level=log_level
    )
    if target == "compose":
        write_compose(named, deployment, name=name, image=image, target=output)
        return
    site = Site(
        image=image,
        name=name,
        namespace=namespace,
        secret=secret,
        replicas=replicas,
        max_replicas=max_replicas,
        drain_seconds=drain_seconds,
    )
    write_kubernetes(named, deployment, site, output)


def _check_options(context: click.Context, target: str) -> None:
    for parameter in context.command.params:
        targets = _ONLY_FOR.get(parameter.name or "", (target,))
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and target not in targets:
            raise click.UsageError(f"{parameter.opts[0]} is for --target {' or '.join(targets)} only")


def _check_names(**names: str | None) -> None:
    import re

    for option, name in names.items():
        if name is not None and not re.fullmatch(_NAME, name):
            raise CliError(f"--{option} {name} is no name", remedy="use up to 40 of a-z, 0-9 and '-', a letter first")


def _own_deployment(
    output: Path, workers: int | None, concurrency: int | None, log_level: str, access_log: AccessLog
) -> Deployment:
    return Deployment(
        run_dir=output.expanduser().absolute(),
        workers=workers or 1,
        concurrency=concurrency or options.usable_cores(),
        ports=options.internal_ports(random=False),
        log_level=log_level,
        access_log=access_log,
        capacity=options.envoy_capacity(),
    )


def _render_envoy(
    file: Path | None,
    folder: Path,
    env_file: Path | None,
    deployment: Deployment,
    *,
    with_secrets: bool,
) -> None:
    from planoctl.cli.findings import print_findings
    from planoctl.cli.rendering import load_named, write_rendered
    from planoctl.launch import service_commands

    configuration = load_named(file, folder, env_file)
    loaded = configuration.loaded
    written = write_rendered(loaded, deployment, with_secrets=with_secrets)
    print_findings(configuration.warnings)
    success(f"rendered {configuration.file}")
    for path in written:
        say(f"  {path}")
    if loaded.secrets and not with_secrets:
        say()
        say(f"Keys are not written. Put a JSON object with {', '.join(sorted(loaded.secrets))} into")
        say(f"  {deployment.secrets_path}   (or render with --with-secrets)")
    say()
    say("Start, in this order:")
    for command in service_commands(deployment):
        say(f"  {shlex.join(command)}", style=BRAND)
