"""`up --foreground`: the supervisor runs in this process and its log, and its children's, go to stdout."""

import asyncio
import os

from planoctl.cli.announce import announce
from planoctl.cli.console import BRAND, console
from planoctl.cli.prepare import Prepared
from planoctl.cli.start import check_and_stop, exclusive, failed_start, write_files
from planoctl.instance import Instance
from planoctl.log_tail import FolderTail
from planoctl.supervise.control import StartError, remove_traces
from planoctl.supervise.log import log_to
from planoctl.supervise.plan import StartRequest
from planoctl.supervise.supervisor import Supervisor

_POLL_SECONDS = 0.2


def start_in_foreground(request: StartRequest, instance: Instance) -> None:
    """Start or replace an instance and run it until Ctrl-C or SIGTERM; raises CliError if it does not start."""
    with exclusive(instance):
        prepared = check_and_stop(request, instance)
        write_files(prepared)
    log_to(prepared.deployment.log_dir / "supervisor.log", level=request.log_level)
    supervisor = Supervisor(
        prepared.plan, pid_path=prepared.deployment.pid_path, state_path=prepared.deployment.state_path
    )
    os.umask(0o077)
    asyncio.run(_run(supervisor, prepared))
    remove_traces(prepared.deployment)
    if (failure := supervisor.failure) is not None:
        raise failed_start(StartError(failure, f"{failure.child} {failure.reason}"), prepared.deployment)


async def _run(supervisor: Supervisor, prepared: Prepared) -> None:
    tail = FolderTail(prepared.deployment.log_dir)
    streaming = asyncio.create_task(_stream(tail))
    announcing = asyncio.create_task(_announce_when_ready(supervisor, prepared))
    try:
        await supervisor.run()
    finally:
        for task in (streaming, announcing):
            task.cancel()
        _print_new(tail)


async def _announce_when_ready(supervisor: Supervisor, prepared: Prepared) -> None:
    await supervisor.started.wait()
    announce(prepared)


async def _stream(tail: FolderTail) -> None:
    while True:
        _print_new(tail)
        await asyncio.sleep(_POLL_SECONDS)


def _print_new(tail: FolderTail) -> None:
    out = console()
    for source, line in tail.poll():
        out.print(f"{source:<13} ", style=BRAND, end="")
        out.print(line)
