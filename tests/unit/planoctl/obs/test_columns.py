"""Which columns fit, how wide they are, and how rows are ordered."""

import pytest

from planoctl.obs.calls import call_of
from planoctl.obs.columns import Column, Order, place
from planoctl.obs.tables import RECENT, TABLES
from tests.obs_spans import span


def _titles(columns: tuple[Column, ...], available: int) -> list[str]:
    return [placed.column.title for placed in place(columns, (), available).columns]


COLUMNS = tuple(Column(title, 10, lambda row: (row, ""), fold) for title, fold in (("a", 0), ("b", 2), ("c", 1)))


@pytest.mark.parametrize(("available", "titles"), [(32, "abc"), (31, "ac"), (21, "ac"), (20, "a"), (5, "a")])
def test_columns_fold_in_their_order(available: int, titles: str) -> None:
    assert _titles(COLUMNS, available) == list(titles)


def test_room_is_shared_by_the_columns_that_stretch() -> None:
    columns = [Column(name, 5, lambda row: (row, ""), stretch=stretch) for name, stretch in (("a", 20), ("b", 8))]
    assert [placed.width for placed in place(columns, (), 17).columns] == [8, 8]
    assert [placed.width for placed in place(columns, (), 24).columns] == [15, 8]


def test_a_column_nobody_has_a_value_for_is_left_out() -> None:
    plain, cached = call_of(span()), call_of(span(2, {"llm.usage.cached_input_tokens": 5}))
    assert "in·cache" not in [placed.column.title for placed in place(RECENT.columns, [plain], 300).columns]
    assert "in·cache" in [placed.column.title for placed in place(RECENT.columns, [plain, cached], 300).columns]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("available", [36, 76, 116, 196])
def test_no_table_is_wider_than_the_terminal(table: object, available: int) -> None:
    everything = span(1, {"plano.route.name": "r", "plano.session_id": "s", "model.requested": "q",
                          "llm.usage.cached_input_tokens": 1, "llm.usage.reasoning_tokens": 1})  # fmt: skip
    rows = [call_of(everything)] if table is RECENT else []
    placement = place(table.columns, rows, available)  # type: ignore[attr-defined]
    width = sum(placed.width for placed in placement.columns) + placement.gap * (len(placement.columns) - 1)
    assert width <= available or available == 36


def test_rows_without_a_value_come_last_either_way() -> None:
    order = Order("value", lambda row: row)
    assert order.apply([1, None, 3]) == [3, 1, None]
    assert order.apply([1, None, 3], reverse=True) == [1, 3, None]
