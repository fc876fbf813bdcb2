"""The service tier that an answer was given in: the words of OpenAI's APIs, and those of the others for them."""

from typing import Any

from hermesllm.reading import object_or_empty, text_or_empty

_OF_ANTHROPIC = {"standard": "default", "priority": "priority"}
_TO_ANTHROPIC = {tier: own for own, tier in _OF_ANTHROPIC.items()}
_OF_CONVERSE = {tier: tier for tier in ("default", "flex", "priority")}
_OF_GEMINI = {"standard": "default", "flex": "flex", "priority": "priority"}


def tier_of_anthropic(usage: dict[str, Any]) -> str:
    """The tier in the `usage` of a Messages answer; here and below empty where there is none that OpenAI knows."""
    return _OF_ANTHROPIC.get(text_or_empty(usage.get("service_tier")), "")


def tier_of_converse(holder: dict[str, Any]) -> str:
    """The tier in a Converse answer, or in the metadata event of its stream."""
    return _OF_CONVERSE.get(text_or_empty(object_or_empty(holder.get("serviceTier")).get("type")), "")


def tier_of_gemini(answer: dict[str, Any]) -> str:
    """The tier in a generateContent answer."""
    usage = object_or_empty(answer.get("usageMetadata"))
    return _OF_GEMINI.get(text_or_empty(usage.get("serviceTier")).lower(), "")


def tier_for_openai(tier: str) -> dict[str, str]:
    """The member of a Chat or Responses answer that tells the tier."""
    return {"service_tier": tier} if tier else {}


def tier_for_anthropic(tier: Any) -> dict[str, str]:
    """The member of a Messages answer's `usage` that tells a tier of OpenAI's."""
    own = _TO_ANTHROPIC.get(text_or_empty(tier), "")
    return {"service_tier": own} if own else {}
