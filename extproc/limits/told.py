"""What a client is told of its limits: headers, and the error when one is exceeded."""

import json
from collections.abc import Sequence
from math import ceil

from extproc.errors import RateLimited
from extproc.limits.quota import NEVER, Charge, Level
from extproc.limits.rules import Match
from planoctl.config.registry import Candidate

HEADER_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
"""Headers of a provider that would contradict the gateway's."""

_SHOWN = 200

State = tuple[Match, Charge, Level]


def limit_headers(states: Sequence[State], *, charged: bool) -> dict[str, str]:
    """The quota of tokens and that of requests with the least left; `charged`: the request is counted already."""
    told: dict[str, str] = {}
    for name in ("tokens", "requests"):
        mine = [state for state in states if (state[0].rule.kind == "requests") is (name == "requests")]
        if mine:
            _, charge, level = min(mine, key=lambda state: _remaining(state, charged=charged))
            told[f"x-ratelimit-limit-{name}"] = str(charge.limit)
            told[f"x-ratelimit-remaining-{name}"] = str(min(_remaining(state, charged=charged) for state in mine))
            told[f"x-ratelimit-reset-{name}"] = f"{ceil(level.reset)}s"
    return told


def _remaining(state: State, *, charged: bool) -> int:
    _, charge, level = state
    return max(0, charge.limit - level.used - (charge.amount if charged else 0))


def wait(states: Sequence[State]) -> float:
    """Seconds until all of it fits; infinite if it never does."""
    return max((float("inf") if level.wait == NEVER else level.wait for _, _, level in states), default=0.0)


def exceeded(candidate: Candidate, states: Sequence[State]) -> RateLimited:
    """The error for a request that does not fit into `states`, in the words of spec 05 §9.3."""
    match, charge, level = max(states, key=lambda state: wait([state]))
    tokens = next((charge.amount for match, charge, _ in states if match.rule.kind != "requests"), 0)
    headers = limit_headers(states, charged=False)
    kind = "requests" if match.rule.kind == "requests" else "tokens"
    quota = f"{charge.limit} {kind} per {match.rule.entry.limit.unit}"
    if level.wait == NEVER:
        headers["x-should-retry"] = "false"  # the SDKs of OpenAI and Anthropic would try again
        what = "input and max_tokens" if match.rule.kind == "total" else "input"
        remedy = f"The request alone is larger than the limit of {quota}, so waiting does not help: send less {what}."
    else:
        seconds = max(1, ceil(level.wait))
        headers["retry-after"] = str(seconds)
        remedy = f"The limit is {quota}, and {level.used} are used: try again in {seconds} s."
    message = f"exceeded limit provider={candidate.model}, selector={_selector(match)}, tokens_used={tokens}"
    return RateLimited(message, model=candidate.name, remedy=remedy, headers=headers)


def _selector(match: Match) -> str:
    selector = match.rule.entry.selector
    if selector is None:
        return "None"
    if selector.key is not None:
        return f"Header {{ key: {_quoted(selector.key)}, value: {_quoted(match.value or selector.value or '')} }}"
    return f"Identity {{ value: {_quoted(match.value or selector.identity or '')} }}"


def _quoted(text: str) -> str:
    return json.dumps(text[:_SHOWN], ensure_ascii=False)
