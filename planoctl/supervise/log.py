"""The supervisor's own log."""

import errno
import logging
import os
from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


def open_log(path: Path) -> int:
    """A descriptor that appends to a log file, so that rotation can empty the file. Only the owner can read it.

    Where the file cannot be made (a full disk), what is written goes nowhere: a process without a log is better than
    no process.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def log_to(path: Path, *, level: str) -> None:
    """Write what the supervisor does to `path`."""
    handler = logging.StreamHandler(os.fdopen(open_log(path), "a", encoding="utf-8"))
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger = logging.getLogger("planoctl.supervise")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel({"trace": "DEBUG"}.get(level, level.upper()))
