"""How hard a model should think: OpenAI's effort words and Anthropic's token budgets, both ways."""

import re
from typing import Any

from hermesllm.reading import count_or_none, object_or_empty, text_or_empty

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_OFF = frozenset({"none", "minimal"})
_BUDGETS = {"low": 1024, "medium": 8192, "high": 16384, "xhigh": 16384, "max": 16384}
_MINIMAL_BUDGET = 1024

# Models of other vendors that take `reasoning_effort`. Sent to others it is refused or, at best, ignored.
_REASONING_MODELS = re.compile(
    r"(^|[/-])(o[1-9]($|[-:.])|gpt-5|gpt-oss|grok-(3-mini|4)|gemini-(2\.5|[3-9])|qwen3|deepseek-(r|v[4-9])|magistral"
    r"|kimi-k[3-9]|claude-)"
)


def takes_reasoning_effort(model: str) -> bool:
    return _REASONING_MODELS.search(model.lower()) is not None


def is_off(effort: str) -> bool:
    return effort in _OFF


def budget_of(effort: str) -> int:
    """The thinking budget, in tokens, of an effort that is not off."""
    return _BUDGETS.get(effort, _BUDGETS["high"])


def effort_of_budget(budget: int) -> str:
    if budget < 2048:
        return "low"
    return "medium" if budget < 12288 else "high"


def chat_effort(body: dict[str, Any]) -> tuple[str | None, int | None]:
    """Effort and explicit budget that a Chat request asks for, `reasoning` as OpenRouter spells it included."""
    reasoning = object_or_empty(body.get("reasoning"))
    effort = text_or_empty(body.get("reasoning_effort") or reasoning.get("effort")).lower() or None
    budget = count_or_none(reasoning.get("max_tokens"))
    if effort is None and budget is None and isinstance(reasoning.get("enabled"), bool):
        effort = "medium" if reasoning["enabled"] else "none"
    return effort, max(budget, _MINIMAL_BUDGET) if budget else None


def anthropic_effort(body: dict[str, Any]) -> str | None:
    """The effort word of a Messages request: its `output_config.effort`, else its thinking configuration."""
    effort = text_or_empty(object_or_empty(body.get("output_config")).get("effort"))
    thinking = object_or_empty(body.get("thinking"))
    kind = thinking.get("type")
    if kind == "disabled":
        return "none"
    if effort:
        return effort
    if kind == "enabled":
        return effort_of_budget(count_or_none(thinking.get("budget_tokens")) or 0)
    return "medium" if kind == "adaptive" else None
