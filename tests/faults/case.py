"""What a case of the table is, and how it is judged."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.faults.site import Site

NEXT_WITHIN = 5.0


@dataclass(frozen=True)
class Api:
    """A client's API."""

    name: str
    path: str

    @property
    def anthropic(self) -> bool:
        return self.path == "/v1/messages"


CHAT = Api("Chat Completions", "/v1/chat/completions")
MESSAGES = Api("Messages", "/v1/messages")


Act = Callable[["Site", Api], str]


@dataclass(frozen=True)
class Case:
    """`act` does it and tells in words what the client saw; `expected` lists the words that are right.

    `within`: seconds until the client has seen it, generously. `quick` cases are part of `make test`. An `act` may
    raise Unavailable where this machine cannot do it.
    """

    fault: str
    act: Act
    expected: tuple[str, ...]
    within: float = 3.0
    apis: tuple[Api, ...] = (CHAT, MESSAGES)
    quick: bool = True


class Unavailable(Exception):
    """What a case needs is not here: a right, a limit, a program."""


@dataclass(frozen=True)
class Result:
    """What was measured: words and seconds for each API, and the seconds of the slowest request after it."""

    case: Case
    seen: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    next_seconds: float = 0.0
    skipped: str = ""

    @property
    def words(self) -> str:
        """What was seen, once if every API saw the same."""
        if self.skipped:
            return f"not tried here: {self.skipped}"
        if len(set(self.seen.values())) == 1:
            return next(iter(self.seen.values()))
        return "; ".join(f"{name}: {words}" for name, words in self.seen.items())


def tried(case: Case, site: "Site") -> Result:
    """Try a case with each of its APIs. Raises AssertionError if anything is not as expected."""
    seen: dict[str, str] = {}
    slowest = next_slowest = 0.0
    site.next_request()
    for api in case.apis:
        began = time.monotonic()
        try:
            seen[api.name] = case.act(site, api)
        except Unavailable as reason:
            return Result(case, skipped=str(reason))
        slowest = max(slowest, site.measured(time.monotonic() - began))
        assert seen[api.name] in case.expected, f"{case.fault}: {seen[api.name]!r}, not one of {case.expected}"
        assert slowest <= case.within, f"{case.fault}: took {slowest:.1f} s"
        next_slowest = max(next_slowest, site.next_request(api))
        assert next_slowest <= NEXT_WITHIN, f"after {case.fault}: the next request took {next_slowest:.1f} s"
    return Result(case, seen, slowest, next_slowest)


def error_words(api: Api, status: int, content_type: str, body: bytes) -> str:
    """`503 provider_unreachable`, after checking that the error has the shape of the client's API."""
    assert content_type.startswith("application/json"), f"{status} {content_type}: {body[:200]!r}"
    document: dict[str, Any] = json.loads(body)
    error = document["error"]
    assert error["message"]
    assert isinstance(error["type"], str)
    assert (document.get("type") == "error") is api.anthropic, document
    return f"{status} {error.get('code') or error['type']}"
