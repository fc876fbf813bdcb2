"""The console, driven by its keys."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input, Static

from planoctl.obs.app import ObsApp
from planoctl.obs.calls import call_of
from planoctl.obs.detail import DetailScreen, detail_text, timing_bar
from planoctl.obs.grid import Grid
from planoctl.obs.help import HelpScreen
from planoctl.obs.pricing import Prices
from planoctl.obs.sources import FileSource, SourceError
from planoctl.obs.store import CallStore
from tests.obs_spans import span

SPANS = Path(__file__).parents[3] / "data" / "obs" / "spans.jsonl"
SIZES = [(80, 24), (120, 38), (200, 50)]


class Source:
    """Spans put in by a test."""

    label, state = "test", ""

    def __init__(self, *spans: dict[str, Any], failure: SourceError | None = None) -> None:
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._failure = failure
        for each in spans:
            self._queue.put_nowait(each)

    def put(self, *spans: dict[str, Any]) -> None:
        for each in spans:
            self._queue.put_nowait(each)

    async def spans(self) -> AsyncIterator[dict[str, Any]]:
        while self._failure is None or not self._queue.empty():
            yield await self._queue.get()
        raise self._failure


def _app(source: Any, capacity: int = 100) -> ObsApp:
    return ObsApp(CallStore(capacity, Prices(use_list=False)), source, refresh_seconds=0.05)


def _lines(app: ObsApp) -> list[str]:
    """What is on the screen."""
    width, height = app.size
    return ["".join(segment.text for segment in line) for line in app.screen._compositor.render_strips()][:height] or [
        " " * width
    ]


def _text(app: ObsApp) -> str:
    return "\n".join(_lines(app))


def _grid(app: ObsApp, name: str = "requests") -> Grid:
    return app.query_one(f"#{name}", Grid)


def _ids(app: ObsApp) -> list[str]:
    return [call.request_id for call in _grid(app).rows]


async def _settled(app: ObsApp, pilot: Pilot[None], calls: int) -> None:
    for _ in range(600):
        await pilot.pause(0.02)
        if len(app.store) >= calls:
            break
    assert len(app.store) >= calls
    app.draw()
    await pilot.pause()


def _spans() -> list[dict[str, Any]]:
    """Five calls: r1 to r5, the second the slowest, the fourth failed."""
    models = ("gpt-4o", "claude-opus-4-7", "gpt-4o-mini", "gpt-4o", "gpt-4o")
    return [
        span(
            number,
            {
                "request_id": f"r{number}",
                "llm.model": model,
                "llm.provider": "anthropic" if model.startswith("claude") else "openai",
                "llm.duration_ms": 9000 if number == 2 else 100 * number,
                "http.status_code": 429 if number == 4 else 200,
                "plano.route.name": "code" if number < 3 else None,
                "plano.session_id": f"s{number % 2}",
            },
        )
        for number, model in enumerate(models, start=1)
    ]


@pytest.mark.parametrize("size", SIZES)
async def test_every_line_fits_and_nothing_important_is_missing(size: tuple[int, int]) -> None:
    app = _app(FileSource(SPANS))
    async with app.run_test(size=size) as pilot:
        await _settled(app, pilot, 71)
        lines = _lines(app)
        assert [cell_len(line) for line in lines] == [size[0]] * size[1]
        text = "\n".join(lines)
        for wanted in ("requests", "cost", "latency", "TTFT", "tokens", "503 Service Unavailable", "status", "q quit"):
            assert wanted in text, wanted
        assert ("by model" in text, "route share" in text) == (size[0] >= 120, size[0] >= 120)


async def test_the_newest_request_is_shown_whole() -> None:
    everything = {
        "llm.model": "openai/gpt-4o",
        "model.requested": "smart",
        "plano.route.name": "code",
        "llm.is_streaming": True,
        "llm.usage.prompt_tokens": 1000,
        "llm.usage.completion_tokens": 80,
        "llm.usage.cached_input_tokens": 600,
        "llm.time_to_first_token": 200,
        "llm.duration_ms": 1000,
        "llm.usage.total_cost_usd": 0.0123,
    }
    app = _app(Source(span(1, everything)))
    async with app.run_test(size=(120, 38)) as pilot:
        await _settled(app, pilot, 1)
        panel = [line[:60] for line in _lines(app)[:9]]
        for line, wanted in enumerate(
            ("gpt-4o · openai  ⟳ stream", "smart", "code", "● ok", "1,000 in · 80 out · 600 cached",
             "TTFT 200ms · lat 1.0s · 100 tok/s", "$0.0123"), start=1,
        ):  # fmt: skip
            assert wanted in panel[line]


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (300, 80)])
async def test_odd_sizes_do_no_harm(size: tuple[int, int]) -> None:
    app = _app(FileSource(SPANS))
    async with app.run_test(size=size) as pilot:
        await _settled(app, pilot, 71)
        await pilot.press("tab", "enter", "down", "enter", "escape", "question_mark", "escape")
        assert len(_lines(app)) == size[1]


async def test_an_empty_console_says_that_it_waits() -> None:
    app = _app(Source())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "waiting for spans" in _text(app)
        await pilot.press("enter", "s", "r", "down", "tab", "enter")


async def test_the_newest_request_is_on_top_and_the_cursor_stays_there() -> None:
    source = Source(*_spans())
    app = _app(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        assert _ids(app) == ["r5", "r4", "r3", "r2", "r1"]
        source.put(span(9, {"request_id": "r9"}))
        await _settled(app, pilot, 6)
        assert (_ids(app)[0], _grid(app).cursor) == ("r9", 0)


async def test_a_cursor_that_was_moved_stays_with_its_request() -> None:
    source = Source(*_spans())
    app = _app(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press("down", "down")
        assert _grid(app).row.request_id == "r3"
        source.put(span(9), span(10))
        await _settled(app, pilot, 7)
        assert (_grid(app).row.request_id, _grid(app).cursor) == ("r3", 4)
        await pilot.press("home")
        assert _grid(app).cursor == 0


async def test_a_pause_holds_what_is_shown_while_counting_goes_on() -> None:
    source = Source(*_spans())
    app = _app(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press("p")
        source.put(span(9, {"request_id": "r9"}))
        await _settled(app, pilot, 6)
        assert app.paused
        assert "PAUSED · 1 new" in _text(app)
        assert "r9" not in _ids(app)
        await pilot.press("p")
        assert _ids(app)[0] == "r9"
        assert "PAUSED" not in _text(app)


async def test_a_filter_is_typed_applied_and_taken_away() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press("slash", *"model:mini", "enter")
        assert _ids(app) == ["r3"]
        await pilot.pause()
        assert "filter: model:mini · 1 of 5" in _text(app)
        await pilot.press("escape")
        assert len(_ids(app)) == 5


async def test_letters_typed_into_the_filter_are_no_commands() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press("slash", *"qps?", "tab", "escape")
        assert (app.is_running, app.paused, app.filter.text, app.active.name) == (True, False, "", "requests")
        assert not app.query_one("#filter", Input).display


async def test_a_mistake_in_a_filter_is_shown_and_changes_nothing() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press("slash", *"colour:red", "enter")
        await pilot.pause()
        assert "no field 'colour'" in _text(app)
        assert len(_ids(app)) == 5


async def test_sorting_goes_through_the_columns_and_turns_around() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press("s")
        await pilot.pause()
        assert _ids(app)[0] == "r2"
        assert "latency ▼" in _text(app)
        await pilot.press("r")
        await pilot.pause()
        assert _ids(app) == ["r1", "r3", "r4", "r5", "r2"]
        assert "latency ▲" in _text(app)
        await pilot.press(*["s"] * 7)
        assert _ids(app)[0] == "r5"


async def test_tab_goes_through_all_tables_and_back() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        seen = []
        for _ in range(5):
            await pilot.press("tab")
            seen.append(app.active.name)
        assert seen == ["models", "routes", "sessions", "errors", "requests"]
        await pilot.press("shift+tab")
        await pilot.pause()
        assert "[errors]" in _text(app)
        assert "Too Many Requests" in _text(app)


@pytest.mark.parametrize("size", SIZES[:2])
@pytest.mark.parametrize(
    ("tabs", "filtered", "ids"),
    [
        (1, "model=gpt-4o provider=openai", ["r5", "r4", "r1"]),
        (2, "route=code", ["r2", "r1"]),
        (3, "session=s1", ["r5", "r3", "r1"]),
        (4, "status:429 status:error model=gpt-4o", ["r4"]),
    ],
)
async def test_enter_on_a_group_shows_its_requests(
    size: tuple[int, int], tabs: int, filtered: str, ids: list[str]
) -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=size) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press(*["tab"] * tabs, *(["s"] if tabs == 1 else []), "enter")
        assert (app.filter.text, app.active.name, _ids(app)) == (filtered, "requests", ids)


async def test_enter_on_a_request_shows_all_about_it_and_the_arrows_go_on() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 40)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert isinstance(app.screen, DetailScreen)
        text = _text(app)
        for wanted in ("request r4", "2 of 5", "● 429 Too Many Requests", "together", "plano.session_id", "s0"):
            assert wanted in text, wanted
        await pilot.press("right")
        assert app.screen.call.request_id == "r3"
        await pilot.press("left", "left", "left")
        assert app.screen.call.request_id == "r5"
        await pilot.press("escape")
        assert not isinstance(app.screen, DetailScreen)


async def test_the_detail_view_scrolls_to_its_end() -> None:
    long = span(1, {f"attribute.{number:03}": number for number in range(60)})
    app = _app(Source(long))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 1)
        await pilot.press("enter")
        await pilot.pause()
        assert "attribute.059" not in _text(app)
        await pilot.press(*["down"] * 70)
        await pilot.pause()
        assert "attribute.059" in _text(app)


async def test_the_help_opens_and_closes() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)


async def test_q_ends_it() -> None:
    app = _app(Source())
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert not app.is_running


async def test_a_source_that_fails_leaves_its_reason() -> None:
    failure = SourceError("gone")
    app = _app(Source(*_spans(), failure=failure))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        assert app.failure is failure
        assert "stopped" in _text(app)


async def test_brackets_in_names_are_no_markup() -> None:
    app = _app(Source(span(1, {"llm.model": "[bold]m[/x]", "request_id": "[/red]", "http.status_code": 500})))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 1)
        assert "[bold]m[/x]" in _text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "request [/red]" in _text(app)
        await pilot.press("escape", "slash", *"[/b]", "enter")
        await pilot.pause()
        assert "filter: [/b] · 0 of 1" in _text(app)


async def test_wide_letters_keep_the_columns_in_line() -> None:
    app = _app(Source(span(1, {"llm.model": "模型" * 30}), span(2)))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 2)
        assert {cell_len(line) for line in _lines(app)} == {80}


async def test_a_click_moves_the_cursor_and_a_second_one_opens_the_request() -> None:
    app = _app(Source(*_spans()))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(app, pilot, 5)
        await pilot.click(_grid(app), offset=(5, 4))
        assert _grid(app).row.request_id == "r3"
        await pilot.click(_grid(app), offset=(5, 4))
        assert isinstance(app.screen, DetailScreen)


async def test_thousands_of_calls_a_second_leave_the_keys_alive() -> None:
    source = Source()
    app = _app(source, capacity=1000)
    async with app.run_test(size=(120, 38)) as pilot:
        waits = []
        for batch in range(20):
            source.put(*(span(batch * 500 + number, {"llm.model": f"m{number % 7}"}) for number in range(500)))
            before = time.monotonic()
            await pilot.press("down")
            waits.append(time.monotonic() - before)
        await _settled(app, pilot, 1000)
        for _ in range(600):
            if app.store.totals.all.requests == 10_000:
                break
            await pilot.pause(0.05)
        assert app.store.totals.all.requests == 10_000
        assert len(app.store) == 1000
        assert sorted(waits)[len(waits) // 2] < 2


def test_the_timing_bar_is_to_scale() -> None:
    calls = [call_of(span(1, {"llm.duration_ms": 1000, "llm.time_to_first_token": ttft})) for ttft in (500, 1, None)]
    bars = [timing_bar(call, 20) for call in calls if call]
    assert [bar.plain for bar in bars if bar] == ["█" * 10 + "▒" * 10, "█" + "▒" * 19, "▒" * 20]


def test_a_call_without_a_duration_has_no_timing_bar() -> None:
    call = call_of(span(1))
    assert call is not None
    assert timing_bar(call, 20) is None
    assert "no duration" in detail_text(call, 76).plain


async def test_the_footer_leaves_out_what_does_not_fit() -> None:
    app = _app(Source())
    async with app.run_test(size=(40, 24)) as pilot:
        await pilot.pause()
        assert "quit" in str(app.query_one("#keys", Static).content)
        assert "reverse" not in str(app.query_one("#keys", Static).content)
