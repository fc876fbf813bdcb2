"""The order of things: start stage by stage, restart what dies, stop rank by rank."""

import asyncio
import itertools
import logging
import os
import signal
import time
from pathlib import Path

from planoctl.supervise.child import ChildError, ChildProcess
from planoctl.supervise.identity import ProcessIdentity, read_identity, write_identity
from planoctl.supervise.inheritance import inherited
from planoctl.supervise.plan import Plan, PlanError, read_plan
from planoctl.supervise.probe import Prober
from planoctl.supervise.reloading import reload_on_change
from planoctl.supervise.rotation import rotate_folder
from planoctl.supervise.state import Failure, Phase, State, write_state

_ROTATE_EVERY_SECONDS = 30.0

_log = logging.getLogger("planoctl.supervise")


class Supervisor:
    """Runs one plan. SIGTERM and SIGINT stop in order; a second one, or SIGQUIT, skips the draining."""

    def __init__(self, plan: Plan, *, pid_path: Path, state_path: Path) -> None:
        self._plan = plan
        self._pid_path = pid_path
        self._state_path = state_path
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._prober = Prober()
        self._state = State(supervisor=os.getpid())
        self.started = asyncio.Event()
        environment = inherited(os.environ, plan.hidden_environment) | {"PYTHONUNBUFFERED": "1"}
        self._children = [
            ChildProcess(
                spec,
                prober=self._prober,
                log=_log,
                environment=environment,
                ready_seconds=plan.ready_seconds,
                changed=self._report,
            )
            for spec in plan.children
        ]
        self._state.children = [child.state for child in self._children]
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def failure(self) -> Failure | None:
        """Why the start failed, once `run` has returned 1."""
        return self._state.failure

    async def run(self) -> int:
        """Run until a signal asks to stop (0) or a child fails while the instance starts (1)."""
        rotate_folder(self._plan.log_dir)
        write_identity(ProcessIdentity.of(os.getpid()), self._pid_path)
        self._listen_for_signals()
        self._enter("starting")
        background = [asyncio.create_task(self._rotate_logs())]
        if self._plan.request.watch:
            background.append(asyncio.create_task(self._watch()))
        try:
            await self._until_stopped()
        except ChildError as error:
            _log.error("start failed: %s", error)
            self._state.failure = error.failure
        finally:
            for task in background:
                task.cancel()
            await self._stop_children()
            await self._prober.close()
            self._enter("stopped" if self._state.failure is None else "failed")
            self._forget_pid()
        return 0 if self._state.failure is None else 1

    def request_stop(self) -> None:
        """Stop in order; asked a second time, without waiting for open requests."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _until_stopped(self) -> None:
        start = asyncio.create_task(self._start())
        stop = asyncio.create_task(_all_set([self._stop]))
        try:
            await asyncio.wait([start, stop], return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                await asyncio.wait([stop, *self._keepers], return_when=asyncio.FIRST_COMPLETED)
                for keeper in self._keepers:
                    if keeper.done() and not self._stop.is_set():
                        keeper.result()
        finally:
            for task in (start, stop):
                task.cancel()

    async def _start(self) -> None:
        stages = itertools.groupby(
            sorted(self._children, key=lambda child: child.spec.start_stage), key=lambda child: child.spec.start_stage
        )
        deadline = asyncio.get_running_loop().time() + self._plan.ready_seconds
        for _, stage in stages:
            children = list(stage)
            self._keepers += [asyncio.create_task(child.keep()) for child in children]
            await self._until_ready(children, deadline)
        for child in self._children:
            child.restarting = True
        self._enter("running")
        _log.info("ready: %s", ", ".join(f"{listener.name} {listener.url}" for listener in self._plan.listeners))
        self.started.set()

    async def _until_ready(self, children: list[ChildProcess], deadline: float) -> None:
        """Return when all `children` are ready; raise ChildError for any child that ended, or at the deadline."""
        ready = asyncio.create_task(_all_set([child.ready_once for child in children]))
        try:
            timeout = deadline - asyncio.get_running_loop().time()
            await asyncio.wait([ready, *self._keepers], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers:
                if keeper.done():
                    keeper.result()
            if not ready.done():
                late = next(child for child in children if not child.ready_once.is_set())
                reason = f"was not ready within {self._plan.ready_seconds:g} s: no answer from {late.state.waiting_for}"
                raise ChildError(late, reason)
        finally:
            ready.cancel()

    async def _stop_children(self) -> None:
        self._enter("stopping")
        by_rank = sorted(self._children, key=lambda child: -child.spec.stop_rank)
        for _, rank in itertools.groupby(by_rank, key=lambda child: child.spec.stop_rank):
            await asyncio.gather(
                *(child.stop(drain_seconds=self._plan.drain_seconds, hurry=self._hurry) for child in rank)
            )
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in self._children:
            child.remove_stale_files()
        _log.info("stopped")

    async def _rotate_logs(self) -> None:
        while True:
            await asyncio.sleep(_ROTATE_EVERY_SECONDS)
            try:
                await asyncio.to_thread(rotate_folder, self._plan.log_dir)
            except OSError as error:
                _log.warning("log rotation: %s", error)

    async def _watch(self) -> None:
        await self.started.wait()
        await reload_on_change(lambda: self._plan, _log)

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request_stop)
        loop.add_signal_handler(signal.SIGQUIT, self._stop_at_once)
        loop.add_signal_handler(signal.SIGHUP, self._renew_plan)

    def _stop_at_once(self) -> None:
        self._hurry.set()
        self._stop.set()

    def _renew_plan(self) -> None:
        """`planoctl reload` has written another plan for the same processes."""
        try:
            plan = read_plan(self._plan.folder / "plan.json")
        except PlanError as error:
            _log.warning("the plan stays as it is: %s", error)
            return
        self._plan = plan
        specs = {spec.name: spec for spec in plan.children}
        for child in self._children:
            if child.spec.name in specs:
                child.renew(specs[child.spec.name])
        _log.info("reloaded: %s", ", ".join(f"{listener.name} {listener.url}" for listener in plan.listeners))

    def _enter(self, phase: Phase) -> None:
        self._state.phase = phase
        self._state.since = time.time()
        self._report()

    def _report(self) -> None:
        running = self._state.phase == "running"
        self._state.ready = running and all(child.state.phase == "ready" for child in self._children)
        try:
            write_state(self._state, self._state_path)
        except OSError as error:
            _log.warning("cannot write %s: %s", self._state_path, error)

    def _forget_pid(self) -> None:
        identity = read_identity(self._pid_path)
        if identity is not None and identity.pid == os.getpid():
            self._pid_path.unlink(missing_ok=True)


async def _all_set(events: list[asyncio.Event]) -> None:
    for event in events:
        await event.wait()
