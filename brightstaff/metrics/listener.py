"""The listener that Prometheus scrapes, on threads of its own.

`/metrics` has the gateway's metrics, `/metrics/envoy` Envoy's statistics, `/metrics/all` both. Nothing else is served.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import REGISTRY, CollectorRegistry, disable_created_metrics, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from brightstaff.metrics.envoy import Application, EnvoyStatistics, envoy_application, joined_application
from planoctl.config.metrics_address import MetricsAddress

log = logging.getLogger(__name__)


class MetricsListener:
    """Serves the process's own metrics, those of `collectors` and Envoy's until `stop`."""

    def __init__(self, address: MetricsAddress, collectors: Iterable[Collector], envoy: EnvoyStatistics) -> None:
        self._address = address
        self._collectors = list(collectors)
        self._envoy = envoy
        self._server: Any = None

    def start(self) -> None:
        """An address that cannot be bound is logged, and the service goes on without metrics."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = _Joined(self._collectors)
        application = only_gets(
            {
                "/metrics": make_wsgi_app(registry),
                "/metrics/envoy": envoy_application(self._envoy),
                "/metrics/all": joined_application(registry, self._envoy),
            }
        )
        try:
            self._server = make_server(
                self._address.host, self._address.port, application, _server_class(self._address.host), _Handler
            )
        except OSError as error:
            log.warning("no metrics: %s cannot be bound: %s", self._address, error)
            return
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        log.info("metrics at http://%s/metrics", self._address)

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Joined(CollectorRegistry):
    """The metrics that the process records itself, then the collectors'."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        super().__init__(auto_describe=False)
        for collector in collectors:
            self.register(collector)

    def collect(self) -> Iterable[Any]:
        yield from REGISTRY.collect()
        yield from super().collect()


def only_gets(applications: Mapping[str, Application]) -> Application:
    """The applications at their paths, for GET; a 404 or a 405 for everything else."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        application = applications.get(environ["PATH_INFO"])
        if application is None:
            start_response("404 Not Found", [("content-type", "text/plain")])
            return [f"metrics are at {', '.join(applications)}\n".encode()]
        if environ["REQUEST_METHOD"] != "GET":
            start_response("405 Method Not Allowed", [("content-type", "text/plain"), ("allow", "GET")])
            return [b"metrics can be read, with GET\n"]
        return application(environ, start_response)

    return serve


class _Handler(WSGIRequestHandler):
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the name in the base class
        log.debug(format, *args)


class _Server(ThreadingWSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _Server6 if ":" in host else _Server
