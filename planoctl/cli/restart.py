"""`planoctl restart`."""

import rich_click as click

from planoctl.cli import options
from planoctl.cli.console import header
from planoctl.cli.errors import NotRunningError
from planoctl.instance import Instance


@click.command()
@options.instance
@options.verbose
def restart(instance: Instance) -> None:
    """Start again as last time, with the file read anew.

    The options of the last `planoctl up` are used; keys come from this shell's environment and the .env file. A
    configuration with errors leaves a running gateway as it is.
    """
    from planoctl.cli.start import start_in_background
    from planoctl.supervise.plan import PlanError, read_plan

    header()
    try:
        plan = read_plan(instance.plan_path)
    except PlanError as error:
        raise NotRunningError("there was no earlier start to repeat", remedy="run `planoctl up`") from error
    start_in_background(plan.request, instance)
