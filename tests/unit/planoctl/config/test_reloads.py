"""What is noted of reloads."""

from pathlib import Path

from planoctl.config.reloads import ReloadRecord, forget_record, read_record, write_record


def test_reloads_are_counted_by_their_outcome(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    for ok in (True, False, True):
        write_record(ReloadRecord(ok=ok, message=None if ok else "a slip of the pen"), tmp_path)
    last = read_record(tmp_path)
    assert last is not None
    assert (last.ok, last.message, last.succeeded, last.failed) == (True, None, 2, 1)
    forget_record(tmp_path)
    assert read_record(tmp_path) is None


def test_a_record_of_an_older_version_counts_from_zero(tmp_path: Path) -> None:
    (tmp_path / "reload.json").write_text('{"ok": true, "at": 1.0}')
    write_record(ReloadRecord(ok=False), tmp_path)
    last = read_record(tmp_path)
    assert last is not None
    assert (last.succeeded, last.failed) == (0, 1)
