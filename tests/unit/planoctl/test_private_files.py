from pathlib import Path

import pytest

from planoctl.private_files import private_folder, write_private


def test_a_file_is_replaced_whole_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new ✓")
    assert path.read_text() == "new ✓"
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_made_private_with_its_parents(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a" / "b" / "c")
    made = [folder, folder.parent, folder.parent.parent]
    assert [oct(path.stat().st_mode & 0o777) for path in made] == ["0o700"] * 3
