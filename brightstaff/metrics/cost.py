"""What tokens cost."""

from collections.abc import Mapping

from hermesllm.prices import Rates

_MILLION = 1e6


def usd(tokens: Mapping[str, float], rates: Rates) -> float:
    """The price of tokens by kind: `input`, `output`, `cache_read`, `cache_write`.

    Where a provider has no rate of its own for its cache, the input rate counts.
    """
    cache_read = rates.input if rates.cache_read is None else rates.cache_read
    cache_write = rates.input if rates.cache_write is None else rates.cache_write
    return (
        tokens.get("input", 0) * rates.input
        + tokens.get("output", 0) * rates.output
        + tokens.get("cache_read", 0) * cache_read
        + tokens.get("cache_write", 0) * cache_write
    ) / _MILLION
