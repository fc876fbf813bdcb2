"""`planoctl render`."""

import shlex
from pathlib import Path

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import BRAND, say, success


@click.command()
@options.config_file
@options.path
@options.env_file
@click.option("--output", "-o", "target", type=options.type_folder, required=True, metavar="DIR", help="Where to.")
@click.option("--with-secrets", is_flag=True, help="Also write secrets.json, with the keys in plain text, mode 0600.")
@options.process_counts
@options.log_level
@options.verbose
def render(
    file: Path | None,
    folder: Path,
    env_file: Path | None,
    target: Path,
    with_secrets: bool,
    workers: int | None,
    concurrency: int | None,
    log_level: str,
) -> None:
    """Write the files to run the processes yourself.

    DIR then holds plano_config_rendered.yaml and envoy/ with envoy.yaml, lds.yaml and cds.yaml. Paths in them are
    absolute: render to the folder they will be used in.
    """
    from planoctl.cli.findings import print_findings
    from planoctl.cli.rendering import load_named, write_rendered
    from planoctl.config.deployment import Deployment
    from planoctl.launch import service_commands

    configuration = load_named(file, folder, env_file)
    loaded = configuration.loaded
    deployment = Deployment(
        run_dir=target.expanduser().absolute(),
        workers=workers or 1,
        concurrency=concurrency or options.usable_cores(),
        ports=options.internal_ports(random=False),
        log_level=log_level,
    )
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
