"""Traces that a collector finds again when it starts."""

import stat
from pathlib import Path

import pytest

from planoctl.traces.kept import load, save
from planoctl.traces.otlp import received
from planoctl.traces.store import Limits, TraceStore
from tests.unit.planoctl.traces.sample import FAILURE, SUCCESS, export


def filled(limits: Limits | None = None) -> TraceStore:
    store = TraceStore(limits)
    for span in received(export(*SUCCESS, *FAILURE)).spans:
        store.add(span)
    return store


def again(path: Path, limits: Limits | None = None) -> TraceStore:
    store = TraceStore(limits)
    load(path, store)
    return store


def test_what_was_saved_is_there_again_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    store = filled()
    save(store, path)
    found = again(path)
    assert found.trace_count == store.trace_count > 1
    assert list(found.traces()) == list(store.traces())
    assert found.registrations == store.registrations
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["traces.jsonl"]


def test_a_store_with_less_room_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    store = filled()
    save(store, path)
    assert list(again(path, Limits(traces=1)).traces()) == list(store.traces())[:1]


def test_without_a_file_the_store_stays_empty(tmp_path: Path) -> None:
    assert again(tmp_path / "nothing").trace_count == 0


@pytest.mark.parametrize("line", [b"{}\n", b"no JSON\n", b'{"traceId": 7}\n', b"\xff\n", b"[]\n"])
def test_what_is_no_span_ends_the_reading_with_a_word(
    line: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "traces.jsonl"
    save(filled(), path)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + line)
    assert again(path).span_count == 1
    assert f"{path} cannot be read" in caplog.text


def test_a_file_that_no_store_can_have_written_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "traces.jsonl"
    save(filled(), path)
    assert again(path, Limits(size=path.stat().st_size // 3)).trace_count == 0
    assert "it is too large" in caplog.text


def test_a_folder_that_has_gone_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(filled(), tmp_path / "gone" / "traces.jsonl")
    assert "traces are lost" in caplog.text
