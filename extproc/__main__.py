"""`python -m extproc`: one sidecar worker."""

import gc
import sys
from pathlib import Path

import grpc.aio  # noqa: F401 — slow to import: not between two requests
import uvloop

from extproc.limits.limits import Limits
from extproc.server import serve
from planoctl.config.findings import ConfigError
from planoctl.config.process import service_files, service_parser, start_logging
from planoctl.config.watch import ConfigWatch


def main() -> int:
    parser = service_parser("extproc", "One worker of the ext_proc sidecar.")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to serve on")
    parser.add_argument("--brightstaff", required=True, help="gRPC address of the routing service")
    parser.add_argument("--limits", type=Path, help="file with the rate limits' quotas, shared by all workers")
    arguments = parser.parse_args()
    start_logging(arguments.log_level)
    try:
        watch = ConfigWatch(service_files(arguments), arguments.applied)
        limits = Limits(watch.config.rate_limit_store, arguments.limits)
        limits.prepare(watch.config)
    except (ConfigError, OSError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201 — the process's last words
        return 1
    gc.collect()
    gc.freeze()  # what lives as long as the worker need not be walked by every collection
    uvloop.run(serve(watch, arguments.socket, arguments.brightstaff, limits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
