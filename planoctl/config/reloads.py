"""What became of reloads, for `planoctl status` and for metrics."""

import time
from pathlib import Path

import msgspec

from planoctl.private_files import write_private

_NAME = "reload.json"


class ReloadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The last reload: `at` is Unix time, `message` says why it failed. The counts are those since the start."""

    ok: bool
    message: str | None = None
    at: float = msgspec.field(default_factory=time.time)
    succeeded: int = 0
    failed: int = 0


def write_record(record: ReloadRecord, run_dir: Path) -> None:
    """Note a reload, and count it."""
    before = read_record(run_dir) or ReloadRecord(ok=True)
    counted = msgspec.structs.replace(
        record, succeeded=before.succeeded + record.ok, failed=before.failed + (not record.ok)
    )
    write_private(run_dir / _NAME, msgspec.json.encode(counted).decode())


def read_record(run_dir: Path) -> ReloadRecord | None:
    """The last record, None if there was no reload since the start."""
    try:
        return msgspec.json.decode((run_dir / _NAME).read_bytes(), type=ReloadRecord)
    except (OSError, msgspec.DecodeError):
        return None


def forget_record(run_dir: Path) -> None:
    (run_dir / _NAME).unlink(missing_ok=True)
