import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from planoctl.port_check import Address, find_conflicts, free_port, process_tree

LISTEN = """import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""


@pytest.fixture
def stranger() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that listens, and its port."""
    with subprocess.Popen([sys.executable, "-c", LISTEN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
        process.kill()


def test_a_free_port_is_no_conflict() -> None:
    assert find_conflicts([Address("127.0.0.1", free_port(), "listener llm")]) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_held_port_is_reported_with_its_owner(host: str, stranger: tuple[subprocess.Popen[str], int]) -> None:
    process, port = stranger
    (conflict,) = find_conflicts([Address(host, port, "listener llm")])
    assert conflict.owner is not None
    assert conflict.owner.pid == process.pid
    assert str(conflict).startswith(f"port {port} (listener llm) on {host} is held by pid {process.pid}: ")
    assert "socket.create_server" in str(conflict)


def test_what_our_own_processes_hold_does_not_count(stranger: tuple[subprocess.Popen[str], int]) -> None:
    process, port = stranger
    assert find_conflicts([Address("127.0.0.1", port, "x")], ours=process_tree(os.getpid())) == []
    assert process.pid in process_tree(os.getpid())
    assert len(find_conflicts([Address("127.0.0.1", port, "x")], ours=frozenset({os.getpid()}))) == 1


def test_a_listener_that_shares_its_port_is_noticed() -> None:
    with socket.socket() as envoy_like:
        envoy_like.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        envoy_like.bind(("127.0.0.1", 0))
        envoy_like.listen()
        assert len(find_conflicts([Address("127.0.0.1", envoy_like.getsockname()[1], "x")])) == 1


def test_connections_that_are_closing_do_not_hold_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
    accepted.close()
    client.close()
    assert find_conflicts([Address("127.0.0.1", port, "x")]) == []


def test_an_address_that_no_interface_has_is_explained() -> None:
    (conflict,) = find_conflicts([Address("192.0.2.1", free_port(), "listener llm")])
    assert conflict.owner is None
    assert "no interface of this host has this address" in str(conflict)


def test_an_ipv6_address_is_understood() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            assert len(find_conflicts([Address("::1", server.getsockname()[1], "x")])) == 1
    except OSError:
        pytest.skip("this host has no IPv6")


def test_the_tree_of_a_process_that_is_gone_is_empty() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process_tree(process.pid) == frozenset()
