"""Which limits a request has to fit into: the configuration's entries, ready to be matched."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from planoctl.config.registry import Candidate
from planoctl.config.runtime import RateLimit, RateLimitSelector, RuntimeConfig

Kind = Literal["input", "total", "requests"]

EVERY = "*"
_WINDOWS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_CACHED = 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """One quota of one entry; `kind` is what it counts, `window` its length in seconds."""

    entry: RateLimit
    kind: Kind
    limit: int
    window: int


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that a request has to fit into. `value` of the header or identity, None where all share the quota."""

    rule: Rule
    value: str | None
    bucket: int


class Rules:
    """The limits of a configuration. False if there are none."""

    def __init__(self, config: RuntimeConfig) -> None:
        self.on_error = config.rate_limit_store.on_error
        self._aliases = config.model_aliases.keys()
        first: dict[tuple[str, ...], RateLimit] = {}
        for entry in config.ratelimits:
            first.setdefault(_identity(entry), entry)
        self._entries = tuple(first.values())
        self._quotas = {id(entry): tuple(_quotas(entry)) for entry in self._entries}
        self._of: dict[tuple[str, str], tuple[RateLimit, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def matching(
        self, candidate: Candidate, requested: str, headers: Mapping[str, str], identity: str | None = None
    ) -> tuple[Match, ...]:
        """The limits of a candidate for a client that asked for `requested` and has these headers, by lower-case name.

        Those of an alias are for all candidates of requests that name it, those of a model for that model alone.
        Where an entry names the caller's value, those of the same model and selector for every value do not apply.
        """
        entries = self._entries_of(candidate, requested)
        if not entries:
            return ()
        found = [(entry, value) for entry in entries if (value := _caller(entry, headers, identity)) is not None]
        fixed = {_group(entry) for entry, _ in found if _is_fixed(entry.selector)}
        return tuple(
            Match(rule, value or None, _bucket(rule, value))
            for entry, value in found
            if _is_fixed(entry.selector) or _group(entry) not in fixed
            for rule in self._quotas[id(entry)]
        )

    def _entries_of(self, candidate: Candidate, requested: str) -> tuple[RateLimit, ...]:
        key = (candidate.name, requested)
        if (known := self._of.get(key)) is None:
            full = {candidate.name, candidate.entry.name, f"{candidate.provider.id}/{candidate.model}"}
            groups = {f"{name.partition('/')[0]}/{EVERY}" for name in full}
            names = full | groups | {candidate.model, EVERY} | ({requested} & self._aliases)
            if len(self._of) >= _CACHED:  # with a wildcard, clients choose the names
                self._of.clear()
            known = self._of[key] = tuple(entry for entry in self._entries if entry.model in names)
        return known


def _quotas(entry: RateLimit) -> list[Rule]:
    window = _WINDOWS[entry.limit.unit]
    wanted: list[tuple[Kind, int | None]] = [(entry.count, entry.limit.tokens), ("requests", entry.limit.requests)]
    return [Rule(entry, kind, limit, window) for kind, limit in wanted if limit is not None]


def _caller(entry: RateLimit, headers: Mapping[str, str], identity: str | None) -> str | None:
    """Whose quota it is: a value, "" for one that all share, None where the entry does not apply."""
    selector = entry.selector
    if selector is None:
        return ""
    if selector.key is not None:
        sent, wanted = headers.get(selector.key.lower()), selector.value or EVERY
    else:
        sent, wanted = identity, selector.identity or EVERY
    if not sent:
        return None
    if wanted == EVERY:
        return sent
    return "" if sent == wanted else None


def _is_fixed(selector: RateLimitSelector | None) -> bool:
    return selector is not None and (selector.value or EVERY if selector.key else selector.identity) != EVERY


def _group(entry: RateLimit) -> tuple[str, str | None]:
    """Entries of which only those for a value apply, if there are any. The None is that of identities."""
    selector = entry.selector or RateLimitSelector(key="")
    return entry.model, selector.key.lower() if selector.key is not None else None


def _identity(entry: RateLimit) -> tuple[str, ...]:
    """What makes two entries the same quota; how much it allows does not matter, so that it may change."""
    selector = entry.selector or RateLimitSelector()
    key = (selector.key or "").lower()
    return entry.model, key, selector.value or EVERY, selector.identity or "", entry.limit.unit


def _bucket(rule: Rule, value: str) -> int:
    text = "\0".join((*_identity(rule.entry), rule.kind, value))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
