"""`planoctl diff`."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli import options
from planoctl.instance import Instance

if TYPE_CHECKING:
    from planoctl.config.runtime import RuntimeConfig

_MOST_FILES = 2


@click.command()
@click.argument("files", nargs=-1, type=options.type_file, metavar="[OLD] [NEW]", help="The configurations, in YAML.")
@options.path
@options.env_file
@options.instance
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--exit-code", is_flag=True, help="Exit code 1 if there are differences.")
@options.verbose
@click.pass_context
def diff(
    context: click.Context,
    files: tuple[Path, ...],
    folder: Path,
    env_file: Path | None,
    instance: Instance,
    as_json: bool,
    exit_code: bool,
) -> None:
    """Show what another configuration would change.

    With one file, or none, it is compared with what the running instance serves. Comments, order and spelling make no
    difference, nor does what only repeats a default. Keys are told by the names of their variables, never by their
    values, and need not be set.

    Exit code 0; with --exit-code 1 if there are differences. 1 also if a configuration is invalid, 2 if the command was
    called wrongly, 3 if there is no second file and the gateway is not running.
    """
    from planoctl.cli.compared import load_new, load_old, load_running
    from planoctl.cli.console import say
    from planoctl.cli.differences import as_json as json_text
    from planoctl.cli.differences import print_changes
    from planoctl.config.compare import changed_secrets, compare
    from planoctl.config.effects import effects

    if len(files) > _MOST_FILES:
        raise click.UsageError(f"name one configuration or two, not {len(files)}")
    env_file = options.existing(env_file, "env file")
    new = load_new(files[-1] if files else None, folder, env_file)
    old = load_old(files[0], env_file) if len(files) == _MOST_FILES else load_running(instance)
    changes = compare(old.runtime, new.runtime) + changed_secrets(old.secrets, new.secrets)
    found = effects(old.runtime, new.runtime, _bootstrap) if changes else []
    if as_json:
        click.echo(json_text(changes, found))
    elif changes:
        say(f"{old.source} → {new.source}", style="dim")
        say()
        print_changes(changes, found)
    else:
        say(f"{new.source} says the same as {old.source}")
    context.exit(1 if changes and exit_code else 0)


def _bootstrap(config: "RuntimeConfig") -> str:
    """What Envoy reads once, of a configuration on its own: the deployment makes no difference."""
    from planoctl.config.deployment import Deployment
    from planoctl.render import render_envoy
    from planoctl.render.envoy import BOOTSTRAP

    return render_envoy(config, Deployment(run_dir=Path("/")))[BOOTSTRAP]
