"""The charts of the report, as SVG: bars in panels, one panel a case, each with a scale of its own from zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tests.bench.public.gateways import LITELLM, PLANO
from tests.bench.public.measurements import Load
from tests.bench.public.results import Results

_WIDTH, _LABELS, _VALUES = 760, 150, 110
_BAR, _STEP, _HEAD = 16, 22, 34
_TOP, _BOTTOM = 64, 16
_INK, _FAINT = "#1f2328", "#656d76"
_COLOURS = {PLANO: "#2563ab", LITELLM: "#d97706"}
_OTHER_COLOUR = "#57606a"


@dataclass(frozen=True, slots=True)
class Bar:
    """`value` None: nothing was measured. Pale bars are the second figure of a gateway."""

    gateway: str
    label: str
    value: float | None
    text: str
    pale: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    bars: Sequence[Bar]


def pictures(results: Results) -> dict[str, str]:
    """The charts by file name."""
    workers, cores = results.settings["workers"], results.machine["cores"]
    setting = f"workers each: {workers}, cores: {cores}"
    return {
        "throughput.svg": chart("Throughput, closed loop", f"longer is better; {setting}", _throughput(results)),
        "latency.svg": chart(
            "Latency added to the provider's, one request at a time", f"shorter is better; {setting}", _added(results)
        ),
        "cost.svg": chart(
            "Cost", f"work per core: longer is better; memory: shorter is better; {setting}", _cost(results)
        ),
    }


def _throughput(results: Results) -> list[Panel]:
    def bar(case: str, name: str) -> Bar:
        value = results.throughput(case, name)
        return Bar(name, name, value, _number(value, _unit(case)))

    return [Panel(case, [bar(case, name) for name in results.compared]) for case in results.cases]


def _added(results: Results) -> list[Panel]:
    def bars(case: str, name: str) -> list[Bar]:
        values = [(part, results.added(case, Load.ONE, name, part)) for part in ("50", "99")]
        return [
            Bar(name, f"{name} p{part}", value, "–" if value is None else f"{value:,.2f} ms", pale=part == "99")
            for part, value in values
        ]

    return [
        Panel(
            f"{case} (to the first event)" if "stream" in case else case,
            [bar for name in results.compared for bar in bars(case, name)],
        )
        for case in results.cases
    ]


def _cost(results: Results) -> list[Panel]:
    def work(case: str, name: str) -> Bar:
        value = results.per_core(case, name)
        return Bar(name, name, value, _number(value, _unit(case)))

    def memory(name: str) -> Bar:
        value = results.resident_mb(name)
        return Bar(name, name, value, _number(value, "MB"))

    panels = [Panel(f"{case}, per core", [work(case, name) for name in results.compared]) for case in results.cases]
    return [*panels, Panel("memory, all processes", [memory(name) for name in results.compared])]


def _unit(case: str) -> str:
    return "events/s" if "stream" in case else "requests/s"


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:,.0f} {unit}" if value >= 100 else f"{value:,.1f} {unit}"


def chart(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """An SVG document, drawn on white so that it reads on a dark page as well."""
    parts, at = [], _TOP
    for panel in panels:
        parts.append(_text(20, at + 14, panel.title, size=13, weight="600"))
        at += 22
        most = max((bar.value for bar in panel.bars if bar.value is not None), default=0.0)
        for bar in panel.bars:
            parts.append(_drawn(bar, at, most))
            at += _STEP
        at += _HEAD - _STEP
    height = at + _BOTTOM
    head = _text(20, 30, title, size=17, weight="600") + _text(20, 49, subtitle, size=12, colour=_FAINT)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="Helvetica, Arial, sans-serif">\n'
        f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="#ffffff"/>\n{head}{"".join(parts)}</svg>\n'
    )


def _drawn(bar: Bar, at: int, most: float) -> str:
    room = _WIDTH - _LABELS - _VALUES - 30
    width = max(1.0, room * max(bar.value, 0.0) / most) if bar.value is not None and most > 0 else 0.0
    colour, opacity = _COLOURS.get(bar.gateway, _OTHER_COLOUR), 0.45 if bar.pale else 1
    return (
        _text(_LABELS, at + 12, bar.label, size=12, anchor="end")
        + f'<rect x="{_LABELS + 8}" y="{at}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}"'
        f' fill-opacity="{opacity}"/>\n' + _text(round(_LABELS + 14 + width), at + 12, bar.text, size=12, colour=_FAINT)
    )


def _text(
    x: int, y: int, text: str, *, size: int, weight: str = "400", colour: str = _INK, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
        f' text-anchor="{anchor}">{escape(text)}</text>\n'
    )
