"""What each generation of Claude accepts, read off its name: thinking, effort, structured output, sampling.

Follows Anthropic's model documentation. Names come in many spellings (`claude-opus-4-7`, `anthropic/claude-opus-4.7`,
`us.anthropic.claude-sonnet-4-5-20250929-v1:0`). A name that tells nothing gets the reading that most models accept.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_VERSION_LAST = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)")
_VERSION_FIRST = re.compile(r"claude-(?P<major>\d)(?:[-.](?P<minor>\d))?(?:-(?P<family>[a-z]+))?")
_ALWAYS_THINKING = frozenset({"fable", "mythos"})
_UNNUMBERED_CLAUDE = (4, 6)  # thinks adaptively and still takes sampling parameters
_NOT_CLAUDE = (4, 0)  # other vendors' models behind the Messages API
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeModel:
    """`efforts` are the values of `output_config.effort`; empty where the model has none."""

    thinks: bool
    adaptive_thinking: bool  # `thinking: {"type": "adaptive"}`; otherwise thinking takes a token budget
    thinking_can_be_off: bool
    efforts: frozenset[str]
    json_schema_output: bool  # `output_config.format`
    sampling: bool  # takes temperature, top_p and top_k at all
    one_of_temperature_and_top_p: bool

    def effort(self, wanted: str) -> str | None:
        """The nearest effort the model knows, not above `wanted`."""
        below = _EFFORTS[: _EFFORTS.index(wanted) + 1] if wanted in _EFFORTS else ()
        return next((effort for effort in reversed(below) if effort in self.efforts), None)


@lru_cache(maxsize=256)
def claude_model(name: str) -> ClaudeModel:
    family, version = _family_and_version(name.lower())
    efforts: frozenset[str] = frozenset()
    if version >= (4, 7):
        efforts = frozenset(_EFFORTS)
    elif version >= (4, 6):
        efforts = frozenset({"low", "medium", "high", "max"})
    elif version >= (4, 5) and family == "opus":
        efforts = frozenset({"low", "medium", "high"})
    return ClaudeModel(
        thinks=version >= (3, 7),
        adaptive_thinking=version >= (4, 6),
        thinking_can_be_off=family not in _ALWAYS_THINKING,
        efforts=efforts,
        json_schema_output=version >= (4, 5),
        sampling=version < (4, 7),
        one_of_temperature_and_top_p=(4, 1) <= version < (4, 7),
    )


def _family_and_version(name: str) -> tuple[str, tuple[int, int]]:
    match = _VERSION_LAST.search(name) or _VERSION_FIRST.search(name)
    if match:
        return match["family"] or "", (int(match["major"]), int(match["minor"] or 0))
    family = next((family for family in _ALWAYS_THINKING if family in name), "")
    return family, _UNNUMBERED_CLAUDE if "claude" in name else _NOT_CLAUDE
