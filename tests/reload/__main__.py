"""`python -m tests.reload`: prints what clients notice of a reload each second; exit code 1 if it is anything."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.reload.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.reload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=500, help="requests per second")
    parser.add_argument("--streams", type=int, default=100, help="streams that are open at any time")
    parser.add_argument("--every", type=float, default=1, help="seconds between reloads")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plano-reload-") as folder:
        result = asyncio.run(run(Path(folder), **vars(arguments)))
    print(result.summary())
    return 1 if result.tally.failures or result.stale else 0


if __name__ == "__main__":
    sys.exit(main())
