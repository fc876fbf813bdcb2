"""The ranking rule."""

import math

import pytest

from brightstaff.ranking import rank


@pytest.mark.parametrize(
    ("models", "table", "order"),
    [
        ("a b c", {"a": 0.01, "b": 0.005, "c": 0.02}, "b a c"),
        ("x y", {}, "x y"),
        ("a b", {"b": 1.0}, "b a"),
        ("gpt-4o mini", {"gpt-4o": 0.005, "mini": 0.0001}, "mini gpt-4o"),
        ("slow quick", {"slow": 200, "quick": 120}, "quick slow"),
        ("a b c d", {"a": math.nan, "b": 0.5, "c": 0.1}, "c b a d"),
        ("a b c", {"a": math.inf, "c": 1.0}, "c a b"),
        ("a b c d", {"a": 1.0, "b": 0.5, "c": 1.0, "d": 0.5}, "b d a c"),
        ("", {"a": 1.0}, ""),
    ],
)
def test_models_with_data_come_first_the_lowest_leading(models: str, table: dict[str, float], order: str) -> None:
    assert rank(models.split(), table) == order.split()
