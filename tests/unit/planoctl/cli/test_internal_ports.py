"""Where internal listeners are, by the environment."""

import pytest

from planoctl.cli.options import internal_ports


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLANO_BRIGHTSTAFF_PORT", "PLANO_ADMIN_PORT", "PLANO_METRICS_PORT", "METRICS_BIND_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, "127.0.0.1:9092"),
        ({"PLANO_METRICS_PORT": "7003"}, "127.0.0.1:7003"),
        ({"METRICS_BIND_ADDRESS": "0.0.0.0:7004"}, "0.0.0.0:7004"),
        ({"METRICS_BIND_ADDRESS": "garbage"}, "127.0.0.1:9092"),
        ({"METRICS_BIND_ADDRESS": "garbage", "PLANO_METRICS_PORT": "7003"}, "127.0.0.1:7003"),
        ({"METRICS_BIND_ADDRESS": "[::1]:7005", "PLANO_METRICS_PORT": "7003"}, "[::1]:7005"),
    ],
)
def test_metrics_are_where_the_environment_says(
    environment: dict[str, str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(internal_ports(random=False).metrics_address) == address


def test_named_instances_get_free_ports_of_their_own() -> None:
    ports = internal_ports(random=True)
    chosen = {ports.brightstaff, ports.admin, ports.metrics}
    assert len(chosen) == 3
    assert 9092 not in chosen
