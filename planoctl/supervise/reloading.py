"""`planoctl up --watch`: reloads an instance whenever its configuration changes."""

import asyncio
import sys
from logging import Logger
from pathlib import Path

from planoctl.file_stamp import Stamp, file_stamp
from planoctl.supervise.plan import Plan

_PAUSE_SECONDS = 0.25
_RELOAD_SECONDS = 120.0


async def reload_on_change(plan: Plan, log: Logger) -> None:
    """Run `planoctl reload` after each change of the configuration or its env file, once it is written; never ends.

    A process of its own reads and checks the file: nothing in it can harm this one.
    """
    files = watched_files(plan)
    log.info("watching %s", ", ".join(map(str, files)))
    seen = _stamps(files)
    while True:
        await asyncio.sleep(_PAUSE_SECONDS)
        now = _stamps(files)
        if now == seen:
            continue
        while (later := await _after_pause(files)) != now:
            now = later
        seen = now
        await _reload(plan.instance, log)


def watched_files(plan: Plan) -> list[Path]:
    """The configuration, and the env file beside it or the one that was named."""
    config = Path(plan.config)
    return [config, Path(plan.request.env_file) if plan.request.env_file else config.parent / ".env"]


def _stamps(files: list[Path]) -> list[Stamp | None]:
    """What changes when a file is written, replaced, made or removed."""
    return [file_stamp(file) for file in files]


async def _after_pause(files: list[Path]) -> list[Stamp | None]:
    await asyncio.sleep(_PAUSE_SECONDS)
    return _stamps(files)


async def _reload(instance: str, log: Logger) -> None:
    command = (sys.executable, "-P", "-m", "planoctl", "reload", "--instance", instance)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _RELOAD_SECONDS)
    except BaseException:
        if process.returncode is None:
            process.kill()
        raise
    for line in output.decode("utf-8", "replace").splitlines():
        if line.strip():
            log.log(20 if process.returncode == 0 else 40, "%s", line)
