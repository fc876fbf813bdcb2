"""What each generation of Gemini accepts, read off its name: thinking budgets or levels, signed calls, media.

Follows Google's model documentation. Names come in many spellings (`gemini-2.5-flash-lite`,
`google/gemini-3-pro-preview`, `gemini-flash-latest`). A name without a number that ends in `-latest` is taken for the
newest generation.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hermesllm.reasoning import budget_of, effort_of_budget

_NAME = re.compile(r"gemini-(?:(?P<major>\d{1,2})(?:\.(?P<minor>\d{1,2}))?-)?(?P<family>flash-lite|flash|pro)?")
_LEVELS = ("minimal", "low", "medium", "high")
_LEVEL_OF_EFFORT = {"none": "minimal", "xhigh": "high", "max": "high"}
_DYNAMIC = -1  # the model decides how much it thinks


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiModel:
    """`levels` are the values of `thinkingLevel` and `budgets` the bounds of `thinkingBudget`, in tokens.

    A model has one of the two; models that do not think have neither. `least_budget` is what comes nearest to off.
    """

    levels: tuple[str, ...] = ()
    budgets: tuple[int, int] | None = None
    least_budget: int = 0
    signs_calls: bool = False  # refuses function calls in the history that lack their thought signature
    media_in_results: bool = False  # takes images and files inside a function response
    media_resolution: bool = False  # takes a resolution per part

    @property
    def thinks(self) -> bool:
        return bool(self.levels) or self.budgets is not None

    def thinking(self, effort: str | None, budget: int | None) -> dict[str, Any]:
        """Level or budget for an effort word, or for a number of tokens, whichever is given."""
        if self.levels:
            return self._level(effort or (effort_of_budget(budget) if budget else None))
        if self.budgets is None:
            return {}
        if effort == "none":
            return {"thinkingBudget": self.least_budget}
        if budget is None and effort is None:
            return {"thinkingBudget": _DYNAMIC}
        least, most = self.budgets
        tokens = budget if budget is not None else budget_of("low" if effort == "minimal" else effort or "medium")
        return {"thinkingBudget": min(max(tokens, least), most)}

    def _level(self, effort: str | None) -> dict[str, Any]:
        """The nearest level the model knows: the next higher, for a model that lacks one cannot do with less."""
        if effort is None:
            return {}
        wanted = _LEVELS.index(_LEVEL_OF_EFFORT.get(effort, effort))
        return {"thinkingLevel": next(level for level in _LEVELS[wanted:] if level in self.levels)}


@lru_cache(maxsize=256)
def gemini_model(name: str) -> GeminiModel:
    match = _NAME.search(name.lower())
    if match is None:
        return GeminiModel()  # Gemma and others that Google serves
    family = match["family"] or ""
    if match["major"] is None and "latest" not in name:
        return GeminiModel()
    version = (int(match["major"] or 3), int(match["minor"] or (0 if match["major"] else 1)))
    if version >= (3, 0):
        return GeminiModel(
            levels=_levels(family, version), signs_calls=True, media_in_results=True, media_resolution=True
        )
    if version < (2, 5):
        return GeminiModel()
    if family == "pro":
        return GeminiModel(budgets=(128, 32768), least_budget=128)
    return GeminiModel(budgets=(512 if family == "flash-lite" else 1, 24576))


def _levels(family: str, version: tuple[int, int]) -> tuple[str, ...]:
    if family != "pro":
        return _LEVELS
    return ("low", "high") if version == (3, 0) else ("low", "medium", "high")
