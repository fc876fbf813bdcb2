"""The listener that Prometheus scrapes: `/metrics` and nothing else, on a thread of its own."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import REGISTRY, CollectorRegistry, disable_created_metrics, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from planoctl.config.metrics_address import MetricsAddress

log = logging.getLogger(__name__)


class MetricsListener:
    """Serves the process's own metrics and those of `collectors` until `stop`."""

    def __init__(self, address: MetricsAddress, collectors: Iterable[Collector]) -> None:
        self._address = address
        self._collectors = list(collectors)
        self._server: Any = None

    def start(self) -> None:
        """An address that cannot be bound is logged, and the service goes on without metrics."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        application = only_metrics(make_wsgi_app(_Joined(self._collectors)))
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


def only_metrics(application: Callable[..., Any]) -> Callable[..., Any]:
    """`application` at /metrics; a 404 everywhere else."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] == "/metrics":
            return application(environ, start_response)
        start_response("404 Not Found", [("content-type", "text/plain")])
        return [b"metrics are at /metrics\n"]

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
