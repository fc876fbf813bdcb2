"""`planoctl validate`."""

import dataclasses
import json
from pathlib import Path

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import success


@click.command()
@options.config_file
@options.path
@options.env_file
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help='Print {"ok": …, "findings": […]}.')
@click.option("--render", "target", type=options.type_folder, metavar="DIR", help="Also write the rendered files.")
@options.envoy_path
@options.verbose
@click.pass_context
def validate(
    context: click.Context,
    file: Path | None,
    folder: Path,
    env_file: Path | None,
    strict: bool,
    as_json: bool,
    target: Path | None,
    envoy_path: str | None,
) -> None:
    """Check a configuration without starting it.

    Everything that `planoctl up` checks before it starts: schema, references, variables, and Envoy's own validation of
    what is rendered. Exit code 0 if there is nothing wrong, 1 if there is, 2 if the command was called wrongly.
    """
    from planoctl.cli.findings import InvalidConfigError, print_findings
    from planoctl.cli.rendering import check_with_envoy, load_named, write_rendered
    from planoctl.config.deployment import Deployment

    try:
        configuration = load_named(file, folder, env_file, strict=strict)
        findings = (*configuration.warnings, *check_with_envoy(configuration.loaded, envoy_path))
        valid = all(finding.severity != "error" for finding in findings)
        if target is not None and valid:
            write_rendered(configuration.loaded, Deployment(run_dir=target.absolute()), with_secrets=False)
    except InvalidConfigError as error:
        if not as_json:
            raise
        valid, findings = False, error.findings
    if as_json:
        shown = [dataclasses.asdict(finding) for finding in findings]
        click.echo(json.dumps({"ok": valid, "findings": shown}, indent=2))
    elif valid:
        print_findings(findings)
        success(f"{configuration.file} is valid")
    else:
        raise InvalidConfigError(findings)
    context.exit(0 if valid else 1)
