"""The prompts that routing models were trained on, byte for byte."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from brightstaff.orchestrator.trimming import BYTES_PER_TOKEN, Message, trimmed
from hermesllm.conversation import ROUTING_TURNS, middle_trimmed

StyleName = Literal["orchestrator_v1", "arch_router_v1"]

_PLACEHOLDER = re.compile(r"\{(routes|conversation)\}")
_NO_PARAMETERS = {"type": "object", "properties": {}, "required": []}
_MIN_DESCRIPTION_BYTES = 64


class RouteOption(NamedTuple):
    """What the model may choose: its answer is the name, what it goes by is the description."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """How one family of routing models is asked.

    `budget`: tokens of a prompt, where the configuration says nothing; `turns`: the most messages it sees, None for any
    number; `header`: what the hosted endpoint dispatches on.
    """

    name: StyleName
    template: str
    budget: int
    turns: int | None
    header: str
    write_routes: Callable[[Sequence[RouteOption]], str]
    write_conversation: Callable[[Sequence[Message]], str]

    def prompt(self, routes: Sequence[RouteOption], conversation: Sequence[Message], budget: int | None = None) -> str:
        """The text of the single user message. `budget` in tokens; routes and template count."""
        budget = budget or self.budget
        routes_text = self._routes_within(routes, budget)
        base = (len(self.template.encode()) + len(routes_text.encode(errors="replace"))) // BYTES_PER_TOKEN
        kept = trimmed(conversation, budget=budget, base=base, turns=self.turns)
        values = {"routes": routes_text, "conversation": self.write_conversation(kept)}
        return _PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], self.template)

    def _routes_within(self, routes: Sequence[RouteOption], budget: int) -> str:
        """The routes in at most about half of the budget: descriptions give way, names never."""
        text = self.write_routes(routes)
        most = budget * BYTES_PER_TOKEN // 2
        if len(text.encode(errors="replace")) <= most:
            return text
        share = max(_MIN_DESCRIPTION_BYTES, most // len(routes))
        return self.write_routes([RouteOption(name, middle_trimmed(text, share)) for name, text in routes])


def prompt_style(model: str, configured: StyleName | None) -> PromptStyle:
    """The style of `configured`, or else the one that goes with the model's id."""
    if configured is None:
        configured = "arch_router_v1" if "arch-router" in model.lower() else "orchestrator_v1"
    return STYLES[configured]


def _route_lines(routes: Sequence[RouteOption]) -> str:
    return "\n".join(
        json.dumps({**route._asdict(), "parameters": _NO_PARAMETERS}, ensure_ascii=False) for route in routes
    )


def _compact_routes(routes: Sequence[RouteOption]) -> str:
    return json.dumps([route._asdict() for route in routes], ensure_ascii=False, separators=(",", ":"))


def _indented_conversation(messages: Sequence[Message]) -> str:
    return json.dumps(_written(messages), ensure_ascii=False, indent=4)


def _compact_conversation(messages: Sequence[Message]) -> str:
    return json.dumps(_written(messages), ensure_ascii=False, separators=(",", ":"))


def _written(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in messages]


_ORCHESTRATOR_V1 = """
You are a helpful assistant that selects the most suitable routes based on user intent.
You are provided with a list of available routes enclosed within <routes></routes> XML tags:
<routes>
{routes}
</routes>

You are also given the conversation context enclosed within <conversation></conversation> XML tags:
<conversation>
{conversation}
</conversation>

## Instructions
1. Analyze the latest user intent from the conversation.
2. Compare it against the available routes to find which routes can help fulfill the request.
3. Respond only with the exact route names from <routes>.
4. If no routes can help or the intent is already fulfilled, return an empty list.

## Response Format
Return your answer strictly in JSON as follows:
{{"route": ["route_name_1", "route_name_2", "..."]}}
If no routes are needed, return an empty list for `route`.
"""

_ARCH_ROUTER_V1 = """
You are a helpful assistant designed to find the best suited route.
You are provided with route description within <routes></routes> XML tags:
<routes>
{routes}
</routes>

<conversation>
{conversation}
</conversation>

Your task is to decide which route is best suit with user intent on the conversation in <conversation></conversation> \
XML tags.  Follow the instruction:
1. If the latest intent from user is irrelevant or user intent is full filled, response with other route \
{"route": "other"}.
2. You must analyze the route descriptions and find the best match route for user latest intent.
3. You only response the name of the route that best matches the user's request, use the exact name in the \
<routes></routes>.

Based on your analysis, provide your response in the following JSON formats if you decide to match any route:
{"route": "route_name"}
"""

STYLES = {
    style.name: style
    for style in (
        PromptStyle(
            name="orchestrator_v1",
            template=_ORCHESTRATOR_V1,
            budget=8192,
            turns=ROUTING_TURNS,
            header="plano-orchestrator",
            write_routes=_route_lines,
            write_conversation=_indented_conversation,
        ),
        PromptStyle(
            name="arch_router_v1",
            template=_ARCH_ROUTER_V1,
            budget=2048,
            turns=None,
            header="arch-router",
            write_routes=_compact_routes,
            write_conversation=_compact_conversation,
        ),
    )
}
