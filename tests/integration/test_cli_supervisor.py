"""The supervisor with real processes that are not the gateway's: order, restarts, failures, and what a kill leaves."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from planoctl.config.deployment import Deployment
from planoctl.port_check import free_port
from planoctl.supervise.control import StartError, find_running, start_detached, stop_process, wait_until_ready
from planoctl.supervise.identity import ProcessIdentity, read_identity
from planoctl.supervise.plan import Child, Plan, Probe, write_plan
from planoctl.supervise.state import ChildState, State, read_state
from tests.integration import child_program

SECONDS = 15


class Instance:
    """A run folder and the supervisors that were started in it."""

    def __init__(self, folder: Path) -> None:
        self.paths = Deployment(run_dir=folder)
        self.paths.log_dir.mkdir(parents=True)
        self.journal = folder / "journal"
        self.processes: list[subprocess.Popen[bytes]] = []

    def child(self, name: str, *arguments: str, port: int | None = None, **more: Any) -> Child:
        journal = ("--journal", str(self.journal))
        listen = ("--port", str(port)) if port else ()
        return Child(
            name=name,
            component="extproc",
            argv=(sys.executable, child_program.__file__, "--name", name, *journal, *listen, *arguments),
            log=str(self.paths.log_dir / f"{name}.log"),
            probes=(Probe(kind="http", target=f"http://127.0.0.1:{port}/healthz"),) if port else (),
            **more,
        )

    def start(self, *children: Child, **more: Any) -> State:
        """Start a supervisor and wait until it is ready; raises StartError."""
        settings = {"ready_seconds": SECONDS, "drain_seconds": 1.0, **more}
        plan = Plan(instance="test", run_dir=str(self.paths.run_dir), children=children, **settings)
        write_plan(plan, self.paths.run_dir / "plan.json")
        process = start_detached(self.paths)
        self.processes.append(process)
        return wait_until_ready(process, self.paths, seconds=SECONDS, report=lambda _: None)

    def stop(self) -> None:
        identity = read_identity(self.paths.pid_path)
        assert identity is not None
        stop_process(identity, self.paths, drain_seconds=1)

    def state(self, name: str) -> ChildState:
        state = read_state(self.paths.state_path)
        assert state is not None
        return next(child for child in state.children if child.name == name)

    def events(self) -> list[str]:
        return self.journal.read_text().splitlines()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path / "run")
    yield made
    for process in made.processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for member in tree:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
        process.wait()


def until(condition: Callable[[], Any], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def test_children_start_stage_by_stage_and_stop_rank_by_rank(instance: Instance) -> None:
    state = instance.start(
        instance.child("late", port=free_port(), start_stage=1, stop_rank=3),
        instance.child("early", port=free_port(), stop_rank=1),
        instance.child("middle", port=free_port(), stop_rank=2),
    )
    assert state.phase == "running"
    assert [child.phase for child in state.children] == ["ready"] * 3
    assert instance.events()[-1] == "start late"
    instance.stop()
    assert instance.events()[3:] == ["stop late", "stop middle", "stop early"]
    assert not instance.paths.pid_path.exists()
    stopped = read_state(instance.paths.state_path)
    assert stopped is not None
    assert stopped.phase == "stopped"


def test_a_killed_child_is_back_within_two_seconds(instance: Instance) -> None:
    instance.start(instance.child("worker", port=free_port()), instance.child("other", port=free_port()))
    pid, other = instance.state("worker").pid, instance.state("other").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: instance.state("worker").pid not in {pid, None} and instance.state("worker").phase == "ready")
    assert time.monotonic() - killed < 2
    worker = instance.state("worker")
    assert (worker.restarts, worker.last_exit) == (1, "was ended by SIGKILL")
    assert instance.state("other").pid == other


def test_a_child_that_keeps_dying_is_restarted_ever_more_slowly_and_makes_the_instance_unready(
    instance: Instance, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    instance.start(instance.child("worker", "--exit-if", str(trap), port=free_port()))
    trap.touch()
    pid = instance.state("worker").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: instance.state("worker").restarts >= 4)
    state = read_state(instance.paths.state_path)
    assert state is not None
    assert not state.ready
    assert state.phase == "running"
    assert instance.state("worker").last_exit == "ended with exit code 7"
    log = (instance.paths.log_dir / "supervisor.log").read_text()
    assert "restart 1 in 0.00 s" in log
    assert "restart 2 in 0.25 s" in log
    assert "restart 3 in 0.50 s" in log
    trap.unlink()
    until(lambda: instance.state("worker").phase == "ready")
    ready = read_state(instance.paths.state_path)
    assert ready is not None
    assert ready.ready


def test_a_child_that_ends_during_the_start_fails_the_start_and_stops_the_others(instance: Instance) -> None:
    with pytest.raises(StartError) as raised:
        instance.start(
            instance.child("good", port=free_port()),
            instance.child("bad", "--exit", "3", port=free_port(), start_stage=1),
        )
    assert raised.value.failure is not None
    assert raised.value.failure.child == "bad"
    assert str(raised.value) == "bad ended with exit code 3"
    assert "about to give up" in Path(raised.value.failure.log).read_text()
    assert instance.events() == ["start good", "stop good"]
    assert find_running(instance.paths) is None


def test_a_ready_child_that_dies_while_others_still_start_fails_the_start(instance: Instance) -> None:
    process_of_first: list[int] = []

    def kill_first(state: State) -> None:
        first = state.children[0]
        if first.phase == "ready" and first.pid and not process_of_first:
            process_of_first.append(first.pid)
            os.kill(first.pid, signal.SIGKILL)

    never = Child(
        name="never",
        component="envoy",
        argv=(sys.executable, child_program.__file__),
        log=str(instance.paths.log_dir / "never.log"),
        probes=(Probe(kind="port", target=f"127.0.0.1:{free_port()}"),),
        start_stage=1,
    )
    plan = Plan(
        instance="test",
        run_dir=str(instance.paths.run_dir),
        children=(instance.child("first", port=free_port()), never),
    )
    write_plan(plan, instance.paths.run_dir / "plan.json")
    process = start_detached(instance.paths)
    instance.processes.append(process)
    with pytest.raises(StartError, match="first was ended by SIGKILL"):
        wait_until_ready(process, instance.paths, seconds=SECONDS, report=kill_first)


def test_a_child_that_never_gets_ready_fails_the_start_and_names_what_was_waited_for(instance: Instance) -> None:
    target = f"127.0.0.1:{free_port()}"
    silent = msgspec.structs.replace(instance.child("silent"), probes=(Probe(kind="port", target=target),))
    with pytest.raises(StartError, match=f"silent was not ready within 1 s: no answer from {target}"):
        instance.start(silent, ready_seconds=1.0)
    assert find_running(instance.paths) is None


def test_a_program_that_does_not_exist_is_named_in_the_log(instance: Instance) -> None:
    log = instance.paths.log_dir / "ghost.log"
    probe = Probe(kind="port", target="127.0.0.1:1")
    child = Child(name="ghost", component="envoy", argv=("/no/such/program",), log=str(log), probes=(probe,))
    with pytest.raises(StartError, match="ghost ended with exit code 127"):
        instance.start(child)
    assert "cannot start /no/such/program: No such file or directory" in log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties children to their parent's life")
def test_no_child_outlives_a_killed_supervisor(instance: Instance) -> None:
    state = instance.start(instance.child("one", "--ignore-sigterm", port=free_port()), instance.child("two"))
    children = [ProcessIdentity(pid=child.pid, started=child.pid_mark) for child in state.children
                if child.pid and child.pid_mark]  # fmt: skip
    assert len(children) == 2
    os.kill(state.supervisor, signal.SIGKILL)
    until(lambda: not any(child.alive() for child in children), seconds=5)
    assert find_running(instance.paths) is None


def test_a_child_that_ignores_sigterm_is_killed(instance: Instance) -> None:
    instance.start(instance.child("deaf", "--ignore-sigterm", port=free_port(), stop_seconds=0.3))
    pid = instance.state("deaf").pid
    began = time.monotonic()
    instance.stop()
    assert time.monotonic() - began < 5
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_children_do_not_inherit_the_hidden_variables(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANO_TEST_KEY", "sk-hidden")
    instance.start(
        instance.child("curious", "--show-environment", "PLANO_TEST_KEY", port=free_port()),
        hidden_environment=("PLANO_TEST_KEY",),
    )
    assert "PLANO_TEST_KEY=None" in (instance.paths.log_dir / "curious.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_children_may_open_as_many_files_as_the_system_allows(instance: Instance) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        instance.start(instance.child("child", port=free_port()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = Path(f"/proc/{instance.state('child').pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3:5] == [str(hard), str(hard)]


def test_children_inherit_only_what_programs_need(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNRELATED_TOKEN", "t-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    for name in ("UNRELATED_TOKEN", "AWS_REGION"):
        instance.start(instance.child(name.lower(), "--show-environment", name, port=free_port()))
        instance.stop()
    logs = [(instance.paths.log_dir / f"{name}.log").read_text() for name in ("unrelated_token", "aws_region")]
    assert "UNRELATED_TOKEN=None" in logs[0]
    assert "AWS_REGION=eu-west-1" in logs[1]


def test_a_child_gets_the_named_values_of_its_env_file_where_the_environment_has_none(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("AWS_REGION", "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_REGION", "of-the-shell")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    env_file = instance.journal.parent / "env"
    env_file.write_text("".join(f"{name}=of-the-file\n" for name in names))
    seen = []
    for name in names:
        named = {"env_file": str(env_file), "env_file_names": names[:2]}
        instance.start(instance.child(name.lower(), "--show-environment", name, port=free_port(), **named))
        instance.stop()
        seen.append((instance.paths.log_dir / f"{name.lower()}.log").read_text())
    assert "AWS_REGION=of-the-shell" in seen[0]
    assert "AWS_PROFILE=of-the-file" in seen[1]
    assert "AWS_SECRET_ACCESS_KEY=None" in seen[2]
    assert "of-the-file" not in (instance.paths.run_dir / "plan.json").read_text()


def test_files_of_the_supervisor_are_for_the_owner_only(instance: Instance) -> None:
    instance.start(instance.child("child", port=free_port()))
    files = [path for path in instance.paths.run_dir.rglob("*") if path.is_file() and path != instance.journal]
    assert {path.name for path in files} >= {"plan.json", "state.json", "plano.pid", "supervisor.log", "child.log"}
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


def test_the_pid_file_names_the_supervisor_and_how_it_was_called(instance: Instance) -> None:
    state = instance.start(instance.child("child", port=free_port()))
    running = find_running(instance.paths)
    assert running is not None
    assert running.identity.pid == state.supervisor
    assert "planoctl.supervise" in running.identity.command
