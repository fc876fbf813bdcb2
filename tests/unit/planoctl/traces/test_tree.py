import pytest
from rich.cells import cell_len

from planoctl.traces.details import Detail, milliseconds
from planoctl.traces.shape import failure, nodes
from planoctl.traces.span import Trace
from planoctl.traces.tree import Page, draw
from tests.unit.planoctl.traces.sample import FIRST, SUCCESS, Made, spans

A = "a" * 32


def trace(*made: Made) -> Trace:
    return {"trace_id": made[0].trace, "spans": spans(*made)}


def drawn(*made: Made, width: int = 120, wrap: bool = True, detail: Detail | None = None) -> list[str]:
    return [line.plain.rstrip() for line in draw(trace(*made), Page(width, wrap), detail or Detail())]


CHAIN = [
    Made(A, f"{number:x}", f"{number - 1:x}" if number > 1 else "", "plano(llm)", "step " * 12, number, 900 - number,
         {"text": "値 " * 60, "word": "x" * 200})
    for number in range(1, 201)
]  # fmt: skip


def test_spans_are_below_their_parents_in_the_order_of_their_start() -> None:
    made = [
        Made(A, "4", "2", name="d", start=4, end=5),
        Made(A, "3", "1", name="c", start=6, end=8),
        Made(A, "2", "1", name="b", start=2, end=5),
        Made(A, "1", name="a", end=10),
    ]
    assert [line.split("ms")[0] + line.split(")")[1][:2] for line in drawn(*made)[1:]] == [
        "└─ 0.00 a",
        "   ├─ 2.00 b",
        "   │  └─ 4.00 d",
        "   └─ 6.00 c",
    ]


def test_a_span_whose_parent_is_missing_is_at_the_top() -> None:
    lines = drawn(Made(A, "2", "9", name="b", start=1), Made(A, "3", "8", name="c", start=2, end=3))
    assert [line[:3] for line in lines[1:]] == ["├─ ", "└─ "]


@pytest.mark.parametrize("links", [("1", "1"), ("2", "2"), ("2", "1")])
def test_spans_in_a_circle_are_all_drawn(links: tuple[str, str]) -> None:
    made = [Made(A, "1", links[0]), Made(A, "2", links[1])]
    assert len(list(nodes(trace(*made)))) == 2


@pytest.mark.parametrize(
    ("width", "made"),
    [
        *((width, made) for made in (SUCCESS[:10], CHAIN[:12]) for width in (40, 80, 100, 120, 200)),
        (40, CHAIN),
        (80, CHAIN),
    ],
    ids=lambda given: f"{len(given)} spans" if isinstance(given, list) else str(given),
)
@pytest.mark.parametrize("everything", [False, True])
def test_no_line_is_wider_than_the_page(width: int, made: list[Made], everything: bool) -> None:
    lines = drawn(*made, width=width, detail=Detail(everything=everything))
    assert max(map(cell_len, lines)) <= width
    assert len([line for line in lines if line.endswith("ms")] or lines) >= len(made)


def test_in_a_pipe_nothing_is_wrapped_and_every_value_is_whole() -> None:
    lines = drawn(*SUCCESS[:10], *CHAIN[:3], width=80, wrap=False, detail=Detail(everything=True))
    attributes = sum(len(span.attributes) for span in (*SUCCESS[:10], *CHAIN[:3]))
    assert len(lines) == 1 + 13 + attributes + 2  # and the event with its attribute
    assert any(line.endswith("word: " + "x" * 200) for line in lines)


def test_the_time_line_shows_when_a_span_was() -> None:
    half = Made(A, "2", "1", start=50, end=100)
    lines = drawn(Made(A, "1", end=100), half, width=120)
    assert lines[1].endswith("100.0ms  " + "━" * 30)
    assert lines[2].endswith("50.0ms  " + " " * 15 + "━" * 15)
    assert "━" not in "".join(drawn(Made(A, "1", end=100), half, width=80))


def test_spans_without_times_are_drawn() -> None:
    found = trace(Made(A, "1"), Made(A, "2", "1"))
    for span in found["spans"]:
        span["startTimeUnixNano"] = span["endTimeUnixNano"] = "0"
    assert len(list(draw(found, Page(120), Detail()))) == 3
    assert len(list(draw({"trace_id": A, "spans": []}, Page(120), Detail()))) == 1


def test_values_cannot_steer_the_terminal() -> None:
    evil = "one\x1b[2Jtwo\nthree\x9b31m\u202efour"
    lines = drawn(Made(A, "1", name=evil, service=evil, attributes={evil: evil}, events={evil: {}}, error=evil))
    assert not {"\x1b", "\x9b", "\n", "\u202e"} & set("".join(lines))
    assert any("one�[2Jtwo ⏎ three" in line for line in lines)


def test_attributes_come_in_the_order_of_their_importance() -> None:
    made = Made(A, "1", attributes={"z": 1, "llm.model": "m", "a": 2, "http.method": "GET", "http.status_code": 200})
    assert [line.split(":")[0].strip() for line in drawn(made)[2:]] == [
        "http.status_code",
        "http.method",
        "llm.model",
        "a",
        "z",
    ]


@pytest.mark.parametrize(
    ("status", "shown"),
    [(200, "200"), (400, "400 ⚠"), (401, "401 🔐"), (403, "403 🚫"), (404, "404 🔍"), (429, "429 🚦"), (502, "502 💥")],
)
def test_a_status_has_its_symbol(status: int, shown: str) -> None:
    assert f"http.status_code: {shown}" in drawn(Made(A, "1", attributes={"http.status_code": status}))[-1]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (Made(A, "1"), None),
        (Made(A, "1", attributes={"http.status_code": 399}), None),
        (Made(A, "1", attributes={"http.status_code": 404, "error.message": "x"}), "404 Not Found"),
        (Made(A, "1", attributes={"http.status_code": "503"}), "503 Service Unavailable"),
        (Made(A, "1", attributes={"http.status_code": 599}), "599 Server Error"),
        (Made(A, "1", attributes={"http.status_code": 499}), "499 Client Error"),
        (Made(A, "1", attributes={"error.message": "first", "exception.message": "second"}), "first"),
        (Made(A, "1", attributes={"exception.message": "second"}), "second"),
        (Made(A, "1", events={"exception": {"exception.type": "T", "exception.message": "m"}}), "m"),
        (Made(A, "1", events={"exception": {"exception.type": "T"}}), "T"),
        (Made(A, "1", error="broken"), "broken"),
    ],
)
def test_what_counts_as_a_failure(made: Made, reason: str | None) -> None:
    assert failure(spans(made)[0]) == reason
    assert any("✗" in line for line in drawn(made)) is (reason is not None)


def test_long_values_are_cut_unless_everything_is_asked_for() -> None:
    made = Made(A, "1", attributes={"long": "y" * 1000})
    assert "… (1,000 characters)" in "".join(drawn(made))
    assert "".join(drawn(made, detail=Detail(everything=True))).count("y") == 1000


def test_events_are_shown_with_their_attributes_when_everything_is_asked_for() -> None:
    made = Made(A, "1", start=5, events={"signals.frustration": {"turn": 3}})
    assert drawn(made)[-1].strip() == "◆ 0.00ms signals.frustration"
    assert drawn(made, detail=Detail(everything=True))[-1].strip() == "turn: 3"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.00ms"), (9.994, "9.99ms"), (10, "10.0ms"), (999.9, "999.9ms"), (1250.4, "1,250ms")]
)
def test_how_durations_are_written(value: float, text: str) -> None:
    assert milliseconds(value) == text


def test_the_first_line_names_the_trace() -> None:
    assert drawn(*SUCCESS[:10])[0] == f"Trace: {FIRST} (1,840ms total, 10 spans)"
    assert drawn(Made(A, "1"))[0] == f"Trace: {A} (1.00ms total, 1 span)"
