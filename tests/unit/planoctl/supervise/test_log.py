import errno
import os
from pathlib import Path
from typing import Any

import pytest

from planoctl.supervise.log import open_log


def test_a_log_is_appended_to_and_private(tmp_path: Path) -> None:
    path = tmp_path / "child.log"
    for text in (b"one", b"two"):
        descriptor = open_log(path)
        os.write(descriptor, text)
        os.close(descriptor)
    assert path.read_bytes() == b"onetwo"
    assert path.stat().st_mode & 0o077 == 0


def test_where_a_full_disk_has_no_room_for_a_log_its_lines_go_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def open_on_full_disk(path: Any, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", open_on_full_disk)
    descriptor = open_log(tmp_path / "child.log")
    assert os.write(descriptor, b"lost") == 4
    os.close(descriptor)


def test_any_other_fault_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_log(tmp_path / "no such folder" / "child.log")
