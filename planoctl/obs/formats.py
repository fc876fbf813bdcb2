"""How figures read in the console. All functions take None for unknown and write a dash."""

from datetime import datetime
from http import HTTPStatus

from rich.cells import cell_len, set_cell_size

NOTHING = "—"


def cost(usd: float | None) -> str:
    if not usd:
        return NOTHING
    if usd < 0.000000005:
        return "<$0.00000001"
    if usd < 0.0001:
        return "$" + _trimmed(usd, 8)
    if usd < 0.01:
        return "$" + _trimmed(usd, 6)
    return f"${usd:.4f}" if usd < 1 else f"${usd:,.2f}"


def milliseconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    if value < 999.5:
        return f"{value:.0f}ms"
    return f"{value / 1000:.1f}s" if value < 99_950 else f"{value / 1000:.0f}s"


def token_rate(per_second: float | None) -> str:
    if per_second is None:
        return NOTHING
    if per_second >= 99_950:
        return f"{short_count(max(100_000, round(per_second)))}/s"
    if per_second >= 9_999.5:
        return f"{per_second / 1000:.1f}k/s"
    return f"{per_second:,.0f}/s" if per_second >= 99.95 else f"{per_second:.1f}/s"


def tokens(count: int | None) -> str:
    return NOTHING if count is None else f"{count:,}"


def cache_tokens(count: int | None) -> str:
    """As `tokens`, with a dash for 0 too: most calls have none."""
    return tokens(count or None)


def short_count(count: int) -> str:
    """`12,345`, then `123k`, `12.3M`: for places with few columns."""
    for limit, scale, unit in ((100_000, 1, ""), (999_500, 1000, "k"), (999_500_000, 1_000_000, "M")):
        if count < limit:
            return f"{count:,}" if scale == 1 else _scaled(count / scale) + unit
    return _scaled(count / 1_000_000_000) + "G"


def percent(share: float) -> str:
    return f"{share * 100:.0f}%"


def status(code: int | None, *, failed: bool = False) -> str:
    """`● ok`, `● 429`; `● err` for what failed without an answer."""
    if code is None:
        return "● err" if failed else NOTHING
    if failed and code < 400:
        return "● err"
    return "● ok" if 200 <= code < 300 else f"● {code}"


def reason(code: int) -> str:
    """The phrase of an HTTP status."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Server Error" if code >= 500 else "Client Error"


def age(seconds: float) -> str:
    """`12s ago`, `3m ago`, `2h ago`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s ago"
    return f"{whole // 60}m ago" if whole < 3600 else f"{whole // 3600}h ago"


def clock(start_ns: int) -> str:
    """The local time of day."""
    return datetime.fromtimestamp(start_ns / 1e9).astimezone().strftime("%H:%M:%S")


def cut(text: str, columns: int) -> str:
    """A text of at most so many terminal columns, `…` for what was cut off."""
    return text if cell_len(text) <= columns else set_cell_size(text, max(0, columns - 1)).rstrip() + "…"


def level_of_status(code: int | None, *, failed: bool = False) -> str:
    """A name of a style: `good`, `fair`, `warn` (bold yellow), `bad` (bold red)."""
    if failed and (code is None or code < 400):
        return "bad"
    if code is None:
        return "dim"
    return "good" if code < 300 else "fair" if code < 400 else "warn" if code < 500 else "bad"


def level_of_latency(value: float | None) -> str:
    return _level(value, 500, 2000)


def level_of_ttft(value: float | None) -> str:
    return _level(value, 300, 1000)


def _level(value: float | None, good: float, fair: float) -> str:
    if value is None:
        return "dim"
    return "good" if value < good else "fair" if value < fair else "poor"


def _trimmed(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def _scaled(value: float) -> str:
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}"
