"""`planoctl` as a user runs it: real subprocesses, the real gateway, a state folder and ports of its own per test."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from planoctl.config.deployment import Deployment
from planoctl.envoy_binary import find_envoy
from planoctl.mock_provider.server import RunningMock
from planoctl.port_check import free_port
from planoctl.supervise.control import find_running
from planoctl.supervise.identity import ProcessIdentity, start_mark, write_identity
from planoctl.supervise.state import read_state
from tests.integration.conftest import KEY
from tests.integration.planoctl_cli import Cli, ask, healthz, until

pytestmark = pytest.mark.envoy

SECRET = "sk-do-not-show-1234567890"


def test_without_a_file_every_known_provider_is_offered_from_start_to_stop(cli: Cli) -> None:
    port = free_port()
    shown = cli.start("up", "--listener-port", str(port), OPENAI_API_KEY=SECRET)
    assert "No plano config found; using defaults (env-keyed: openai | pass-through: anthropic" in shown
    assert "✓ Plano is running" in shown
    assert f"http://127.0.0.1:{port}  (llm)" in shown
    assert "openai/*, anthropic/*" in shown
    assert SECRET not in shown
    assert yaml.safe_load((cli.home / "default_config.yaml").read_text())["listeners"][0]["port"] == port
    assert healthz(port) == 200

    status = cli("status")
    assert status.returncode == 0
    assert "Plano is running, ready" in status.stdout
    for name in ("supervisor", "envoy", "extproc-0", "brightstaff"):
        assert name in status.stdout
    report = cli.status()
    assert (report["ready"], report["phase"]) == (True, "running")
    assert all(process["pid"] and process["rss_bytes"] for process in report["processes"])
    assert report["metrics"] in status.stdout
    assert "envoy_server_live{} 1" in httpx.get(f"{report['metrics']}/envoy").text

    down = cli("down")
    assert (down.returncode, "✓ Plano stopped" in down.stdout) == (0, True)
    assert healthz(port) is None
    assert cli("status").returncode == 3
    left = {path.name for path in cli.paths.run_dir.iterdir()}
    assert left == {"plan.json", "plano_config_rendered.yaml", "envoy", "logs"}
    assert "No Plano instance was running" in cli.start("down")


def test_keys_are_in_one_private_file_only(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", MOCK_KEY=SECRET)
    running = find_running(cli.paths)
    assert running is not None
    arguments = [" ".join(psutil.Process(pid).cmdline()) for pid in running.pids()]
    assert not any(SECRET in line for line in arguments)
    if sys.platform == "linux":
        children = running.pids() - {running.identity.pid}
        assert not any(SECRET.encode() in Path(f"/proc/{pid}/environ").read_bytes() for pid in children)
    assert ask(port).status_code == 401  # the mock wants another key: this one was sent
    files = [path for path in cli.home.rglob("*") if path.is_file()]
    assert [path.name for path in files if SECRET in path.read_text()] == ["secrets.json"]
    assert {oct(path.stat().st_mode & 0o077) for path in files} == {"0o0"}
    assert {oct(path.stat().st_mode & 0o077) for path in cli.home.rglob("*") if path.is_dir()} == {"0o0"}


def test_a_missing_key_is_named_and_nothing_starts(cli: Cli) -> None:
    cli.write_config(free_port())
    done = cli("up")
    assert done.returncode == 1
    assert "Environment variable MOCK_KEY is not set" in done.stderr
    assert "plano_config.yaml:" in done.stderr
    assert "model_providers[0].access_key" in done.stderr
    assert "✗ Validation failed: 1 error" in done.stderr
    assert "Traceback" not in done.stderr
    assert not cli.paths.run_dir.exists()


def test_a_file_that_was_named_must_exist(cli: Cli) -> None:
    done = cli("up", "missing.yaml")
    assert done.returncode == 1
    assert "✗ config file missing.yaml does not exist" in done.stderr
    assert not (cli.home / "default_config.yaml").exists()


def test_a_port_that_is_held_is_reported_with_its_owner_and_nothing_starts(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        done = cli("up", "--listener-port", str(port))
        assert done.returncode == 1
        assert "✗ a port is in use" in done.stderr
        assert f"port {port} (listener llm) on 0.0.0.0 is held by pid {os.getpid()}" in done.stderr
        internal = cli("up", "--listener-port", str(free_port()), PLANO_ADMIN_PORT=str(port))
        assert internal.returncode == 1
        assert f"port {port} (Envoy admin)" in internal.stderr
        assert "PLANO_ADMIN_PORT" in internal.stderr
    assert find_running(cli.paths) is None


def test_a_second_start_replaces_the_first_and_a_bad_file_leaves_it_alone(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", MOCK_KEY=KEY)
    first = cli.supervisor_pid()
    assert ask(port).status_code == 200

    (cli.folder / "bad.yaml").write_text("version: v0.4.0\nlisteners: 7\n")
    bad = cli("up", "bad.yaml", MOCK_KEY=KEY)
    assert bad.returncode == 1
    assert "✗ Validation failed" in bad.stderr
    assert cli.supervisor_pid() == first
    assert ask(port).status_code == 200

    cli.start("up", MOCK_KEY=KEY)
    assert cli.supervisor_pid() != first
    assert start_mark(first) is None
    assert ask(port).status_code == 200


def test_a_restart_reads_the_file_again(cli: Cli, mock: RunningMock) -> None:
    first, second = free_port(), free_port()
    cli.write_config(first, mock.url)
    cli.start("up", "plano_config.yaml", MOCK_KEY=KEY)
    cli.write_config(second, mock.url)
    assert f"http://127.0.0.1:{second}" in cli.start("restart", MOCK_KEY=KEY)
    assert (healthz(first), healthz(second)) == (None, 200)


def test_a_restart_needs_an_earlier_start(cli: Cli) -> None:
    done = cli("restart")
    assert done.returncode == 3
    assert "there was no earlier start to repeat" in done.stderr
    assert "→ run `planoctl up`" in done.stderr


def test_killed_processes_come_back_within_seconds(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", MOCK_KEY=KEY)
    for name in ("extproc-0", "envoy", "brightstaff"):
        pid = cli.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: is_back(cli, pid), seconds=20)
        until(lambda: ask(port).status_code == 200, seconds=2)  # Envoy notices a new worker by its health checks
    assert [process["restarts"] for process in cli.status()["processes"]] == [0, 1, 1, 1]
    assert "was ended by SIGKILL" in cli("status").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties children to their parent's life")
def test_a_killed_supervisor_leaves_no_orphans_and_the_next_start_works(cli: Cli) -> None:
    port = free_port()
    cli.start("up", "--listener-port", str(port))
    running = find_running(cli.paths)
    assert running is not None
    children = [ProcessIdentity.of(pid) for pid in running.pids() - {running.identity.pid}]
    os.kill(running.identity.pid, signal.SIGKILL)
    until(lambda: not any(child.alive() for child in children), seconds=5)
    assert cli("status").returncode == 3
    cli.start("up", "--listener-port", str(port))
    assert healthz(port) == 200


@pytest.mark.parametrize("text", ["", "garbage", '{"envoy_pid": 1}', '{"pid": 999999, "started": "1", "command": []}'])
def test_down_gets_along_with_a_stale_or_corrupt_pid_file(cli: Cli, text: str) -> None:
    cli.paths.run_dir.mkdir(parents=True)
    cli.paths.pid_path.write_text(text)
    done = cli("down")
    assert (done.returncode, "No Plano instance was running" in done.stdout) == (0, True)
    assert not cli.paths.pid_path.exists()


def test_down_does_not_kill_a_stranger_that_has_the_pid(cli: Cli) -> None:
    cli.paths.run_dir.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        identity = ProcessIdentity.of(stranger.pid)
        write_identity(ProcessIdentity(pid=stranger.pid, started="1", command=identity.command), cli.paths.pid_path)
        assert "No Plano instance was running" in cli.start("down")
        assert identity.alive()
        stranger.kill()


def test_in_the_foreground_logs_are_shown_and_ctrl_c_stops_in_order(cli: Cli) -> None:
    port = free_port()
    process = subprocess.Popen(
        cli.command("up", "--foreground", "--listener-port", str(port)),
        cwd=cli.folder,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        until(lambda: healthz(port) == 200, seconds=30)
        until(lambda: cli("status").returncode == 0)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        shown = process.stdout.read()
        assert process.wait(30) == 0, shown
    assert "✓ Plano is running" in shown
    assert "\nsupervisor   " in shown
    assert "\nbrightstaff  " in shown
    assert healthz(port) is None
    assert find_running(cli.paths) is None
    assert not cli.paths.secrets_path.exists()


def is_back(cli: Cli, killed: int) -> bool:
    state = read_state(cli.paths.state_path)
    return state is not None and state.ready and all(child.pid != killed for child in state.children)


FAKE_ENVOY = """#!/bin/sh
case "$*" in
  *--version*) echo 'envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL'; exit 0;;
  *validate*) exit 0;;
esac
echo 'something terrible happened' >&2
exit 3
"""


def test_a_process_that_dies_at_the_start_is_named_with_its_last_words_and_all_is_stopped(cli: Cli) -> None:
    envoy = cli.folder / "envoy"
    envoy.write_text(FAKE_ENVOY)
    envoy.chmod(0o755)
    done = cli("up", "--listener-port", str(free_port()), "--envoy-path", str(envoy), OPENAI_API_KEY=SECRET)
    assert done.returncode == 1
    assert "✗ Plano did not start: envoy ended with exit code 3" in done.stderr
    assert "│ something terrible happened" in done.stderr
    assert "everything was stopped again" in done.stderr
    assert find_running(cli.paths) is None
    assert not cli.paths.secrets_path.exists()
    assert not [process for process in psutil.process_iter() if _mentions(process, str(cli.home))]


def test_a_state_folder_that_cannot_be_used_is_explained(cli: Cli) -> None:
    """A folder is where the sidecar's socket must be."""
    (cli.paths.worker_socket(0) / "in the way").mkdir(parents=True)
    done = cli("up", "--listener-port", str(free_port()))
    assert done.returncode == 1
    assert f"✗ {cli.paths.worker_socket(0)}: Is a directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in cli("up", "--verbose", "--listener-port", str(free_port())).stderr
    assert find_running(cli.paths) is None


def _mentions(process: psutil.Process, text: str) -> bool:
    try:
        return any(text in argument for argument in process.cmdline())
    except psutil.Error:
        return False


def open_stream(port: int, seconds: float) -> tuple[threading.Thread, list[str]]:
    """Read a stream that lasts about `seconds` in a thread; returns when its first line is there."""
    lines: list[str] = []
    begun = threading.Event()

    def read() -> None:
        body = {"model": "mock-gpt", "stream": True, "messages": [{"role": "user", "content": "word " * 20}]}
        headers = {"x-mock-behaviour": f"gap={seconds / 20}"}
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream("POST", url, json=body, headers=headers, timeout=30) as response,
        ):
            for line in response.iter_lines():
                lines.append(line)
                begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(10)
    return reader, lines


def test_open_streams_finish_before_the_gateway_stops(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", MOCK_KEY=KEY)
    reader, lines = open_stream(port, seconds=3)
    cli.start("down")
    reader.join(10)
    assert [line for line in lines if line][-1] == "data: [DONE]"


def test_open_streams_get_no_longer_than_the_deadline_of_the_start(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", "--drain-seconds", "1", MOCK_KEY=KEY)
    reader, lines = open_stream(port, seconds=25)
    began = time.monotonic()
    cli.start("down")
    assert time.monotonic() - began < 15
    reader.join(10)
    assert "data: [DONE]" not in lines


@pytest.mark.parametrize("text", ["lots", "0", "63", "-5"])
def test_a_share_of_memory_that_cannot_be_is_refused_before_anything_starts(cli: Cli, text: str) -> None:
    cli.write_config(free_port())
    done = cli("up", MOCK_KEY=KEY, PLANO_ENVOY_MEMORY_MIB=text)
    assert done.returncode == 1
    assert f"PLANO_ENVOY_MEMORY_MIB={text} is not a usable number" in done.stderr
    assert find_running(cli.paths) is None


def test_down_now_does_not_wait_for_open_streams(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    cli.write_config(port, mock.url)
    cli.start("up", MOCK_KEY=KEY)
    reader, lines = open_stream(port, seconds=25)
    began = time.monotonic()
    cli.start("down", "--now")
    assert time.monotonic() - began < 15
    reader.join(10)
    assert "data: [DONE]" not in lines


def test_instances_run_side_by_side(cli: Cli) -> None:
    blue, green = free_port(), free_port()
    cli.start("up", "--instance", "blue", "--listener-port", str(blue))
    shown = cli.start("up", "--instance", "green", "--listener-port", str(green))
    assert "planoctl down --instance green" in shown
    assert (healthz(blue), healthz(green)) == (200, 200)
    running = [{"instance": "green", "urls": [f"http://127.0.0.1:{green}"]}]
    assert cli.status("--instance", "blue")["other_instances"] == running
    assert f"also     instance blue runs: http://127.0.0.1:{blue}" in cli("status").stdout
    cli.start("down", "--instance", "blue")
    assert (healthz(blue), healthz(green)) == (None, 200)
    assert cli.status("--instance", "green")["ready"]


def test_a_deep_state_folder_gets_short_sockets(cli: Cli, tmp_path: Path) -> None:
    port, home = free_port(), tmp_path / ("deep" * 30)
    cli.home, cli.environment["PLANO_HOME"] = home, str(home)
    cli.paths = Deployment(run_dir=home / "run")
    cli.environment["XDG_RUNTIME_DIR"] = str(tmp_path) if len(str(tmp_path)) < 60 else "/tmp"
    cli.start("up", "--listener-port", str(port))
    assert healthz(port) == 200
    cli.start("down")


def test_the_demo_answers_and_says_how_to_stop_it(cli: Cli) -> None:
    shown = cli.start("demo", "--listener-port", str(free_port()))
    assert "mock-gpt → " in shown
    assert "mock-claude → " in shown
    assert "tokens in" in shown
    assert "To stop it: planoctl down --instance demo" in shown
    assert "mock-provider" in {process["name"] for process in cli.status("--instance", "demo")["processes"]}
    cli.start("down", "--instance", "demo")


def test_followed_logs_show_new_lines_of_new_files(cli: Cli) -> None:
    cli.paths.log_dir.mkdir(parents=True)
    (cli.paths.log_dir / "envoy.log").write_text("one\ntwo\nthree\n")
    process = subprocess.Popen(
        cli.command("logs", "--follow", "-n", "1"),
        cwd=cli.folder,
        env={**cli.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "envoy         three\n"
        (cli.paths.log_dir / "extproc-0.log").write_text("hello\n")
        assert process.stdout.readline() == "extproc-0     hello\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


PROGRAMS = ("brightstaff", "extproc", "envoy")


def test_rendered_files_run_with_the_commands_that_are_shown(cli: Cli, mock: RunningMock, tmp_path: Path) -> None:
    port, target = free_port(), tmp_path / "out"
    cli.write_config(port, mock.url)
    ports = {f"PLANO_{each}_PORT": str(free_port()) for each in ("BRIGHTSTAFF", "ADMIN", "METRICS")}
    shown = cli.start("render", "-o", str(target), "--with-secrets", "--concurrency", "1", MOCK_KEY=KEY, **ports)
    names = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert names >= {
        "plano_config_rendered.yaml",
        "secrets.json",
        "envoy/envoy.yaml",
        "envoy/lds.yaml",
        "envoy/cds.yaml",
    }
    assert KEY not in (target / "plano_config_rendered.yaml").read_text()
    commands = [shlex.split(line) for line in shown.partition("Start, in this order:\n")[2].splitlines()]
    assert [next(word for word in PROGRAMS if word in command) for command in commands] == list(PROGRAMS)
    environment = {**os.environ, "PATH": f"{find_envoy().parent}:{os.environ['PATH']}"}
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        until(lambda: healthz(port) == 200)
        until(lambda: ask(port).status_code == 200)


def test_render_leaves_keys_out_unless_asked(cli: Cli, tmp_path: Path) -> None:
    cli.write_config(free_port())
    shown = cli.start("render", "-o", str(tmp_path / "out"), MOCK_KEY=SECRET)
    assert "Put a JSON object with MOCK_KEY into" in shown
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file() and SECRET in path.read_text()]
