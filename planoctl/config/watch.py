"""How a service takes up a changed configuration while it runs: its files are watched, and what it applied is told.

The files are looked at a few times a second instead of subscribed to: that works on every file system, and a
Kubernetes ConfigMap, whose files change by the swap of a symbolic link, is a change like any other.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from planoctl.config.findings import ConfigError
from planoctl.config.pipeline import load_rendered
from planoctl.config.runtime import RuntimeConfig
from planoctl.file_stamp import Stamp, file_stamp
from planoctl.private_files import write_private

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.2
_DIGEST_CHARACTERS = 16


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a service reports: the digest of the files it runs with, and why newer ones were refused, if they were."""

    digest: str
    error: str | None = None
    error_digest: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceFiles:
    """The rendered configuration and the values of its variables, where a service reads them."""

    config: Path
    secrets: Path | None = None

    def load(self) -> tuple[RuntimeConfig, str]:
        """The configuration with its secrets resolved, and the digest of the files. Raises ConfigError, OSError."""
        while True:
            digest = self.digest()
            text = self.secrets.read_text(encoding="utf-8") if self.secrets else "{}"
            config = load_rendered(self.config, json.loads(text))
            if digest == self.digest():
                return config, digest

    def digest(self) -> str:
        """Tells contents apart; the same for the same bytes. Raises OSError."""
        return digest_of(self.config.read_bytes(), self.secrets.read_bytes() if self.secrets else b"")

    def stamps(self) -> tuple[Stamp | None, ...]:
        return tuple(file_stamp(path) for path in (self.config, self.secrets) if path is not None)


def digest_of(config: bytes, secrets: bytes) -> str:
    return hashlib.sha256(config + b"\0" + secrets).hexdigest()[:_DIGEST_CHARACTERS]


class ConfigWatch:
    """The configuration of a service, first and ever after.

    `config` is what is in force; `report` the file in which to say so, if there is to be one.
    """

    def __init__(self, files: ServiceFiles, report: Path | None = None) -> None:
        """Loads the files; raises ConfigError, OSError."""
        self._files = files
        self._report_path = report
        self._seen: tuple[Stamp | None, ...] = ()
        self.config, digest = files.load()
        self._applied = Applied(digest=digest)

    @property
    def digest(self) -> str:
        """Of the files that are in force."""
        return self._applied.digest

    async def run(self, apply: Callable[[RuntimeConfig], Awaitable[None]]) -> None:
        """Call `apply` with each new configuration, until cancelled. A bad one changes nothing."""
        self._report(self._applied)
        while True:
            if (stamps := self._files.stamps()) != self._seen:
                self._seen = stamps
                await self._take_up(apply)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _take_up(self, apply: Callable[[RuntimeConfig], Awaitable[None]]) -> None:
        try:
            digest = self._files.digest()
            if digest == self._applied.digest and self._applied.error is None:
                return
            config, digest = await asyncio.to_thread(self._files.load)
            if config != self.config:
                await apply(config)
                self.config = config
                log.info("configuration %s is in force", digest)
        except (ConfigError, OSError, ValueError) as fault:
            log.error("the configuration stays as it is: %s", fault)  # noqa: TRY400 — the user's fault needs no trace
            self._refuse(fault)
        except Exception as fault:
            log.exception("the configuration stays as it is")
            self._refuse(fault)
        else:
            self._report(Applied(digest=digest))

    def _refuse(self, fault: Exception) -> None:
        try:
            refused = self._files.digest()
        except OSError:
            refused = None
        self._report(Applied(digest=self._applied.digest, error=str(fault), error_digest=refused))

    def _report(self, applied: Applied) -> None:
        self._applied = applied
        if self._report_path is None:
            return
        try:
            self._report_path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(self._report_path, msgspec.json.encode(applied).decode())
        except OSError as fault:
            log.warning("cannot write %s: %s", self._report_path, fault)


def read_applied(path: Path) -> Applied | None:
    """The report at `path`, None if there is none yet."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Applied)
    except (OSError, msgspec.DecodeError):
        return None
