"""What became of the last reload, for `planoctl status`."""

import time
from pathlib import Path

import msgspec

from planoctl.private_files import write_private

_NAME = "reload.json"


class ReloadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is Unix time; `message` says why it failed."""

    ok: bool
    message: str | None = None
    at: float = msgspec.field(default_factory=time.time)


def write_record(record: ReloadRecord, run_dir: Path) -> None:
    write_private(run_dir / _NAME, msgspec.json.encode(record).decode())


def read_record(run_dir: Path) -> ReloadRecord | None:
    """The last record, None if there was no reload since the start."""
    try:
        return msgspec.json.decode((run_dir / _NAME).read_bytes(), type=ReloadRecord)
    except (OSError, msgspec.DecodeError):
        return None


def forget_record(run_dir: Path) -> None:
    (run_dir / _NAME).unlink(missing_ok=True)
