"""A sidecar worker, `python -m tests.integration.observing_worker`, that writes down what its subscribers are told."""

import gc
from pathlib import Path

import msgspec
import uvloop

from extproc.accounting.observation import Observation
from extproc.limits.limits import Limits
from extproc.server import serve
from planoctl.config.process import service_files, service_parser, start_logging
from planoctl.config.watch import ConfigWatch


def main() -> None:
    parser = service_parser("observing_worker", "A sidecar worker that is observed.")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--brightstaff", required=True)
    parser.add_argument("--observations", type=Path, required=True)
    arguments = parser.parse_args()
    start_logging(arguments.log_level)
    watch = ConfigWatch(service_files(arguments), arguments.applied)
    gc.freeze()
    with arguments.observations.open("ab", buffering=0) as out:

        def write(seen: Observation) -> None:
            out.write(msgspec.json.encode(seen) + b"\n")

        uvloop.run(serve(watch, arguments.socket, arguments.brightstaff, Limits(), [write]))


if __name__ == "__main__":
    main()
