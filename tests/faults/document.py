"""Writes what was measured into docs/faults.md."""

from pathlib import Path

_DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
_END = "<!-- end -->"


def write_measured(target: str, text: str) -> None:
    """Replace the part of the document that `make TARGET` measures."""
    begin = f"<!-- measured: make {target} -->"
    before, found, rest = _DOCUMENT.read_text(encoding="utf-8").partition(begin)
    assert found, f"{_DOCUMENT} has no part for `make {target}`"
    after = rest.partition(_END)[2]
    _DOCUMENT.write_text(f"{before}{begin}\n\n{text}\n\n{_END}{after}", encoding="utf-8")
