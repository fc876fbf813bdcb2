"""Random ids for answers, items and calls that the provider gave none."""

from os import urandom


def random_hex() -> str:
    """32 hexadecimal digits. A quarter of the time that a `UUID` object takes: some answers need three."""
    return urandom(16).hex()
