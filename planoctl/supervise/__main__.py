"""`python -m planoctl.supervise --plan FILE`: the detached supervisor. Its output goes where `planoctl up` sent it."""

import argparse
import asyncio
import sys
from pathlib import Path

from planoctl.supervise.log import log_to
from planoctl.supervise.plan import Plan, PlanError, read_plan
from planoctl.supervise.supervisor import Supervisor


def main() -> int:
    parser = argparse.ArgumentParser(prog="planoctl.supervise", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        plan = read_plan(arguments.plan)
    except PlanError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    log_to(plan.log_dir / "supervisor.log", level=plan.request.log_level)
    return asyncio.run(_supervise(plan))


async def _supervise(plan: Plan) -> int:
    supervisor = Supervisor(plan, pid_path=plan.folder / "plano.pid", state_path=plan.folder / "state.json")
    return await supervisor.run()


if __name__ == "__main__":
    raise SystemExit(main())
