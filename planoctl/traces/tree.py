"""Draws a trace for a terminal: a tree of spans on the left, durations and a time line on the right."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from planoctl.traces.details import BRAND, ERROR, Detail, colour, lines, milliseconds, printable
from planoctl.traces.shape import Node, Period, failure, nodes, period
from planoctl.traces.span import Trace, end_nanoseconds, start_nanoseconds

_DURATION = 9
_GAP = 2
_TIMELINE_FROM, _WIDE_FROM = 100, 160
_NARROWEST_TEXT = 20
_GUIDES = {True: ("└─ ", "   "), False: ("├─ ", "│  ")}
_NARROW_GUIDES = {True: ("└", " "), False: ("├", "│")}


@dataclass(frozen=True, slots=True)
class Page:
    """Where it is drawn. Without `wrap` long values run over the edge, as is best in a pipe."""

    width: int
    wrap: bool = True

    @property
    def timeline(self) -> int:
        """Columns of the time line; 0 for none."""
        if self.width < _TIMELINE_FROM:
            return 0
        return self.width // 4 if self.width < _WIDE_FROM else self.width * 2 // 5

    @property
    def text(self) -> int:
        """Columns of the tree."""
        right = _GAP + _DURATION + (_GAP + self.timeline if self.timeline else 0)
        return max(self.width - right, _NARROWEST_TEXT)


def draw(trace: Trace, page: Page, detail: Detail) -> Iterator[Text]:
    """The lines of a trace, none wider than the page if that wraps."""
    whole = period(trace["spans"])
    count = len(trace["spans"])
    console = Console(width=page.width)
    header = Text.assemble(
        ("Trace: ", f"bold {BRAND}"),
        (trace["trace_id"], "bold"),
        (f" ({milliseconds(whole.milliseconds)} total, {count} span{'' if count == 1 else 's'})", "dim"),
    )
    yield from header.wrap(console, page.width, overflow="fold") if page.wrap else [header]
    placed = list(nodes(trace))
    deepest = max((len(node.ends) for node in placed), default=0)
    narrow = deepest * 3 > page.text // 2
    for node in placed:
        yield from _Row(node, whole, page, narrow, console).lines(detail)


@dataclass(frozen=True, slots=True)
class _Row:
    node: Node
    whole: Period
    page: Page
    narrow: bool
    console: Console

    def lines(self, detail: Detail) -> Iterator[Text]:
        span = self.node.span
        wrong = failure(span)
        style = ERROR if wrong else colour(span["service"])
        if wrong:
            yield from self._wrapped(Text(f"✗ {printable(wrong)}", "bold red"), self._prefix("above"))
        offset = (start_nanoseconds(span) - self.whole.start) / 1e6
        label = Text.assemble(
            (f"{milliseconds(max(offset, 0))} ", ERROR if wrong else "dim"),
            (f"{printable(span['service'])} ", f"bold {style}"),
            (printable(span["name"]), ERROR if wrong else ""),
        )
        first, *rest = self._wrapped(label, self._prefix("label"), columns=self.page.text)
        yield self._with_times(first, style)
        yield from rest
        for line in lines(span, detail, self.whole.start):
            yield from self._wrapped(line, self._prefix("below"))

    def _prefix(self, place: str) -> tuple[str, str]:
        """What stands before the first line of a text of this span, and before the lines that go on with it."""
        guides = _NARROW_GUIDES if self.narrow else _GUIDES
        above = "".join(guides[ended][1] for ended in self.node.ends[:-1])
        own, after = guides[self.node.ends[-1]]
        inside = above + after + (guides[False][1] if self.node.has_children else guides[True][1])
        first = {"above": above + guides[False][1], "label": above + own, "below": inside}[place]
        rest = above + guides[False][1] if place == "above" else inside
        return self._cut(first), self._cut(rest)

    def _cut(self, prefix: str) -> str:
        most = self.page.text // 2
        return prefix if len(prefix) <= most else "…" + prefix[1 - most :]

    def _wrapped(self, line: Text, prefix: tuple[str, str], *, columns: int | None = None) -> list[Text]:
        """`line` within `columns`, or the page's width, behind its prefix; what does not fit goes on indented."""
        first, rest = prefix
        if not self.page.wrap:
            return [Text.assemble((first, "dim"), line)]
        columns = columns or self.page.width
        hanging = rest + ("" if self.narrow else "  ")
        head, *_ = self._fold(line, columns - cell_len(first))
        shown = [Text.assemble((first, "dim"), head)]
        left = line[len(head) :]
        if left.plain.strip():
            left = left[len(left) - len(left.plain.lstrip()) :]
            parts = self._fold(left, columns - cell_len(hanging))
            shown += [Text.assemble((hanging, "dim"), part) for part in parts]
        return shown

    def _fold(self, line: Text, columns: int) -> list[Text]:
        return list(line.wrap(self.console, max(columns, 1), overflow="fold")) or [line]

    def _with_times(self, line: Text, style: str) -> Text:
        span, page = self.node.span, self.page
        start, end = start_nanoseconds(span), end_nanoseconds(span)
        line.append(" " * max(page.text - line.cell_len, 0))
        line.append(f"{milliseconds((end - start) / 1e6):>{_GAP + _DURATION}}", "dim")
        if page.timeline:
            line.append(" " * _GAP)
            line.append(_bar(Period(start, end), self.whole, page.timeline), style)
        return line


def _bar(part: Period, whole: Period, columns: int) -> str:
    """Where `part` is in `whole`; at least one character."""
    length = max(whole.end - whole.start, 1)
    first = min(int((part.start - whole.start) / length * columns), columns - 1)
    last = min(max(round((part.end - whole.start) / length * columns), first + 1), columns)
    return " " * max(first, 0) + "━" * (last - max(first, 0))
