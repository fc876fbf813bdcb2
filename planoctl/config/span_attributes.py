"""Attributes that a configuration puts on spans: which names are the gateway's, and which headers may be told."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from planoctl.config.headers import CREDENTIAL_HEADERS
from planoctl.config.runtime import SpanAttributes

_SECRET = frozenset({*CREDENTIAL_HEADERS, "proxy-authorization", "cookie", "set-cookie"})
_SECRET_WORDS = frozenset(
    {"apikey", "authorization", "cookie", "credential", "credentials", "jwt", "passwd", "password", "secret"}
)
_SECRET_ENDINGS = ("-key", "-signature")
_BEFORE_SECRET_TOKENS = frozenset(
    {"access", "api", "auth", "bearer", "csrf", "id", "oauth", "refresh", "security", "session", "xsrf"}
)
_RESERVED = frozenset(
    {
        *("component", "request_id", "service.name", "service.name.override"),
        *("error", "error.type", "error.message", "error.stack_trace"),
        *("model.requested", "model.alias_resolved", "route.selected_model"),
    }
)
_RESERVED_GROUPS = frozenset({"gen_ai", "http", "llm", "plano", "routing", "selection", "signals"})
_MOST = 32
_LONGEST = 256


def is_secret(name: str) -> bool:
    """Whether a header of this lower-case name holds a credential, as far as its name tells."""
    words = name.split("-")
    return (
        name in _SECRET or name.endswith(_SECRET_ENDINGS) or not _SECRET_WORDS.isdisjoint(words) or _holds_token(words)
    )


def _holds_token(words: list[str]) -> bool:
    """Whether the name is that of a token, as in `x-team-token`, and not of something about one (`x-token-budget`)."""
    if words[-1] == "token":
        return True
    return any(word == "token" and before in _BEFORE_SECRET_TOKENS for before, word in pairwise(words))


def is_reserved(key: str) -> bool:
    """Whether an attribute of this name would pass for one of the gateway's own."""
    return key in _RESERVED or key.partition(".")[0] in _RESERVED_GROUPS


def static_attributes(settings: SpanAttributes) -> dict[str, str]:
    """Those of every span; what would pass for one of the gateway's is left out, with a warning at the start."""
    return {key: value for key, value in settings.static.items() if not is_reserved(key)}


def header_attributes(headers: Mapping[str, str], prefixes: Sequence[str]) -> dict[str, str]:
    """Headers that begin with one of `prefixes`, by the rest of their names with dots for dashes; the first one counts.

    At most 32 of 256 characters each; never a credential, nor what would pass for one of the gateway's attributes.
    """
    lower = tuple(prefix.lower() for prefix in prefixes)
    found: dict[str, str] = {}
    for name, sent in headers.items() if lower else ():
        if not name.startswith(lower) or name.startswith(":") or len(found) >= _MOST or is_secret(name):
            continue
        prefix = next(prefix for prefix in lower if name.startswith(prefix))
        key = name[len(prefix) :].lstrip("-").replace("-", ".")[:_LONGEST]
        value = header_text(sent)
        if key and value and not is_reserved(key):
            found[key] = value
    return found


def header_text(value: str) -> str:
    """A header's value, given with one letter per byte, as text that can be shown; empty if it is none."""
    text = value.strip()
    if not text.isascii():
        try:
            text = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return ""
    return text[:_LONGEST] if text.isprintable() else ""
