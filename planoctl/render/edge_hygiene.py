"""Which headers of a client go no further than the listener: patterns for Envoy's header mutation."""

import re
from collections.abc import Iterable

from planoctl.config.headers import CLIENT_HINTS, CLIENT_KEY, INTERNAL_PREFIXES

_KEPT = frozenset({*CLIENT_HINTS, CLIENT_KEY})


def refused_headers() -> tuple[str, ...]:
    """Full-match patterns (RE2). Some servers read `_` as `-`, so names that would turn into ours go too."""
    words = "|".join(prefix.split("-")[1] for prefix in INTERNAL_PREFIXES)
    disguised = f"x_({words})[-_].*|x-({words})_.*"
    return (*(everything_but(prefix, _KEPT) for prefix in INTERNAL_PREFIXES), disguised)


def everything_but(prefix: str, kept: Iterable[str]) -> str:
    """A pattern for every name that starts with `prefix` and is none of `kept`: RE2 has no look-ahead."""
    return re.escape(prefix) + _other_than({name[len(prefix) :] for name in kept if name.startswith(prefix)})


def _other_than(words: set[str]) -> str:
    if not words:
        return ".*"
    firsts = sorted({word[0] for word in words if word})
    choices = [
        re.escape(first) + _other_than({word[1:] for word in words if word.startswith(first)}) for first in firsts
    ]
    others = "".join(re.escape(first) for first in firsts)
    choices.append(f"[^{others}].*" if others else ".+")
    if "" not in words:
        choices.append("")
    return f"(?:{'|'.join(choices)})"
