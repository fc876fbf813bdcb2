"""`planoctl reload`."""

import signal
import time
from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import say, success, warn
from planoctl.cli.errors import CliError, NotRunningError
from planoctl.instance import Instance

if TYPE_CHECKING:
    from planoctl.cli.prepare import Prepared
    from planoctl.rollout.rollout import Outcome

_PATIENCE_SECONDS = 10.0


@click.command()
@options.instance
@options.verbose
def reload(instance: Instance) -> None:
    """Take up the changed configuration; no request notices.

    The file is read anew, and so are the keys in the environment and the .env file; keys that are in neither stay as
    they are. Requests that have begun end as they began. A configuration with errors changes nothing. The number of
    processes, the log level and internal ports stay: change them with `planoctl up`.
    """
    from planoctl.cli.findings import print_findings
    from planoctl.cli.start import exclusive
    from planoctl.config.reloads import ReloadRecord, write_record

    began = time.monotonic()
    with exclusive(instance, patience=_PATIENCE_SECONDS):
        try:
            prepared, outcome, changed = _reload(instance)
        except NotRunningError:
            raise
        except CliError as error:
            write_record(ReloadRecord(ok=False, message=error.message), instance.run_dir)
            warn("nothing was changed: the gateway goes on with the configuration that it has")
            raise
        write_record(ReloadRecord(ok=True), instance.run_dir)
    print_findings(prepared.configuration.warnings)
    success(f"reloaded {prepared.configuration.file} in {time.monotonic() - began:.1f} s: {changed}")
    if outcome.absent:
        say(f"  not running at the moment, will start with it: {', '.join(outcome.absent)}")
    if outcome.restart:
        say("  part of it needs a new Envoy: run `planoctl restart` when it suits")


def _reload(instance: Instance) -> "tuple[Prepared, Outcome, str]":
    """What was prepared, how it came into force, and one line of what changed."""
    from planoctl.cli.compared import load_running
    from planoctl.cli.prepare import prepare_again
    from planoctl.config.compare import changed_secrets, compare, summary
    from planoctl.config.pipeline import dump_rendered
    from planoctl.rollout.rollout import Rendered, RolloutFailed, roll_out
    from planoctl.supervise.control import find_running
    from planoctl.supervise.plan import write_plan

    running = find_running(instance.paths)
    if running is None:
        raise NotRunningError(f"Plano is not running (instance {instance.name})", remedy="run `planoctl up`")
    before = load_running(instance)
    prepared = prepare_again(instance, running)
    loaded = prepared.configuration.loaded
    touched = _listeners_differ(prepared)
    changes = compare(before.runtime, loaded.runtime) + changed_secrets(before.secrets, loaded.secrets)
    try:
        outcome = roll_out(
            Rendered(dump_rendered(loaded.document), loaded.secrets, prepared.envoy_files), prepared.deployment
        )
    except (RolloutFailed, OSError) as error:
        raise CliError(f"not reloaded: {error}", remedy=f"see the logs in {prepared.deployment.log_dir}") from error
    write_plan(prepared.plan, instance.plan_path)
    running.identity.send(signal.SIGHUP)
    return prepared, outcome, summary(changes) or ("a file that it names changed" if touched else "nothing changed")


def _listeners_differ(prepared: "Prepared") -> bool:
    """Whether the listeners would be others than those that were rendered last."""
    from planoctl.render.xds import LISTENERS

    try:
        rendered = (prepared.deployment.envoy_dir / LISTENERS).read_text(encoding="utf-8")
    except OSError:
        return False
    return rendered != prepared.envoy_files[LISTENERS]
