"""How figures read."""

import pytest

from planoctl.obs import formats


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "—"),
        (0, "—"),
        (1e-12, "<$0.00000001"),
        (0.00001234, "$0.00001234"),
        (0.00005, "$0.00005"),
        (0.00182, "$0.00182"),
        (0.26, "$0.2600"),
        (1.5, "$1.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_costs(usd: float | None, text: str) -> None:
    assert formats.cost(usd) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (13, "13ms"),
        (999.4, "999ms"),
        (999.9, "1.0s"),
        (1000, "1.0s"),
        (12_340, "12.3s"),
        (150_000, "150s"),
    ],
)
def test_milliseconds(value: float | None, text: str) -> None:
    assert formats.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (5.5, "5.5/s"),
        (99.99, "100/s"),
        (100, "100/s"),
        (9_999.4, "9,999/s"),
        (9_999.5, "10.0k/s"),
        (99_949, "99.9k/s"),
        (99_950, "100k/s"),
        (2_500_000, "2.5M/s"),
    ],
)
def test_token_rates(value: float | None, text: str) -> None:
    assert formats.token_rate(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (99_999, "99,999"), (123_456, "123k"), (999_499, "999k"), (1_234_567, "1.2M"), (2_000_000_000, "2.0G")],
)
def test_short_counts(count: int, text: str) -> None:
    assert formats.short_count(count) == text


def test_cache_columns_have_a_dash_for_none_and_for_nothing() -> None:
    assert [formats.cache_tokens(count) for count in (None, 0, 1234)] == ["—", "—", "1,234"]
    assert [formats.tokens(count) for count in (None, 0, 1234)] == ["—", "0", "1,234"]


@pytest.mark.parametrize(
    ("code", "failed", "text", "level"),
    [
        (200, False, "● ok", "good"),
        (302, False, "● 302", "fair"),
        (429, True, "● 429", "warn"),
        (503, True, "● 503", "bad"),
        (None, False, "—", "dim"),
        (None, True, "● err", "bad"),
        (200, True, "● err", "bad"),
    ],
)
def test_a_status_reads_without_colours_too(code: int | None, failed: bool, text: str, level: str) -> None:
    assert formats.status(code, failed=failed) == text
    assert formats.level_of_status(code, failed=failed) == level


@pytest.mark.parametrize(("code", "text"), [(429, "Too Many Requests"), (599, "Server Error"), (499, "Client Error")])
def test_reasons(code: int, text: str) -> None:
    assert formats.reason(code) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0s ago"), (59.9, "59s ago"), (60, "1m ago"), (3599, "59m ago"), (7200, "2h ago")]
)
def test_ages(seconds: float, text: str) -> None:
    assert formats.age(seconds) == text


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [("gpt-4o", 6, "gpt-4o"), ("gpt-4o-mini", 8, "gpt-4o-…"), ("模型模型", 8, "模型模型"), ("模型模型", 6, "模型…")],
)
def test_texts_are_cut_by_the_columns_they_take(text: str, columns: int, expected: str) -> None:
    assert formats.cut(text, columns) == expected


def test_latency_and_ttft_have_limits_of_their_own() -> None:
    assert [formats.level_of_latency(value) for value in (499, 500, 2000, None)] == ["good", "fair", "poor", "dim"]
    assert [formats.level_of_ttft(value) for value in (299, 300, 1000)] == ["good", "fair", "poor"]
