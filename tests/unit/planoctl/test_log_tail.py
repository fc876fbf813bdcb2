import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from planoctl.log_tail import FolderTail, LogTail, component_of, last_lines, log_files


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


@given(
    lines=st.lists(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30), max_size=40),
    count=st.integers(0, 50),
)
def test_the_last_lines_are_those_of_the_whole_file(lines: list[str], count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        path.write_text("".join(f"{line}\n" for line in lines))
        assert last_lines(path, count) == (lines[-count:] if count else [])


def test_the_last_lines_of_a_big_file_are_found_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"{number:06} {'x' * 90}\n" for number in range(5000)))
    assert [line[:6] for line in last_lines(path, 2000)] == [f"{number:06}" for number in range(3000, 5000)]


def test_the_last_lines_can_begin_at_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\nnew 1\nnew 2\n")
    assert last_lines(path, 10, since=4) == ["new 1", "new 2"]
    assert last_lines(path, 10, since=999) == ["old", "new 1", "new 2"]


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log", 5) == []
    assert LogTail(tmp_path / "none.log", from_end=True).poll() == []


def test_only_complete_lines_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    tail = LogTail(path, from_end=True)
    assert tail.poll() == []
    append(path, "one\ntw")
    assert tail.poll() == ["one"]
    append(path, "o\n")
    assert tail.poll() == ["two"]


def test_an_emptied_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("a long line that was there before\n")
    tail = LogTail(path, from_end=True)
    path.write_text("")
    append(path, "new\n")
    assert tail.poll() == ["new"]


def test_a_replaced_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\n")
    tail = LogTail(path, from_end=True)
    path.rename(tmp_path / "a.log.1")
    assert tail.poll() == []
    path.write_text("new and longer\n")
    assert tail.poll() == ["new and longer"]


def test_a_folder_is_followed_with_files_that_appear_later(tmp_path: Path) -> None:
    (tmp_path / "envoy.log").write_text("old\n")
    tail = FolderTail(tmp_path)
    append(tmp_path / "envoy.log", "new\n")
    (tmp_path / "extproc-0.log").write_text("hello\n")
    assert tail.poll() == [("envoy", "new"), ("extproc-0", "hello")]


def test_components_select_files(tmp_path: Path) -> None:
    for name in ("access_llm.log", "envoy.log", "extproc-0.log", "extproc-1.log", "envoy.log.1", "other.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in log_files(tmp_path)] == [
        "access_llm.log", "envoy.log", "extproc-0.log", "extproc-1.log"
    ]  # fmt: skip
    assert [path.name for path in log_files(tmp_path, ["extproc"])] == ["extproc-0.log", "extproc-1.log"]
    assert component_of(Path("access.log")) == component_of(Path("access_llm.log")) == "access"
    assert component_of(Path("mock-provider.log")) == "mock-provider"
