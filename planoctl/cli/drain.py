"""`planoctl drain`."""

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import say, success
from planoctl.cli.errors import CliError

_LAST_LOOK_SECONDS = 1.0


@click.command()
@click.option("--admin", metavar="URL", required=True, help="Envoy's admin interface, e.g. http://127.0.0.1:9901.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    metavar="N",
    default=30.0,
    show_default=True,
    help="Wait at most so long.",
)
@click.option(
    "--at-least",
    type=click.FloatRange(min=0),
    metavar="N",
    default=0.0,
    show_default=True,
    help="Wait at least so long: what sends requests here has to notice first.",
)
@options.verbose
def drain(admin: str, seconds: float, at_least: float) -> None:
    """Let an Envoy finish its requests before it is stopped.

    Clients are told to go away, new connections are still served. Returns when no request is open, with exit code 1 if
    some still are when the time is up. Meant for `preStop` of containers; `planoctl down` drains by itself.
    """
    import asyncio

    open_requests: list[int] = []
    if asyncio.run(_drain(admin.rstrip("/"), seconds, at_least, open_requests)):
        success("no request is open")
        return
    if not open_requests:
        raise CliError(f"no Envoy answers at {admin}", remedy="check --admin, and that Envoy runs")
    raise CliError(f"{open_requests[-1]} requests were still open after {seconds:g} s", remedy="allow more --seconds")


async def _drain(admin: str, seconds: float, at_least: float, open_requests: list[int]) -> bool:
    """Drain; the number of open requests is said, and added to the list, at each change."""
    import asyncio

    from planoctl.supervise.drain import drain as drained

    def report(count: int) -> None:
        open_requests.append(count)
        say(f"waiting for {count} open request{'s' if count > 1 else ''}")

    loop = asyncio.get_running_loop()
    began = loop.time()
    if not await drained(admin, seconds, report):
        return False
    await asyncio.sleep(began + min(at_least, seconds) - loop.time())
    return await drained(admin, max(began + seconds - loop.time(), _LAST_LOOK_SECONDS), report)
