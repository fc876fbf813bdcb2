"""Token usage out of dynamic metadata: as the sidecar counted it, or as the provider wrote it and Envoy found it."""

from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.struct_pb2 import Value

from hermesllm.formats import Format
from hermesllm.usage import Usage, usage_of

# What the sidecar writes of an answer that it translates: numbers.
PROMPT, COMPLETION, CACHE_READ, CACHE_WRITE = "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens"
REASONING = "reasoning_tokens"

# What Envoy finds in an answer that nobody translates: objects, as JSON text. Anthropic streams begin with one in
# `message` and end with one at the top, Responses streams have theirs in `response`.
WHOLE, BEGIN, RESPONSE = "usage", "message", "response"

FIRST = "first"
"""When the first event of a stream came, in microseconds since the epoch, as text."""


def counted(usage: Usage) -> dict[str, int]:
    """The metadata of a translated answer."""
    numbers = {
        PROMPT: usage.prompt,
        COMPLETION: usage.completion,
        CACHE_READ: usage.cache_read,
        CACHE_WRITE: usage.cache_write,
    }
    return numbers if usage.reasoning is None else {**numbers, REASONING: usage.reasoning}


def reported_usage(spoken: Format | None, fields: Mapping[str, Value]) -> Usage | None:
    """The usage in the metadata of one answer; `spoken` is the format of its bytes, None where they do not count."""
    if PROMPT in fields:
        return _counted_usage(fields)
    if spoken is None:
        return None
    if spoken is Format.ANTHROPIC:
        return usage_of(spoken, {**_present(fields, BEGIN), **_present(fields, WHOLE)})
    return usage_of(spoken, _object(fields, RESPONSE) or _object(fields, WHOLE))


def _counted_usage(fields: Mapping[str, Value]) -> Usage:
    return Usage(
        prompt=int(fields[PROMPT].number_value),
        completion=int(fields[COMPLETION].number_value),
        cache_read=int(fields[CACHE_READ].number_value),
        cache_write=int(fields[CACHE_WRITE].number_value),
        reasoning=int(fields[REASONING].number_value) if REASONING in fields else None,
    )


def _present(fields: Mapping[str, Value], name: str) -> dict[str, Any]:
    """Members that say something: an Anthropic stream may end with null for what it began with."""
    return {member: value for member, value in _object(fields, name).items() if value is not None}


def _object(fields: Mapping[str, Value], name: str) -> dict[str, Any]:
    if name not in fields:
        return {}
    try:
        value = orjson.loads(fields[name].string_value)
    except orjson.JSONDecodeError:  # a provider whose `usage` is a text
        return {}
    return value if isinstance(value, dict) else {}
