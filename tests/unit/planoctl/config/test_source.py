from pathlib import Path
from typing import Any

import pytest

from planoctl.config.findings import ConfigError, Finding
from planoctl.config.source import MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES, parse, plain, read_file


def _fault(text: str) -> Finding:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yaml")
    (finding,) = caught.value.findings
    return finding


def test_every_part_has_a_position() -> None:
    source = parse("a:\n  - b: 1\n    c: [x, y]\n")
    assert source.document == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert source.marks["a",] == (1, 1)
    assert source.marks["a", 0] == (2, 5)
    assert source.marks["a", 0, "c"] == (3, 5)
    assert source.marks["a", 0, "c", 1] == (3, 12)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("v: 12000", 12000),
        ("v: 0.5", 0.5),
        ("v: yes", True),
        ("v:", None),
        ("v: 2023-06-01", "2023-06-01"),
        ("v: .inf", ".inf"),
        ("v: .nan", ".nan"),
        ("v: !!int x", "x"),
        ("v: !!str 5", "5"),
        (f"v: 0x{'f' * 6000}", f"0x{'f' * 6000}"),
        (f"v: {'9' * 6000}", "9" * 6000),
    ],
)
def test_scalars_are_what_json_could_hold(written: str, value: Any) -> None:
    assert parse(written).document == {"v": value}


def test_keys_are_names_even_where_yaml_guesses_otherwise() -> None:
    assert list(parse("{1: a, on: b, null: c, 2020-01-01: d}").document) == ["1", "on", "null", "2020-01-01"]


def test_anchors_and_merge_keys_are_expanded() -> None:
    text = "base: &base {x: 1, y: 2}\none: {<<: *base, y: 3}\ntwo: {<<: [*base, {x: 9, z: 4}]}\nthree: *base\n"
    document = parse(text).document
    assert document["one"] == {"x": 1, "y": 3}
    assert document["two"] == {"x": 1, "y": 2, "z": 4}
    assert document["three"] == {"x": 1, "y": 2}


def test_repeated_keys_are_noted_and_the_last_counts() -> None:
    source = parse("a:\n  b: 1\n  b: 2\n")
    assert source.document == {"a": {"b": 2}}
    assert source.repeats == (("a", "b"),)
    (finding,) = source.report("f.yaml").findings
    assert (finding.code, finding.severity, finding.line) == ("duplicate-key", "warning", 3)


_BOMB = "\n".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9) if i else 'x'}]" for i in range(12))
_STAIRS = "\n".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else 'x'}]" for i in range(2 * MAX_DEPTH))


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: [1, 2", "yaml-syntax", 1, 9),
        ("a: 1\n b: 2", "yaml-syntax", 2, 3),
        ("a:\n\tb: 1", "yaml-syntax", 2, 1),
        ("a: 'x", "yaml-syntax", 1, 6),
        ("a: *nowhere", "yaml-syntax", 1, 4),
        ("a\n--- \nb", "yaml-syntax", 2, 1),
        ("a: b\nc: \x00", "yaml-syntax", 2, 4),
        ("<<: 5", "yaml-syntax", 1, 5),
        ("? [a]\n: b", "yaml-syntax", 1, 3),
        ("", "empty-file", 1, 1),
        ("# nothing\n", "empty-file", 1, 1),
        ("a: !!python/object:os.system x", "yaml-tag", 1, 4),
        ("a: !mine {}", "yaml-tag", 1, 4),
        ("a: !!binary aGk=", "yaml-tag", 1, 4),
        ("a: &a\n  - *a", "recursive-alias", 1, 4),
        ("[" * 100_000, "too-deep", 1, MAX_DEPTH + 1),
        ("{a: " * 100_000, "too-deep", 1, 4 * MAX_DEPTH + 1),
        (_STAIRS, "too-deep", None, None),
        (_BOMB, "too-many-nodes", None, None),
        ("- a\n" * (3 * MAX_NODES), "too-many-nodes", None, 3),
    ],
)
def test_a_text_that_is_no_document_has_one_finding(text: str, code: str, line: int | None, column: int | None) -> None:
    finding = _fault(text)
    assert (finding.code, finding.severity, finding.file) == (code, "error", "f.yaml")
    assert line is None or finding.line == line
    assert column is None or finding.column == column


def test_tabs_are_named_in_the_remedy() -> None:
    assert "spaces" in (_fault("a:\n\tb: 1").remedy or "")


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\xff\xfea\x00", "not-utf-8"), (b"a: \xc3", "not-utf-8"), (b"#" * (MAX_FILE_BYTES + 1), "file-too-large")],
)
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_file(path)
    assert [finding.code for finding in caught.value.findings] == [code]


@pytest.mark.parametrize("name", ["missing.yaml", ".", "a\x00b", "x" * 5000])
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="failed to read"):
        read_file(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_file(path) == "a: 1"


def test_parsed_data_is_copied_as_yaml_would_give_it() -> None:
    original = {"a": (1, {True: "x", 3: None})}
    assert plain(original) == {"a": [1, {"true": "x", "3": None}]}


@pytest.mark.parametrize(
    "value", [b"x", object(), {1.5: 2}, {"a": {1, 2}}, 2**64, float("nan"), "\ud800", {"\ud800": 1}]
)
def test_parsed_data_that_yaml_could_not_hold_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError):
        plain({"a": value})


def test_parsed_data_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    with pytest.raises(ConfigError, match="levels deep"):
        plain(loop)


@pytest.mark.parametrize("number", ["1" + ":59" * 40, "9" * 65, "1" * 60 + ":59.5"])
def test_a_number_that_no_machine_word_holds_stays_text_unread(number: str) -> None:
    assert parse(f"a: {number}").document == {"a": number}
