"""A file of 64-bit words that all workers of a host map into their memory, with a lock for those who change it."""

import contextlib
import fcntl
import logging
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_MAGIC = int.from_bytes(b"planolim", "little")
_VERSION = 1
_HEADER = 8  # words
_WORD = 8  # bytes


class SharedWords:
    """`words` is the shared memory; hold `locked` while reading what others may change, and while changing it.

    Without a path the memory is this process's own. A file that is damaged, or of another version, is replaced by an
    empty one; processes that still have the old one keep it to themselves.
    """

    def __init__(self, path: Path | None, size: int) -> None:
        self._file = -1
        self._memory = mmap.mmap(-1, (size + _HEADER) * _WORD) if path is None else self._map(path, size + _HEADER)
        self.words = memoryview(self._memory).cast("Q")[_HEADER:]

    @contextlib.contextmanager
    def locked(self) -> Iterator[memoryview]:
        if self._file < 0:
            yield self.words
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield self.words
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        self.words.release()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _map(self, path: Path, size: int) -> mmap.mmap:
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still(path, file):  # replaced while we waited
                os.close(file)
                continue
            if os.fstat(file).st_size == size * _WORD:
                memory = mmap.mmap(file, size * _WORD)
                if memoryview(memory).cast("Q")[:3].tolist() == [_MAGIC, _VERSION, size]:
                    fcntl.flock(file, fcntl.LOCK_UN)
                    self._file = file
                    return memory
            if os.fstat(file).st_size:
                log.warning("%s is damaged or of another version: quotas begin anew", path)
            _replace(path, size)
            os.close(file)


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _replace(path: Path, size: int) -> None:
    """Put an empty file in place. Its blocks are taken at once: a full disk must not kill who writes to it later."""
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size * _WORD)
        os.ftruncate(file, size * _WORD)
        os.pwrite(file, b"".join(word.to_bytes(_WORD, "little") for word in (_MAGIC, _VERSION, size)), 0)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
