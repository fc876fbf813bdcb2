"""The listener that is scraped."""

import logging
import socket

import httpx
import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from brightstaff.metrics.envoy import EnvoyStatistics
from brightstaff.metrics.listener import MetricsListener
from planoctl.config.metrics_address import MetricsAddress


class _One(Collector):
    def collect(self):  # type: ignore[no-untyped-def]
        yield GaugeMetricFamily("told_by_a_test", "One.", value=1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


NO_ENVOY = EnvoyStatistics(MetricsAddress("127.0.0.1", 1))


def test_it_serves_metrics_and_nothing_else() -> None:
    address = MetricsAddress("127.0.0.1", free_port())
    listener = MetricsListener(address, [_One()], NO_ENVOY)
    listener.start()
    try:
        answer = httpx.get(f"http://{address}/metrics")
        assert "told_by_a_test 1.0" in answer.text
        assert "process_resident_memory_bytes" in answer.text
        assert httpx.get(f"http://{address}/").status_code == 404
    finally:
        listener.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{address}/metrics")


def test_an_address_that_is_taken_is_logged_and_that_is_all(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = MetricsAddress("127.0.0.1", holder.getsockname()[1])
        listener = MetricsListener(address, [], NO_ENVOY)
        with caplog.at_level(logging.WARNING):
            listener.start()
        listener.stop()
    assert f"no metrics: {address} cannot be bound" in caplog.text
