"""Renders a configuration for processes that something else runs, and brings its changes to them."""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from planoctl.config.deployment import Deployment
from planoctl.config.reloads import ReloadRecord, write_record
from planoctl.file_stamp import Stamp, file_stamp
from planoctl.private_files import private_folder, write_private
from planoctl.render import write_envoy
from planoctl.rollout.rollout import Rendered, RolloutFailed, roll_out

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5


class Agent:
    """`load` reads and checks the configuration; it raises `invalid` for one that cannot be used, and then nothing
    changes. `files` are those whose change is a reason to load again, beside those that were read for what it returned.
    """

    def __init__(
        self,
        deployment: Deployment,
        files: list[Path],
        load: Callable[[], Rendered],
        invalid: type[Exception],
    ) -> None:
        self._deployment = deployment
        self._files = files
        self._load = load
        self._invalid = invalid
        self._seen: dict[Path, Stamp | None] = {}

    def render(self) -> None:
        """Write everything that the processes read, or bring it to those that run. Raises what `load` raises.

        The rendered configuration is written last: where it is, everything is.
        """
        self._seen = before = _stamps([*self._files, *self._seen])
        rendered, deployment = self._load(), self._deployment
        self._seen = {file: before.get(file, file_stamp(file)) for file in (*self._files, *rendered.read_files)}
        if deployment.config_path.exists():
            _log_outcome(rendered, deployment)
            return
        for folder in (deployment.run_dir, deployment.log_dir, deployment.socket_dir):
            if folder is not None:
                private_folder(folder)
        write_envoy(rendered.envoy, deployment.envoy_dir)
        write_private(deployment.secrets_path, json.dumps(dict(rendered.secrets)))
        write_private(deployment.config_path, rendered.config)
        log.info("rendered to %s", deployment.run_dir)

    def follow(self, stop: threading.Event) -> None:
        """Take up each change until `stop` is set."""
        while not stop.wait(_PAUSE_SECONDS):
            if _stamps(self._seen) == self._seen:
                continue
            try:
                self.render()
            except self._invalid as error:
                log.error("the configuration stays as it is: %s", error)  # noqa: TRY400 — the user's fault, no trace
                self._note(ReloadRecord(ok=False, message=str(error)))
            except (RolloutFailed, OSError) as error:
                log.error("the configuration was not taken up: %s", error)  # noqa: TRY400 — as above
                self._note(ReloadRecord(ok=False, message=str(error)))
            else:
                self._note(ReloadRecord(ok=True))

    def _note(self, record: ReloadRecord) -> None:
        try:
            write_record(record, self._deployment.run_dir)
        except OSError as error:
            log.warning("cannot note what became of the reload: %s", error)


def _stamps(files: Iterable[Path]) -> dict[Path, Stamp | None]:
    return {file: file_stamp(file) for file in files}


def _log_outcome(rendered: Rendered, deployment: Deployment) -> None:
    outcome = roll_out(rendered, deployment)
    log.info("the configuration is in force after %.1f s", outcome.seconds)
    if outcome.absent:
        log.info("not running at the moment, will start with it: %s", ", ".join(outcome.absent))
    if outcome.restart:
        log.warning("part of it needs a new Envoy")
