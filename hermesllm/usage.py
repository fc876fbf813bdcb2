"""Token usage of one answer, and how each format writes it.

OpenAI's `prompt_tokens` includes cached tokens, Anthropic's `input_tokens` excludes cache reads and writes. `Usage`
keeps the including number, because that is what was processed.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from hermesllm.formats import Format
from hermesllm.reading import count_or_none, object_or_empty


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one answer. `cache_read` and `cache_write` are parts of `prompt`, `reasoning` of `completion`."""

    prompt: int = 0
    completion: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int | None = None

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    @classmethod
    def from_chat(cls, usage: dict[str, Any]) -> "Usage":
        prompt_details = object_or_empty(usage.get("prompt_tokens_details"))
        completion_details = object_or_empty(usage.get("completion_tokens_details"))
        return cls(
            prompt=_first(usage.get("prompt_tokens")),
            completion=_first(usage.get("completion_tokens")),
            # Gateways in front of Anthropic, DeepSeek and Moonshot have members of their own for cache hits.
            cache_read=_first(
                prompt_details.get("cached_tokens"),
                usage.get("cache_read_input_tokens"),
                usage.get("prompt_cache_hit_tokens"),
                usage.get("cached_tokens"),
            ),
            cache_write=_first(usage.get("cache_creation_input_tokens"), prompt_details.get("cache_write_tokens")),
            reasoning=count_or_none(completion_details.get("reasoning_tokens")),
        )

    @classmethod
    def from_anthropic(cls, usage: dict[str, Any]) -> "Usage":
        read = _first(usage.get("cache_read_input_tokens"))
        write = _first(usage.get("cache_creation_input_tokens"))
        details = object_or_empty(usage.get("output_tokens_details"))
        return cls(
            prompt=_first(usage.get("input_tokens")) + read + write,
            completion=_first(usage.get("output_tokens")),
            cache_read=read,
            cache_write=write,
            reasoning=count_or_none(details.get("thinking_tokens")),
        )

    @classmethod
    def from_responses(cls, usage: dict[str, Any]) -> "Usage":
        input_details = object_or_empty(usage.get("input_tokens_details"))
        output_details = object_or_empty(usage.get("output_tokens_details"))
        return cls(
            prompt=_first(usage.get("input_tokens")),
            completion=_first(usage.get("output_tokens")),
            cache_read=_first(input_details.get("cached_tokens")),
            cache_write=_first(input_details.get("cache_write_tokens")),
            reasoning=count_or_none(output_details.get("reasoning_tokens")),
        )

    def to_responses(self) -> dict[str, Any]:
        return {
            "input_tokens": self.prompt,
            "input_tokens_details": {"cached_tokens": self.cache_read, "cache_write_tokens": self.cache_write},
            "output_tokens": self.completion,
            "output_tokens_details": {"reasoning_tokens": self.reasoning or 0},
            "total_tokens": self.total,
        }

    @classmethod
    def from_gemini(cls, usage: dict[str, Any]) -> "Usage":
        """Of `usageMetadata`: it counts thoughts apart from the answer, results of Google's tools from the prompt."""
        thoughts = count_or_none(usage.get("thoughtsTokenCount"))
        return cls(
            prompt=_first(usage.get("promptTokenCount")) + _first(usage.get("toolUsePromptTokenCount")),
            completion=_first(usage.get("candidatesTokenCount")) + (thoughts or 0),
            cache_read=_first(usage.get("cachedContentTokenCount")),
            reasoning=thoughts,
        )

    @classmethod
    def from_converse(cls, usage: dict[str, Any]) -> "Usage":
        read = _first(usage.get("cacheReadInputTokens"), usage.get("cacheReadInputTokenCount"))
        write = _first(usage.get("cacheWriteInputTokens"), usage.get("cacheWriteInputTokenCount"))
        return cls(
            prompt=_first(usage.get("inputTokens")) + read + write,
            completion=_first(usage.get("outputTokens")),
            cache_read=read,
            cache_write=write,
        )

    def to_chat(self) -> dict[str, Any]:
        usage: dict[str, Any] = {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.total,
            "prompt_tokens_details": {"cached_tokens": self.cache_read},
        }
        if self.cache_read or self.cache_write:
            usage["cache_read_input_tokens"] = self.cache_read
            usage["cache_creation_input_tokens"] = self.cache_write
        if self.cache_write:
            usage["prompt_tokens_details"]["cache_write_tokens"] = self.cache_write
        if self.reasoning is not None:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning}
        return usage

    def to_anthropic(self) -> dict[str, Any]:
        usage: dict[str, Any] = {
            "input_tokens": max(0, self.prompt - self.cache_read - self.cache_write),
            "output_tokens": self.completion,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cache_read,
        }
        if self.reasoning is not None:
            usage["output_tokens_details"] = {"thinking_tokens": self.reasoning}
        return usage


_READERS: dict[Format, Callable[[dict[str, Any]], Usage]] = {
    Format.CHAT: Usage.from_chat,
    Format.ANTHROPIC: Usage.from_anthropic,
    Format.CONVERSE: Usage.from_converse,
    Format.RESPONSES: Usage.from_responses,
    Format.GEMINI: Usage.from_gemini,
    Format.COMPLETIONS: Usage.from_chat,
    Format.EMBEDDINGS: Usage.from_chat,
}


def read_usage(spoken: Format, body: dict[str, Any]) -> Usage | None:
    """The usage in a JSON answer of a format; None where the provider sent none."""
    usage = body.get("usageMetadata" if spoken is Format.GEMINI else "usage")
    return usage_of(spoken, usage) if isinstance(usage, dict) else None


def usage_of(spoken: Format, usage: dict[str, Any]) -> Usage | None:
    """The usage that a format's own usage object tells; None of an empty one, and of formats that have none."""
    reader = _READERS.get(spoken)
    return reader(usage) if reader is not None and usage else None


def _first(*values: Any) -> int:
    """The first value that is a count; 0 where none is."""
    for value in values:
        if value is not None and (found := count_or_none(value)) is not None:
            return found
    return 0
