"""One supervised process: started, watched until it is ready, started again when it dies, stopped."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from logging import Logger
from pathlib import Path

from planoctl.supervise import leash
from planoctl.supervise.drain import drain
from planoctl.supervise.identity import start_mark
from planoctl.supervise.log import open_log
from planoctl.supervise.plan import Child
from planoctl.supervise.probe import Prober
from planoctl.supervise.state import ChildPhase, ChildState, Failure

_LIVENESS_PAUSE_SECONDS = 2.0
_SILENCE_SECONDS = 10.0  # longer than any request keeps a worker busy
_SETTLED_SECONDS = 4.0
_LONGEST_PAUSE = 10.0
_SHORTEST_PAUSE = 0.25


class ChildError(Exception):
    """A child ended, or did not become ready, while the instance was still starting."""

    def __init__(self, child: "ChildProcess", reason: str) -> None:
        super().__init__(f"{child.spec.name} {reason}")
        self.failure = Failure(child=child.spec.name, reason=reason, log=child.spec.log, log_offset=child.log_offset)


class Backoff:
    """How long to wait before a restart: not at all at first, then ever longer while the process keeps dying.

    Who has lived for some seconds did work, and starts again at once: even a process that dies of every tenth request
    is restarted no more than 15 times a minute, one that does not come up six times.
    """

    def __init__(self) -> None:
        self._pause = 0.0

    def after(self, seconds_alive: float) -> float:
        """The pause, in seconds, after a run that lasted `seconds_alive`."""
        if seconds_alive >= _SETTLED_SECONDS:
            self._pause = 0.0
        pause = self._pause
        self._pause = min(max(_SHORTEST_PAUSE, pause * 2), _LONGEST_PAUSE)
        return pause


class ChildProcess:
    """Keeps `spec` running. `restarting` decides what an exit means: a failed start (False) or a restart (True)."""

    def __init__(
        self,
        spec: Child,
        *,
        prober: Prober,
        log: Logger,
        environment: Mapping[str, str],
        ready_seconds: float,
        changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.state = ChildState(name=spec.name, component=spec.component, log=spec.log)
        self.ready_once = asyncio.Event()
        self.restarting = False
        self.log_offset = 0
        self._prober = prober
        self._log = log
        self._environment = {**environment, **spec.environment}
        self._ready_seconds = ready_seconds
        self._changed = changed
        self._stop = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def keep(self) -> None:
        """Run the process until `stop`; raises ChildError if it ends while `restarting` is off."""
        backoff = Backoff()
        while not self._stop.is_set():
            began = time.monotonic()
            self.state.last_exit = reason = await self._run_once()
            if self._stop.is_set():
                return
            if not self.restarting:
                raise ChildError(self, reason)
            pause = backoff.after(time.monotonic() - began)
            self.state.restarts += 1
            self._log.warning("%s %s; restart %d in %.2f s", self.spec.name, reason, self.state.restarts, pause)
            self._enter("backoff")
            await self._sleep(pause)

    async def stop(self, *, drain_seconds: float, hurry: asyncio.Event) -> None:
        """Drain if the child can, then SIGTERM, then SIGKILL. `hurry` ends the draining early."""
        self._stop.set()
        process = self._process
        if process is None or process.returncode is not None:
            self._enter("stopped")
            return
        ready = self.state.phase == "ready"
        self._enter("stopping")
        if ready and self.spec.drain_admin is not None:
            await self._drain(self.spec.drain_admin, drain_seconds, hurry)
        self._signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_seconds)
        except TimeoutError:
            self._log.warning("%s did not end within %g s: killed", self.spec.name, self.spec.stop_seconds)
            self._signal(process, signal.SIGKILL)
            await process.wait()
        self._enter("stopped")

    def renew(self, spec: Child) -> None:
        """Take up what may change while the process runs: how it is probed."""
        if spec.argv == self.spec.argv:
            self.spec = spec

    def remove_stale_files(self) -> None:
        for path in self.spec.stale_files:
            Path(path).unlink(missing_ok=True)

    async def _run_once(self) -> str:
        """One life of the process; returns what became of it."""
        self.remove_stale_files()
        try:
            process = self._process = await self._spawn()
        except OSError as error:
            return f"could not be started: {error}"
        self.state.pid, self.state.pid_mark = process.pid, start_mark(process.pid)
        self._enter("starting")
        self._log.info("%s started, pid %d", self.spec.name, process.pid)
        if self._stop.is_set():
            self._signal(process, signal.SIGKILL)
        watch = asyncio.create_task(self._watch_readiness(process))
        code = await process.wait()
        watch.cancel()
        await asyncio.wait([watch])
        overdue = None if watch.cancelled() else watch.result()
        self.state.pid = self.state.pid_mark = self.state.waiting_for = None
        return overdue or describe_exit(code)

    async def _spawn(self) -> asyncio.subprocess.Process:
        log = open_log(Path(self.spec.log))
        self.log_offset = os.fstat(log).st_size
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", leash.__file__, str(os.getpid())),
                *self.spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._from_env_file(), **self._environment},
                start_new_session=True,
                umask=0o077,
            )
        finally:
            os.close(log)

    def _from_env_file(self) -> dict[str, str]:
        """What the process gets of its env file, read anew at each start; the values are nowhere else."""
        if self.spec.env_file is None or not Path(self.spec.env_file).exists():
            return {}
        from planoctl.config.environment import read_env_file
        from planoctl.config.findings import ConfigError

        try:
            entries = read_env_file(Path(self.spec.env_file)).entries
        except ConfigError as error:
            self._log.warning("%s starts without its env file: %s", self.spec.name, error)
            return {}
        return {name: entries[name] for name in self.spec.env_file_names if name in entries}

    async def _watch_readiness(self, process: asyncio.subprocess.Process) -> str | None:
        """Report readiness; kill a process that takes too long and return the reason."""
        try:
            async with asyncio.timeout(self._ready_seconds):
                for probe in self.spec.probes:
                    self.state.waiting_for = probe.target
                    self._changed()
                    await self._prober.until_ready(probe)
        except TimeoutError:
            self._signal(process, signal.SIGKILL)
            return f"was not ready within {self._ready_seconds:g} s: no answer from {self.state.waiting_for}"
        self.state.waiting_for = None
        if not self._stop.is_set():
            self._enter("ready")
            self._log.info("%s ready", self.spec.name)
            self.ready_once.set()
        return await self._watch_liveness(process)

    async def _watch_liveness(self, process: asyncio.subprocess.Process) -> str:
        """Kill a process that answers no more, and return the reason; runs as long as the process."""
        silent_since: float | None = None
        while True:
            await asyncio.sleep(_LIVENESS_PAUSE_SECONDS)
            failures = [await self._prober.failure(probe) for probe in self.spec.probes if not probe.only_at_start]
            if self._stop.is_set() or not any(failures):
                silent_since = None
                continue
            now = asyncio.get_running_loop().time()
            silent_since = silent_since or now
            if now - silent_since >= _SILENCE_SECONDS:
                self._log.warning("%s answers no more: killed", self.spec.name)
                self._signal(process, signal.SIGKILL)
                return f"had not answered for {_SILENCE_SECONDS:g} s"

    async def _drain(self, admin: str, seconds: float, hurry: asyncio.Event) -> None:
        def report(open_requests: int) -> None:
            self.state.waiting_for = f"{open_requests} open request{'s' if open_requests > 1 else ''}"
            self._changed()

        draining = asyncio.create_task(drain(admin, seconds, report))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait([draining, hurried], return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not draining.done():
            draining.cancel()
            await asyncio.wait([draining])
        elif not draining.result():
            self._log.warning("%s still had open requests after %g s of draining", self.spec.name, seconds)
        self.state.waiting_for = None

    def _signal(self, process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        if process.returncode is None:
            process.send_signal(number)

    def _enter(self, phase: ChildPhase) -> None:
        self.state.phase = phase
        self.state.since = time.time()
        self._changed()

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return


def describe_exit(code: int) -> str:
    """What a return code of `asyncio.subprocess` says: an exit status or the signal that ended the process."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
