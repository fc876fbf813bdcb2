"""One routing decision: which models a request should go to, best first."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from brightstaff.affinity import Affinity, AffinityStore, affinity_key
from brightstaff.routing.types import Choice, Router, RoutingFailed, Turn
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import RoutingPreference, RuntimeConfig

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    NO_ROUTE = "no-route"
    ROUTED = "routed"
    PINNED = "pinned"
    FAILED = "failed"


class Ranker(Protocol):
    """Orders the models of a preference by its policy: `cheapest`, `fastest` or `none`."""

    def rank(self, models: Sequence[str], prefer: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of a request. `inline` None: the preferences of the configuration apply.

    `requested_model` is the model that the client named, or the default; empty if there is neither. `asked_model` and
    `path` are as the client wrote them.
    """

    conversation: Sequence[Turn]
    inline: Sequence[RoutingPreference] | None = None
    requested_model: str = ""
    asked_model: str = ""
    path: str = ""
    session_id: str = ""
    tenant: str = ""
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """`models` best first by `policy`, empty where no preference fits; `seconds` is what deciding took."""

    outcome: Outcome
    models: tuple[str, ...] = ()
    route: str | None = None
    reason: str = ""
    reason_code: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    policy: str = "none"

    @property
    def why(self) -> str:
        """What this outcome rests on, for people; empty where there was nothing to decide."""
        match self.outcome:
            case Outcome.FAILED:
                return self.reason
            case Outcome.PINNED:
                return "earlier decision of the session"
            case Outcome.NO_ROUTE:
                return "no preference fits" if self.seconds else ""
            case Outcome.ROUTED:
                if len(self.models) == 1:
                    return "only model of the preference"
                return f"{'first' if self.policy == 'none' else self.policy} of {len(self.models)} models"


class Decider:
    """Decides with one configuration; a new one gets a new decider, stores and sources live on."""

    def __init__(
        self, config: RuntimeConfig, registry: ModelRegistry, router: Router, ranker: Ranker, sessions: AffinityStore
    ) -> None:
        self._preferences = config.routing_preferences
        self._timeout = config.overrides.routing_timeout_ms / 1000
        self._registry = registry
        self._router = router
        self._ranker = ranker
        self._sessions = sessions

    async def decide(self, question: Question) -> Decision:
        """The decision. Never raises: a failure is an outcome."""
        started = time.monotonic()
        preferences = self._usable(question)
        if not preferences:
            return Decision(Outcome.NO_ROUTE)
        key = affinity_key(question.session_id, question.tenant)
        if key is not None and (pinned := await self._sessions.get(key)) is not None:
            return Decision(Outcome.PINNED, pinned.models, pinned.route, seconds=time.monotonic() - started)
        try:
            choice = await self._choose(preferences, question, self._timeout - (time.monotonic() - started))
        except RoutingFailed as failure:
            log.warning("request_id=%s: no routing decision: %s", question.request_id, failure.reason)
            seconds = time.monotonic() - started
            return Decision(Outcome.FAILED, reason=failure.reason, reason_code=failure.code, seconds=seconds)
        decision = self._decision(choice, preferences, time.monotonic() - started)
        if key is not None:
            left = max(0.0, self._timeout - (time.monotonic() - started))
            with suppress(TimeoutError):  # the decision counts more than remembering it
                async with asyncio.timeout(left):
                    await self._remember(key, decision, question.requested_model)
        return decision

    def _usable(self, question: Question) -> Sequence[RoutingPreference]:
        """The preferences that apply. Those of a request may name models that are not configured."""
        if question.inline is None:
            return self._preferences
        return [preference for preference in question.inline if self._known(preference.models)]

    def _known(self, models: Sequence[str]) -> list[str]:
        return [model for model in models if self._registry.resolve(model) is not None]

    async def _choose(self, preferences: Sequence[RoutingPreference], question: Question, seconds: float) -> Choice:
        try:
            async with asyncio.timeout(seconds):
                return await self._router.choose(
                    preferences, question.conversation, request_id=question.request_id, headers=question.headers
                )
        except TimeoutError:
            reason = f"no decision within {round(self._timeout * 1000)} ms"
            raise RoutingFailed(reason, code="timeout") from None
        except RoutingFailed:
            raise
        except Exception as fault:  # a router may not take requests down
            log.exception("request_id=%s: fault in the router", question.request_id)
            raise RoutingFailed(f"fault in the router: {type(fault).__name__}", code="error") from fault

    def _decision(self, choice: Choice, preferences: Sequence[RoutingPreference], seconds: float) -> Decision:
        found = next((preference for preference in preferences if preference.name == choice.route), None)
        if found is None:
            return Decision(Outcome.NO_ROUTE, scores=choice.scores, seconds=seconds)
        policy = found.selection_policy.prefer
        models = tuple(self._ranker.rank(self._known(found.models), policy))
        return Decision(Outcome.ROUTED, models, found.name, scores=choice.scores, seconds=seconds, policy=policy)

    async def _remember(self, key: str, decision: Decision, requested: str) -> None:
        """A session without a route stays with the model it asked for; there is nothing to pin where it asked none."""
        models = decision.models or ((requested,) if requested else ())
        if models:
            await self._sessions.put(key, Affinity(models=models, route=decision.route))
