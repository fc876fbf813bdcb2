"""What `planoctl route` asks `brightstaff.dry_run`, and what it is told: JSON lines, in the same order."""

from typing import Any, Literal

import msgspec

NEEDS_GATEWAY = 3
"""Exit code where the routing model can be asked through a gateway only."""

Source = Literal["preference", "fallback", "default"]
Order = Literal["price", "latency", "declared", "unmeasured"]


class Prompt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user's text, or a whole conversation as `messages` of a Chat Completions request."""

    prompt: str = ""
    messages: list[dict[str, Any]] | None = None


class Step(msgspec.Struct, frozen=True):
    """A model that would be tried. Prices are USD per million tokens, None where they are not known."""

    model: str
    source: Source
    input_price: float | None = None
    output_price: float | None = None


class Answer(msgspec.Struct, frozen=True):
    """A decision.

    `router`: `embedded`, or the model that decided; `method`: what the embedded router compares (`words`, `vectors`),
    or the URL of the model. `scores`: probabilities by preference, empty where the router gives none; what they lack
    to 1 is that no preference fits. `models`: in the order they would be tried; without a route those of the default
    model. `order`: what the models of the preference are ordered by; `unmeasured`: latencies that only a running
    gateway measures, so as declared.
    """

    outcome: Literal["routed", "no-route", "failed"]
    router: str
    method: str
    milliseconds: float
    route: str | None = None
    order: Order = "declared"
    models: tuple[Step, ...] = ()
    scores: dict[str, float] = {}
    reason: str = ""
    reason_code: str = ""
