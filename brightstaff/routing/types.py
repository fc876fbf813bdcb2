"""What routers, rankers and the decision share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from planoctl.config.runtime import RoutingPreference

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class RoutingFailed(Exception):
    """A router could not decide. `reason` is for people; `code` is one of a few words, for metrics and headers."""

    def __init__(self, reason: str, *, code: str = "error") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, reduced to its text; `role` is `user` or `assistant`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a router made of a conversation: the name of a preference, or None where none fits.

    `scores` are by name of preference, where the router has any.
    """

    route: str | None
    scores: Mapping[str, float] = field(default_factory=dict)


class Router(Protocol):
    """Chooses the preference that fits a conversation. Raises RoutingFailed."""

    async def choose(
        self,
        preferences: Sequence[RoutingPreference],
        conversation: Sequence[Turn],
        *,
        request_id: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Choice: ...
