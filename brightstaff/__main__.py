"""`python -m brightstaff`: the routing service on a loopback port."""

import os
import signal
import sys
from pathlib import Path

import uvicorn

from brightstaff.app import create_app
from brightstaff.metrics.envoy import EnvoyStatistics
from brightstaff.metrics.gateway import Gateway
from brightstaff.metrics.listener import MetricsListener
from brightstaff.state import State
from planoctl.config.deployment import InternalPorts
from planoctl.config.findings import ConfigError
from planoctl.config.metrics_address import VARIABLE, MetricsAddress, metrics_address
from planoctl.config.process import service_files, service_parser, start_logging
from planoctl.config.watch import ConfigWatch

_DRAIN_SECONDS = 30


def main() -> int:
    parser = service_parser("brightstaff", "The routing service of the gateway.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=9091)
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket of the RoutingService")
    parser.add_argument("--models", type=Path, required=True, help="Unix socket of Envoy's internal model listener")
    parser.add_argument("--metrics", help=f"host:port of /metrics (default: ${VARIABLE}, or 127.0.0.1:9092)")
    admin = InternalPorts().admin
    parser.add_argument("--envoy-admin", type=int, default=admin, help="loopback port of Envoy's admin interface")
    arguments = parser.parse_args()
    start_logging(arguments.log_level)
    try:
        watch = ConfigWatch(service_files(arguments), arguments.applied)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 — the process's last words
        return 1
    state = State(watch.config, arguments.models)
    given = {VARIABLE: arguments.metrics} if arguments.metrics else os.environ
    gateway = Gateway(lambda: watch.digest, arguments.config.parent)
    address = metrics_address(given, InternalPorts().metrics_address)
    envoy = EnvoyStatistics(MetricsAddress("127.0.0.1", arguments.envoy_admin))
    metrics = MetricsListener(address, [state.metrics, gateway], envoy)
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again once it has stopped
    uvicorn.run(
        create_app(state, arguments.socket, watch, metrics),
        host=arguments.host,
        port=arguments.port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return 0


def _end(_number: int, _frame: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
