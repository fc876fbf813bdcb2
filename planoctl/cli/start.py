"""The start itself, after `prepare`: stop the old instance, write the files, start the supervisor, wait, report."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from planoctl.cli.announce import announce
from planoctl.cli.console import say, step
from planoctl.cli.errors import CliError
from planoctl.cli.findings import print_findings
from planoctl.cli.prepare import Prepared, prepare
from planoctl.cli.tracing import forget_traces, has_collector
from planoctl.config.deployment import Deployment
from planoctl.instance import Instance, InstanceBusyError
from planoctl.log_tail import last_lines
from planoctl.private_files import write_private
from planoctl.supervise.control import (
    Running,
    StartError,
    find_running,
    kill_orphans,
    remove_traces,
    start_detached,
    stop_process,
    wait_until_ready,
)
from planoctl.supervise.identity import ProcessIdentity
from planoctl.supervise.plan import DRAIN_SECONDS, StartRequest, write_plan
from planoctl.supervise.state import State

_SHOWN_LOG_LINES = 20
_MARGIN_SECONDS = 15.0


def start_in_background(request: StartRequest, instance: Instance) -> Prepared:
    """Start or replace an instance and return when it is ready; raises CliError with nothing half-started left."""
    with exclusive(instance):
        prepared = check_and_stop(request, instance)
        write_files(prepared)
        _start_supervisor(prepared)
    announce(prepared)
    return prepared


def check_and_stop(request: StartRequest, instance: Instance) -> Prepared:
    """Check everything, and only then stop the instance that runs."""
    running = find_running(instance.paths)
    prepared = prepare(request, instance, running)
    _report_findings(prepared)
    if running is not None:
        step("stopping the running instance")
        stop_running(running, instance.paths)
    kill_orphans(instance.paths)
    remove_traces(prepared.deployment)
    if not has_collector(prepared.plan):
        forget_traces(prepared.deployment)
    return prepared


def stop_running(running: Running, paths: Deployment, *, at_once: bool = False) -> bool:
    """Stop an instance, saying what it waits for; False if it was gone already."""
    drain = running.plan.drain_seconds if running.plan else DRAIN_SECONDS
    return stop_process(running.identity, paths, drain_seconds=drain, at_once=at_once, report=_progress())


@contextlib.contextmanager
def exclusive(instance: Instance, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the instance's lock; a second command gets a clear error after `patience` seconds."""
    try:
        with instance.lock(patience=patience):
            yield
    except InstanceBusyError:
        raise CliError(
            f"another planoctl command is starting or stopping the instance {instance.name!r}",
            remedy="wait for it, or stop it",
        ) from None


def write_files(prepared: Prepared) -> None:
    """Write everything the processes read. Only the owner can read it."""
    from planoctl.config.pipeline import dump_rendered
    from planoctl.config.reloads import forget_record
    from planoctl.render import write_envoy

    deployment, loaded = prepared.deployment, prepared.configuration.loaded
    forget_record(deployment.run_dir)
    write_private(deployment.config_path, dump_rendered(loaded.document))
    write_private(deployment.secrets_path, json.dumps(loaded.secrets))
    write_envoy(prepared.envoy_files, deployment.envoy_dir)
    write_plan(prepared.plan, prepared.instance.plan_path)


def failed_start(error: StartError, deployment: Deployment) -> CliError:
    """The error for the user: which process, what became of it, the end of its log."""
    log = Path(error.failure.log) if error.failure else deployment.log_dir / "supervisor.log"
    lines = last_lines(log, _SHOWN_LOG_LINES, since=error.failure.log_offset if error.failure else 0)
    return CliError(
        f"Plano did not start: {error}",
        details=[f"  last lines of {log}:" if lines else f"  {log} is empty", *(f"  │ {line}" for line in lines)],
        remedy="everything was stopped again; see the lines above, or start with --log-level debug",
    )


def _start_supervisor(prepared: Prepared) -> None:
    paths = prepared.deployment
    process = start_detached(paths)
    try:
        wait_until_ready(process, paths, seconds=prepared.plan.ready_seconds + _MARGIN_SECONDS, report=_progress())
    except StartError as error:
        shown = failed_start(error, paths)
        remove_traces(paths)
        raise shown from error
    except KeyboardInterrupt:
        stop_process(ProcessIdentity.of(process.pid), paths, drain_seconds=0, at_once=True)
        remove_traces(paths)
        raise


def _progress() -> Callable[[State], None]:
    """Prints each child's change of phase once."""
    seen: dict[str, tuple[str, str | None]] = {}

    def report(state: State) -> None:
        for child in state.children:
            now = (child.phase, child.waiting_for if child.phase == "stopping" else None)
            if seen.get(child.name) != now and child.phase != "waiting":
                seen[child.name] = now
                detail = f" (pid {child.pid})" if child.phase == "starting" else f": {now[1]}" if now[1] else ""
                step(f"{child.name} {child.phase}{detail}")

    return report


def _report_findings(prepared: Prepared) -> None:
    configuration = prepared.configuration
    if configuration.summary is not None:
        port = prepared.plan.request.listener_port
        say(f"No plano config found; using defaults ({configuration.summary}). Listening on :{port}.")
    if configuration.warnings:
        print_findings(configuration.warnings)
