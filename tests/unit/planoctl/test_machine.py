from pathlib import Path

import psutil
import pytest

from planoctl import machine
from planoctl.machine import capacity


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "open_files", lambda: 20_500)


@pytest.mark.parametrize(("text", "share"), [("8000000000", 4_000_000_000), ("1000", 128 * 1024 * 1024)])
def test_half_of_a_containers_memory_is_for_envoy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, share: int
) -> None:
    (tmp_path / "memory.max").write_text(f"{text}\n")
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (tmp_path / "memory.max", tmp_path / "absent"))
    assert capacity().heap_bytes == share


def test_without_a_container_half_of_the_hosts_memory_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (tmp_path / "memory.max",))
    assert capacity().heap_bytes == psutil.virtual_memory().total // 2


def test_clients_and_providers_share_the_open_files() -> None:
    found = capacity()
    assert found.connections == 12_000
    assert found.connections + found.provider_connections == 20_000


def test_what_is_asked_for_wins() -> None:
    found = capacity(heap_bytes=77, connections=300)
    assert (found.heap_bytes, found.connections, found.provider_connections) == (77, 300, 19_700)


def test_the_connections_of_clients_have_a_bound_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "open_files", lambda: 2**20)
    assert capacity().connections == 50_000
