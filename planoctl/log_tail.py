"""Reads log files from their end and follows them while they grow, are rotated, or appear later."""

import os
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 64 * 1024


def last_lines(path: Path, count: int, *, since: int = 0) -> list[str]:
    """The last `count` lines of a file, at most from byte `since` on; a missing file has none.

    Reads no more of the file than it needs.
    """
    if count <= 0:
        return []
    try:
        with path.open("rb") as stream:
            position = stream.seek(0, 2)
            start = since if since <= position else 0
            data = b""
            while position > start and data.count(b"\n") <= count:
                step = min(_BLOCK, position - start)
                position -= step
                stream.seek(position)
                data = stream.read(step) + data
    except FileNotFoundError:
        return []
    return data.decode(errors="replace").splitlines()[-count:]


class LogTail:
    """What is new in one file since the last `poll`. An emptied or replaced file is read from its beginning."""

    def __init__(self, path: Path, *, from_end: bool) -> None:
        self.path = path
        self._position = 0
        self._inode: int | None = None
        self._partial = b""
        if from_end and path.exists():
            status = path.stat()
            self._position, self._inode = status.st_size, status.st_ino

    def poll(self) -> list[str]:
        """Complete lines that were written since the last call."""
        try:
            with self.path.open("rb") as stream:
                self._notice_rotation(stream.fileno())
                stream.seek(self._position)
                data = stream.read()
        except FileNotFoundError:
            return []
        self._position += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def _notice_rotation(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if status.st_ino != self._inode or status.st_size < self._position:
            self._position = 0
            self._partial = b""
        self._inode = status.st_ino


class FolderTail:
    """Follows every log file of a folder whose component is wanted, also files that appear later."""

    def __init__(self, folder: Path, components: Iterable[str] = (), *, from_end: bool = True) -> None:
        self._folder = folder
        self._components = frozenset(components)
        self._tails: dict[Path, LogTail] = {}
        self._discover(from_end=from_end)

    def poll(self) -> list[tuple[str, str]]:
        """Pairs of source (a file's name without `.log`) and line, in the order of the files."""
        self._discover(from_end=False)
        return [(path.stem, line) for path, tail in sorted(self._tails.items()) for line in tail.poll()]

    def _discover(self, *, from_end: bool) -> None:
        for path in log_files(self._folder, self._components):
            if path not in self._tails:
                self._tails[path] = LogTail(path, from_end=from_end)


def log_files(folder: Path, components: Iterable[str] = ()) -> list[Path]:
    """The current log files of the wanted components (all, if none is named), sorted."""
    wanted = frozenset(components)
    return [path for path in sorted(folder.glob("*.log")) if not wanted or component_of(path) in wanted]


def component_of(path: Path) -> str:
    """Which component writes a log file: `extproc` for `extproc-0.log`, `access` for `access_llm.log`."""
    name = path.stem
    for component in ("extproc", "access"):
        if name.startswith(component):
            return component
    return name
