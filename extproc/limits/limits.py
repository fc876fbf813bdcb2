"""Admitting requests within their limits, and settling what they have used. Shared by all streams of a worker."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from secrets import randbits
from typing import Any

from extproc.accounting.observation import Observation
from extproc.errors import LimitsUnavailable
from extproc.limits.local_store import LocalStore
from extproc.limits.quota import Adjustment, Charge, Outcome, Store, StoreUnavailable
from extproc.limits.reservation import Held, Reservation
from extproc.limits.rules import Match, Rules
from extproc.limits.told import exceeded, limit_headers, wait
from hermesllm.formats import Format
from hermesllm.prompt_text import output_limit, prompt_text, prompt_token_ids
from hermesllm.tokenizer import estimate_tokens, load_vocabulary, vocabulary
from hermesllm.usage import Usage
from planoctl.config.registry import Candidate
from planoctl.config.runtime import RateLimitStore, RuntimeConfig

log = logging.getLogger(__name__)

_FAREWELL_SECONDS = 5.0


@dataclass(slots=True)
class Asked:
    """A request as limits see it. `requested` is the model that the client named, `headers` are in lower case.

    `amount` remembers its counts; `forget` lets the document go, which others edit and which may be large.
    """

    client: Format
    document: dict[str, Any]
    headers: Mapping[str, str]
    requested: str
    identity: str | None = None
    _counts: dict[str, int] = field(default_factory=dict)
    _output: int | None = None

    def amount(self, match: Match, candidate: Candidate) -> int:
        """What the request is charged at first: at least 1."""
        if match.rule.kind == "requests":
            return 1
        tokens = self._input_tokens(vocabulary(candidate.model))
        if self._output is None:
            self._output = output_limit(self.document)
        return max(1, tokens + self._output if match.rule.kind == "total" else tokens)

    def forget(self) -> None:
        self.document = {}

    def _input_tokens(self, name: str) -> int:
        if name not in self._counts:
            text = prompt_text(self.client, self.document)
            self._counts[name] = estimate_tokens(text, name) + prompt_token_ids(self.client, self.document)
        return self._counts[name]


@dataclass(frozen=True, slots=True)
class Admission:
    """`usable`: which of the candidates the request may go to, the first of them charged; `headers` for the client."""

    usable: tuple[int, ...]
    reservation: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Plan:
    asked: Asked
    candidates: Sequence[Candidate]
    matches: list[tuple[Match, ...]]
    charges: list[list[Charge]]


class Limits:
    """The limits of one worker. `path` is the file that the workers of a host share; None: this worker is alone.

    Raises ValueError for a Redis URL that cannot be used.
    """

    def __init__(self, store: RateLimitStore | None = None, path: Path | None = None) -> None:
        self._path = path
        self._settings = store
        self._redis = _redis_store(store)
        self._dismissed: set[asyncio.Task[None]] = set()

    def configure(self, config: RuntimeConfig) -> None:
        """Keep quotas where `config` says from now on. Raises ValueError for a Redis URL that is none."""
        if config.rate_limit_store == self._settings:
            return
        old, self._redis, self._settings = self._redis, _redis_store(config.rate_limit_store), config.rate_limit_store
        if old is not None:
            task = asyncio.create_task(_close_later(old))
            self._dismissed.add(task)
            task.add_done_callback(self._dismissed.discard)

    @cached_property
    def _host(self) -> LocalStore:
        return LocalStore(self._path)

    @property
    def _store(self) -> Store:
        return self._redis or self._host

    def prepare(self, config: RuntimeConfig) -> None:
        """Open what the workers share, and load what tokens are counted with, before a request needs it.

        Raises OSError.
        """
        if config.ratelimits:
            self._host  # noqa: B018
        if any(entry.limit.tokens is not None for entry in config.ratelimits):
            for name in {vocabulary(entry.model) for entry in config.model_providers}:
                load_vocabulary(name)

    def admit(self, rules: Rules, asked: Asked, candidates: Sequence[Candidate]) -> Admission | Awaitable[Admission]:
        """Charge the first candidate that has room, and leave out those that have none.

        Raises RateLimited if none has, LimitsUnavailable where the store is away and that is to refuse requests.
        """
        matches = [rules.matching(each, asked.requested, asked.headers, asked.identity) for each in candidates]
        if not any(matches):
            return Admission(tuple(range(len(candidates))))
        charges = [
            [
                Charge(match.bucket, match.rule.limit, match.rule.window, asked.amount(match, candidate))
                for match in matching
            ]
            for matching, candidate in zip(matches, candidates, strict=True)
        ]
        plan = _Plan(asked, candidates, matches, charges)
        try:
            outcome = self._store.reserve(charges)
        except (StoreUnavailable, OSError) as failure:
            return _without_store(rules, plan, failure)
        return _admission(plan, outcome) if isinstance(outcome, Outcome) else _later(rules, plan, outcome)

    def settle(self, reservation: str, usage: Usage | None, status: int) -> None:
        """Correct a reservation to what was used, once; calls after the first do nothing. Never raises.

        `reservation`: the text in Envoy's metadata; empty for a request without limits. `usage` None: unknown. `status`
        is that of the client's answer; 0 if the client went before there was one.
        """
        if not reservation:
            return
        try:
            settling = Reservation.parse(reservation)
            changes = settling.settled(usage, status)
            if self._redis is None:
                self._host.settle(settling.number, changes)
            elif self._host.settle(settling.number, ()) and changes:
                self._redis.adjust(changes)
        except (ValueError, OverflowError, OSError) as failure:
            log.warning("a reservation could not be settled: %s", failure)

    def observe(self, seen: Observation) -> None:
        """Settle a request that is over: what the sidecar did not see of it, Envoy has measured."""
        if seen.reservation:
            self.settle(seen.reservation, seen.usage, seen.status)

    def move(self, reservation: str, rules: Rules, asked: Asked, charged: Candidate, served: Candidate) -> str:
        """The reservation of a request that another candidate has answered than the one that was charged.

        The first one gets its tokens back; the one that served is charged, even beyond its limit.
        """
        held = Reservation.parse(reservation)
        matches = rules.matching(served, asked.requested, asked.headers, asked.identity)
        counted = {each.bucket for each in rules.matching(charged, asked.requested, asked.headers, asked.identity)}
        before = {each.bucket: each for each in held.held}
        now = {match.bucket for match in matches}
        changes = [each.corrected(None) for each in held.held if each.bucket not in now]
        kept = []
        for match in matches:
            if match.rule.kind == "requests":
                changes += [Adjustment(match.bucket, match.rule.window, None, 1)] * (match.bucket not in counted)
            else:
                estimate = Held(match.rule.kind, match.bucket, match.rule.window, None, asked.amount(match, served))
                kept.append(before.get(match.bucket, estimate))
        self._store.adjust(changes)
        return str(Reservation(held.number, tuple(kept)))

    async def close(self) -> None:
        for task in self._dismissed:
            task.cancel()
        await asyncio.gather(*self._dismissed, return_exceptions=True)
        if self._redis is not None:
            await self._redis.close()


def _redis_store(store: RateLimitStore | None) -> Store | None:
    if store is None or store.type != "redis":
        return None
    from extproc.limits.redis_store import RedisStore  # a client that only few need

    return RedisStore(store.url or "")


async def _close_later(store: Store) -> None:
    """When the requests that it was asked for are decided."""
    try:
        await asyncio.sleep(_FAREWELL_SECONDS)
    finally:
        await store.close()


def _admission(plan: _Plan, outcome: Outcome) -> Admission:
    states = [
        list(zip(matching, charges, levels, strict=True))
        for matching, charges, levels in zip(plan.matches, plan.charges, outcome.levels, strict=True)
    ]
    chosen = outcome.chosen
    if chosen is None:
        soonest = min(range(len(states)), key=lambda index: wait(states[index]))
        raise exceeded(plan.candidates[soonest], states[soonest])
    usable = [chosen, *(index for index in range(chosen + 1, len(states)) if not wait(states[index]))]
    held = tuple(
        Held(match.rule.kind, charge.bucket, charge.window, level.slot, charge.amount)
        for match, charge, level in states[chosen]
        if match.rule.kind != "requests"
    )
    reservation = str(Reservation(randbits(63), held))
    return Admission(tuple(usable), reservation, limit_headers(states[chosen], charged=True))


async def _later(rules: Rules, plan: _Plan, outcome: Awaitable[Outcome]) -> Admission:
    try:
        return _admission(plan, await outcome)
    except StoreUnavailable as failure:
        return _without_store(rules, plan, failure)


def _without_store(rules: Rules, plan: _Plan, failure: Exception) -> Admission:
    if isinstance(failure, OSError):
        log.error("rate limits cannot be checked: %s", failure)
    if rules.on_error == "deny":
        raise LimitsUnavailable
    return Admission(tuple(range(len(plan.candidates))))
