"""Keeps log files small: a file over the limit is copied aside and emptied in place.

Children hold their logs open in append mode, so they go on writing into the emptied file. Lines written between copy
and truncation (microseconds) are lost; that is the price of not having to tell every child to reopen.
"""

import logging
import os
import shutil
from pathlib import Path

MAX_BYTES = 50 * 1024 * 1024
KEPT_FILES = 3

_log = logging.getLogger(__name__)


def rotate_folder(folder: Path, *, max_bytes: int = MAX_BYTES) -> list[Path]:
    """Roll every `*.log` in `folder` that is larger than `max_bytes`; returns the files that were rolled.

    A file that cannot be copied is emptied all the same: a full disk would keep it growing.
    """
    rolled = []
    for path in sorted(folder.glob("*.log")):
        try:
            if path.stat().st_size > max_bytes:
                _roll(path)
                rolled.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            _log.warning("cannot keep the old lines of %s: %s", path, error)
            os.truncate(path, 0)
    return rolled


def _roll(path: Path) -> None:
    for number in range(KEPT_FILES, 1, -1):
        older = _numbered(path, number - 1)
        if older.exists():
            older.replace(_numbered(path, number))
    copy = _numbered(path, 1)
    try:
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
    except OSError:
        copy.unlink(missing_ok=True)
        raise
    os.truncate(path, 0)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
