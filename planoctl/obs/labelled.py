"""Labels with values beside them, as the detail view and the help have them."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

from planoctl.obs.formats import cut
from planoctl.obs.look import style

LABEL_COLUMNS = 14
_MIN_COLUMNS = 10


def labelled(
    rows: Sequence[tuple[str, str, str]], width: int, *, columns: int = LABEL_COLUMNS, label_style: str = "dim"
) -> Text:
    """Rows of label, value and the value's style; a value too long for its line goes on below itself."""
    lines = []
    for label, value, name in rows:
        shown = cut(label, columns - 1).ljust(columns)
        for part in _wrapped(value, max(_MIN_COLUMNS, width - columns)):
            lines.append(Text(no_wrap=True, end="").append(shown, style(label_style)).append(part, style(name)))
            shown = " " * columns
    return Text("\n").join(lines)


def _wrapped(value: str, columns: int) -> list[str]:
    parts = []
    for line in value.split("\n"):
        parts += textwrap.wrap(line, columns, replace_whitespace=False, drop_whitespace=True) or [""]
    return parts
