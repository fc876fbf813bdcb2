"""`planoctl up --watch`: reloads an instance whenever its configuration changes."""

import asyncio
import sys
from collections.abc import Callable
from logging import Logger
from pathlib import Path

from planoctl.file_stamp import Stamp, file_stamp
from planoctl.supervise.plan import Plan

_PAUSE_SECONDS = 0.25
_RELOAD_SECONDS = 120.0


async def reload_on_change(plan: Callable[[], Plan], log: Logger) -> None:
    """Run `planoctl reload` after each change of a file that matters, once it is written; never ends.

    A process of its own reads and checks the files: nothing in them can harm this one. `plan` gives the plan in force:
    with it the files may change.
    """
    seen: dict[Path, Stamp | None] = {}
    while True:
        files = watched_files(plan())
        if files != list(seen):
            log.info("watching %s", ", ".join(map(str, files)))
        now = _stamps(files)
        seen = {file: seen.get(file, now[file]) for file in files}
        if now != seen:
            while (later := await _after_pause(files)) != now:
                now = later
            seen = now
            await _reload(plan().instance, log)
        await asyncio.sleep(_PAUSE_SECONDS)


def watched_files(plan: Plan) -> list[Path]:
    """The configuration, the env file beside it or the one that was named, and what else was read."""
    config = Path(plan.config)
    env_file = Path(plan.request.env_file) if plan.request.env_file else config.parent / ".env"
    return list(dict.fromkeys([config, env_file, *map(Path, plan.read_files)]))


def _stamps(files: list[Path]) -> dict[Path, Stamp | None]:
    """What changes when a file is written, replaced, made or removed."""
    return {file: file_stamp(file) for file in files}


async def _after_pause(files: list[Path]) -> dict[Path, Stamp | None]:
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
