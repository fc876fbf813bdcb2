"""METRICS_BIND_ADDRESS."""

import logging

import pytest

from planoctl.config.metrics_address import MetricsAddress, metrics_address

USUAL = MetricsAddress("127.0.0.1", 9092)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:9092", "0.0.0.0", 9092),
        ("localhost:1", "localhost", 1),
        ("[::1]:65535", "::1", 65535),
        (" 10.0.0.1:80 ", "10.0.0.1", 80),
    ],
)
def test_host_and_port_are_read_and_written(text: str, host: str, port: int) -> None:
    address = MetricsAddress.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text.strip()


@pytest.mark.parametrize(
    "text", ["garbage", "9092", ":9092", "host:", "host:0", "host:65536", "::1:9092", "a b:1", "h:x"]
)
def test_anything_else_is_logged_and_the_usual_address_serves(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert metrics_address({"METRICS_BIND_ADDRESS": text}, USUAL) == USUAL
    assert "METRICS_BIND_ADDRESS is passed over" in caplog.text


def test_without_the_variable_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert metrics_address({}, USUAL) == metrics_address({"METRICS_BIND_ADDRESS": ""}, USUAL) == USUAL
    assert not caplog.records
