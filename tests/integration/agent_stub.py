"""Stands in for `planoctl agent` while there is none: the same arguments and first rendering, without the watch."""

import argparse
import os
import signal
from pathlib import Path

from planoctl.cli.rendering import write_rendered
from planoctl.config.deployment import Deployment, InternalPorts
from planoctl.config.pipeline import load_config


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    arguments = parser.parse_args()
    stop = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    deployment = Deployment(
        run_dir=arguments.run_dir,
        workers=arguments.workers,
        concurrency=arguments.concurrency,
        ports=InternalPorts(int(os.environ["PLANO_BRIGHTSTAFF_PORT"]), int(os.environ["PLANO_ADMIN_PORT"])),
        access_log="stdout" if os.environ["PLANO_ACCESS_LOG"] == "stdout" else "file",
    )
    write_rendered(load_config(arguments.config, environment=os.environ), deployment, with_secrets=True)
    signal.sigwait(stop)


if __name__ == "__main__":
    main()
