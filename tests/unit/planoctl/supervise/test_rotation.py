import errno
import shutil
from pathlib import Path

import pytest

from planoctl.supervise.rotation import KEPT_FILES, rotate_folder


def test_only_files_over_the_limit_are_rolled(tmp_path: Path) -> None:
    (tmp_path / "big.log").write_text("x" * 101)
    (tmp_path / "small.log").write_text("x" * 100)
    (tmp_path / "other.txt").write_text("x" * 1000)
    assert rotate_folder(tmp_path, max_bytes=100) == [tmp_path / "big.log"]
    assert (tmp_path / "big.log.1").read_text() == "x" * 101
    assert (tmp_path / "big.log").read_text() == ""
    assert oct((tmp_path / "big.log.1").stat().st_mode & 0o777) == "0o600"


def test_a_writer_in_append_mode_goes_on_in_the_emptied_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("a") as writer:
        writer.write("before")
        writer.flush()
        rotate_folder(tmp_path, max_bytes=1)
        writer.write("after")
    assert path.read_bytes() == b"after"


def test_old_files_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for number in range(KEPT_FILES + 3):
        path.write_text(f"generation {number}")
        rotate_folder(tmp_path, max_bytes=1)
    kept = [path.with_name(f"a.log.{number}").read_text() for number in range(1, KEPT_FILES + 1)]
    assert kept == ["generation 5", "generation 4", "generation 3"]
    assert not path.with_name(f"a.log.{KEPT_FILES + 1}").exists()


def test_a_disk_that_is_too_full_for_a_copy_does_not_keep_the_file_growing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_until_full(_source: Path, target: Path) -> None:
        target.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", copy_until_full)
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("x" * 101)
    assert rotate_folder(tmp_path, max_bytes=100) == []
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {"a.log": 0, "b.log": 0}
