"""`planoctl trace` and `planoctl up --with-tracing` as a user runs them, on a terminal and in a pipe."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.cells import cell_len
from rich.text import Text

from planoctl.mock_provider.server import RunningMock
from planoctl.port_check import free_port
from planoctl.supervise.identity import start_mark
from planoctl.traces.client import collector_status
from tests.integration.planoctl_cli import SECONDS, Cli, two_ports, until
from tests.unit.planoctl.traces.conftest import Running
from tests.unit.planoctl.traces.sample import FAILURE, FIRST, SECOND, SUCCESS, export


@pytest.fixture
def tracing(cli: Cli) -> Iterator[Cli]:
    """planoctl, whose collectors end with the test."""
    yield cli
    cli("trace", "stop")


def on_a_terminal(cli: Cli, width: int, *arguments: str, keys: bytes = b"") -> str:
    """What a command prints on a terminal of this width; `keys` are typed once it asks."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {name: value for name, value in cli.environment.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        cli.command(*arguments),
        cwd=cli.folder,
        env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 0.2)[0]:
                continue
            try:
                new = os.read(controller, 65536)
            except OSError:  # Linux says so when the last program has closed the terminal
                break
            if not new:
                break
            shown += new
            if b"\x1b[6n" in new:  # where is the cursor? A terminal answers
                os.write(controller, b"\x1b[1;1R")
            if keys and b"Which trace?" in shown:
                os.write(controller, keys)
                keys = b""
        assert process.wait(SECONDS) == 0, shown
    finally:
        process.kill()
        process.wait()
        os.close(controller)
    return shown.decode().replace("\r\n", "\n")


def test_a_collector_runs_in_the_background_until_it_is_stopped(tracing: Cli) -> None:
    port = two_ports()
    at = ("--port", str(port))
    shown = tracing.start("trace", "listen", *at)
    assert "✓ Trace listener started (PID: " in shown
    assert f"OTLP/gRPC  http://127.0.0.1:{port}\n" in shown
    assert f"OTLP/HTTP  http://127.0.0.1:{port + 1}/v1/traces\n" in shown
    status = collector_status(f"127.0.0.1:{port}")
    assert f"PID: {status.pid}" in shown
    assert oct((tracing.home / "run" / f"trace_listener_{port}.pid").stat().st_mode & 0o777) == "0o600"

    again = tracing("trace", "listen", *at)
    assert (again.returncode, again.stdout) == (0, "")
    assert f"⚠ Trace listener already running on port {port} (PID: {status.pid})" in again.stderr

    Running(port, port + 1).send(export(*SUCCESS))
    assert tracing.start("trace", "--list", *at) == f"Trace IDs:\n- {SECOND[:8]}\n- {FIRST[:8]}\n"
    for width in (80, 120, 200):
        plain = Text.from_ansi(on_a_terminal(tracing, width, "trace", FIRST[:8], *at)).plain.rstrip().split("\n")
        assert plain[0] == f"Trace: {FIRST} (1,840ms total, 10 spans)"
        assert max(map(cell_len, plain)) <= width
        assert any("━" in line for line in plain) is (width > 80)
        assert sum(bool(re.search(r"plano\(\w+\) .* {2}[0-9.,]+ms", line)) for line in plain) == 10

    assert tracing.start("trace", "stop") == f"✓ Trace listener stopped (port {port})\n"
    assert start_mark(status.pid) is None
    assert tracing.start("trace", "down") == "No background trace listener running\n"
    done = tracing("trace", *at)
    assert (done.returncode, done.stdout) == (1, "")


def test_arrow_keys_choose_a_trace_from_the_list(tracing: Cli) -> None:
    at = ("--port", str(two_ports()))
    tracing.start("trace", "listen", *at)
    Running(int(at[1]), 0).send(export(*SUCCESS, *FAILURE))
    down, enter = b"\x1b[B", b"\r"
    shown = on_a_terminal(tracing, 120, "trace", "--list", *at, keys=down * 3 + enter)
    assert f"{FIRST[:8]} (1840.00ms total • " in shown
    assert f"Trace: {SECOND}" in Text.from_ansi(shown).plain
    assert "Cancelled." in on_a_terminal(tracing, 120, "trace", "--list", *at, keys=b"\x03")


def test_a_port_of_another_program_is_an_error_that_names_it(tracing: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for foreground in ([], ["--foreground"]):
            done = tracing("trace", "listen", "--port", str(port), "--http-port", "0", *foreground)
            assert done.returncode == 1
            assert f"✗ Port {port} is already in use by another process" in done.stderr
            assert f"is held by pid {os.getpid()}" in done.stderr


def test_a_pid_file_of_a_process_that_has_gone_is_removed(tracing: Cli) -> None:
    port = two_ports()
    tracing.start("trace", "listen", "--port", str(port))
    psutil.Process(collector_status(f"127.0.0.1:{port}").pid).kill()
    path = tracing.home / "run" / f"trace_listener_{port}.pid"
    assert path.exists()
    (path.parent / "trace_listener_9.pid").write_text("nonsense")
    assert tracing.start("trace", "stop") == "No background trace listener running\n"
    assert not list(path.parent.glob("*.pid"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_collector_in_the_foreground_ends_with_a_signal(number: signal.Signals, tracing: Cli) -> None:
    port = two_ports()
    command = tracing.command("trace", "listen", "--foreground", "--port", str(port))
    with subprocess.Popen(
        command, cwd=tracing.folder, env=tracing.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "Ctrl-C stops it" in process.stdout.readline()
        assert collector_status(f"127.0.0.1:{port}").pid == process.pid
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
    assert not list((tracing.home / "run").glob("*.pid"))


@pytest.mark.envoy
def test_a_gateway_with_tracing_has_a_collector_of_its_own(tracing: Cli, mock: RunningMock) -> None:
    port, collector = free_port(), two_ports()
    tracing.write_config(port, mock.url)
    with_tracing = ("up", "--with-tracing", "--tracing-port", str(collector))
    shown = tracing.start(*with_tracing, MOCK_KEY="x")
    assert f"traces   planoctl trace --port {collector}\n" in shown
    first = tracing.pid_of("trace-collector")
    assert collector_status(f"127.0.0.1:{collector}").pid == first
    rendered = tracing.paths.config_path.read_text()
    assert f"opentracing_grpc_endpoint: http://127.0.0.1:{collector}\n  random_sampling: 100\n" in rendered

    tracing.start("reload", MOCK_KEY="x")
    assert tracing.pid_of("trace-collector") == first
    assert rendered == tracing.paths.config_path.read_text()
    os.kill(first, signal.SIGKILL)
    until(lambda: tracing.pid_of("trace-collector") != first)

    until(lambda: tracing.status()["ready"])
    tracing.start("down")
    assert tracing("trace", "--port", str(collector)).returncode == 1


@pytest.mark.envoy
def test_traces_outlive_a_restart_but_not_the_end_of_the_gateway(tracing: Cli, mock: RunningMock) -> None:
    port, collector = free_port(), two_ports()
    tracing.write_config(port, mock.url)
    with_tracing = ("up", "--with-tracing", "--tracing-port", str(collector))

    def shown() -> set[str]:
        answer = json.loads(tracing.start("trace", "any", "--port", str(collector), "--json"))
        return {trace["trace_id"] for trace in answer["traces"]}

    tracing.start(*with_tracing, MOCK_KEY="x")
    first = tracing.pid_of("trace-collector")
    Running(collector, 0).send(export(*SUCCESS))
    sent = {FIRST, SECOND}
    assert shown() >= sent
    tracing.start("restart", MOCK_KEY="x")
    assert tracing.pid_of("trace-collector") != first
    assert shown() >= sent
    assert oct(tracing.paths.kept_traces_path.stat().st_mode & 0o777) == "0o600"
    tracing.start(*with_tracing, MOCK_KEY="x")
    assert shown() >= sent

    tracing.start("down")
    assert not tracing.paths.kept_traces_path.exists()
    tracing.start(*with_tracing, MOCK_KEY="x")
    assert not shown() & sent
    tracing.start("up", MOCK_KEY="x")
    assert not tracing.paths.kept_traces_path.exists()


@pytest.mark.envoy
def test_a_gateway_with_tracing_uses_a_collector_that_is_there(tracing: Cli, mock: RunningMock) -> None:
    port, collector = free_port(), two_ports()
    tracing.write_config(port, mock.url)
    tracing.start("trace", "listen", "--port", str(collector))
    pid = collector_status(f"127.0.0.1:{collector}").pid
    shown = tracing.start("up", "--with-tracing", "--tracing-port", str(collector), MOCK_KEY="x")
    assert f"✓ Trace collector already running on port {collector} (PID: {pid})" in shown
    assert "trace-collector" not in {process["name"] for process in tracing.status()["processes"]}
    tracing.start("down")
    assert collector_status(f"127.0.0.1:{collector}").pid == pid


def test_a_foreign_program_on_the_tracing_port_is_an_error_before_anything_starts(tracing: Cli, tmp_path: Path) -> None:
    tracing.write_config(free_port())
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = tracing("up", "--with-tracing", "--tracing-port", str(port), MOCK_KEY="x")
    assert done.returncode == 1
    assert f"port {port} (trace collector) on 127.0.0.1 is held by pid {os.getpid()}" in done.stderr
    assert "--tracing-port" in done.stderr
