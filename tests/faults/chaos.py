"""`python -m tests.faults.chaos`: kill -9 of one process after the other under load; what fails, how soon it is over.

Ends with `planoctl down` and looks for what was left behind: processes, sockets, files that stay open.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from planoctl.mock_provider.server import run_in_thread
from planoctl.supervise.control import find_running
from planoctl.supervise.identity import start_mark
from tests.faults.document import write_measured
from tests.faults.load import Load, Outcome
from tests.faults.site import KEY
from tests.integration.gateway import free_port
from tests.integration.planoctl_cli import Cli

VICTIMS = ("extproc-0", "envoy", "brightstaff", "extproc-1")
BACK_WITHIN = 2.0
_WORKERS = 2
_LEAK = 12  # open files that a process may have more after the load than under it before the first kill


@dataclass(frozen=True)
class Kill:
    """One kill: failures by kind, and the seconds until the last of them was over."""

    victim: str
    answered: int
    failures: dict[str, int]
    recovery: float
    unexplained: list[Outcome]

    @property
    def shown(self) -> str:
        """The failures in words."""
        return ", ".join(f"{count} × {kind}" for kind, count in sorted(self.failures.items())) or "none"


@dataclass
class Report:
    """All kills, and what was left after `down`."""

    clients: int
    kills: list[Kill] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        answered = sum(kill.answered for kill in self.kills)
        failed = sum(sum(kill.failures.values()) for kill in self.kills)
        refused = sum(kill.failures.get("refused", 0) for kill in self.kills)
        slowest = max(kill.recovery for kill in self.kills)
        left = ", ".join(self.left) or "nothing"
        return (
            f"{len(self.kills)} kills: {answered} requests answered, {failed} failed, {refused} of them refused "
            f"connections; all over after at most {slowest:.2f} s; left behind: {left}."
        )

    @property
    def table(self) -> str:
        """The kills by victim, and the summary, in Markdown."""
        rows = ["| Killed | Times | Failed in flight, at most | Refused meanwhile, at most | Over after, at most |",
                "|---|---|---|---|---|"]  # fmt: skip
        for victim in dict.fromkeys(kill.victim for kill in self.kills):
            kills = [kill for kill in self.kills if kill.victim == victim]
            refused = max(kill.failures.get("refused", 0) for kill in kills)
            failed = max(sum(kill.failures.values()) - kill.failures.get("refused", 0) for kill in kills)
            rows.append(f"| {victim} | {len(kills)} | {failed} of {self.clients} | {refused} | "
                        f"{max(kill.recovery for kill in kills):.2f} s |")  # fmt: skip
        return "\n".join(rows) + f"\n\n{self.summary}"

    def check(self) -> None:
        """Raises AssertionError unless only requests in flight failed, explained, and all was well within 2 s."""
        for kill in self.kills:
            assert not kill.unexplained, kill
            assert kill.recovery <= BACK_WITHIN, kill
            assert kill.answered > self.clients, kill
            in_flight = sum(count for kind, count in kill.failures.items() if kind != "refused")
            assert in_flight <= self.clients, kill
            assert kill.victim == "envoy" or "refused" not in kill.failures, kill
        assert not self.left, self.left


async def chaos(folder: Path, *, kills: int, clients: int, pause: float) -> Report:
    """Start a gateway with two workers, kill its processes in turn under load, stop it, and report."""
    report = Report(clients)
    with run_in_thread(key=KEY) as mock:
        cli, port = Cli(folder), free_port()
        cli.write_config(port, mock.url)
        try:
            cli.start("up", "--workers", str(_WORKERS), MOCK_KEY=KEY)
            running = find_running(cli.paths)
            assert running is not None
            load = Load(port, clients)
            task = asyncio.create_task(load.run())
            await asyncio.sleep(pause / 2)
            before = _open_files(running.identity.pid)
            for number in range(kills):
                report.kills.append(await _kill(cli, load, VICTIMS[number % len(VICTIMS)], pause))
            load.stop()
            await task
            await asyncio.sleep(1)
            grown = {name: count - before[name] for name, count in _open_files(running.identity.pid).items()}
            report.left += [f"{name} has {count} more open files" for name, count in grown.items() if count > _LEAK]
            pids = running.pids()
            await asyncio.to_thread(cli.start, "down")
            report.left += _left(cli, pids, port)
        finally:
            cli.end()
    return report


async def _kill(cli: Cli, load: Load, victim: str, pause: float) -> Kill:
    began = time.monotonic()
    os.kill(cli.pid_of(victim), signal.SIGKILL)
    await asyncio.sleep(pause)
    outcomes = load.between(began, time.monotonic())
    bad = [outcome for outcome in outcomes if not outcome.good]
    failures: dict[str, int] = {}
    for outcome in bad:
        failures[outcome.words] = failures.get(outcome.words, 0) + 1
    recovery = max((outcome.ended for outcome in bad), default=began) - began
    unexplained = [outcome for outcome in bad if not outcome.explained]
    return Kill(victim, len(outcomes) - len(bad), failures, recovery, unexplained)


def _open_files(supervisor: int) -> dict[str, int]:
    """How many files, sockets included, each of the gateway's processes has open."""
    tree = [psutil.Process(supervisor), *psutil.Process(supervisor).children(recursive=True)]
    found: dict[str, int] = {}
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            found[_name(process)] = process.num_fds()
    return found


def _name(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    names = ("planoctl.supervise", "brightstaff ", "extproc-0", "extproc-1")
    return next((name.strip() for name in names if name in line), "envoy")


def _left(cli: Cli, pids: frozenset[int], port: int) -> list[str]:
    left = [f"process {pid}" for pid in pids if start_mark(pid) is not None]
    kept = ("*.sock", "plano.pid", "state.json", "secrets.json", ".*.json.*", ".plano.pid.*")
    left += [str(path) for pattern in kept for path in cli.paths.run_dir.glob(pattern)]
    listening = [item for item in psutil.net_connections("tcp") if item.status == "LISTEN" and item.laddr.port == port]
    return left + [f"listener on port {port}"] * bool(listening)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("--write", action="store_true", help="put the table into docs/faults.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plano-chaos-") as folder:
        report = asyncio.run(
            chaos(Path(folder), kills=arguments.kills, clients=arguments.clients, pause=arguments.pause)
        )
    for number, kill in enumerate(report.kills, 1):
        print(f"{number:3} {kill.victim:12} {kill.answered:6} answered, failed: {kill.shown}; {kill.recovery:.2f} s")
    print(report.summary)
    try:
        report.check()
    except AssertionError as fault:
        print(f"FAILED {fault}")
        return 1
    if arguments.write:
        write_measured("chaos", report.table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
