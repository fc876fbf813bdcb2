"""Files that may hold keys: written whole or not at all, readable by their owner only."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def private_folder(path: Path) -> Path:
    """Create `path`, and what is missing above it, with mode 0700; close `path` to others if it is there already."""
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, with mode 0600. The folder must exist."""
    with replaced_privately(path) as stream:
        stream.write(text.encode())


@contextmanager
def replaced_privately(path: Path) -> Iterator[BinaryIO]:
    """What the block writes replaces `path` at its end, with mode 0600; nothing does if it raises."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
