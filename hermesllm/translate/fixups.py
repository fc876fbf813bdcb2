"""Corrections of Chat, Messages and Responses requests that one provider or one model needs, as data.

Applied last, when provider and model are settled, and idempotent: a request that is translated again for another
attempt, or passes two gateways, comes out the same.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from operator import is_not
from typing import Any

from hermesllm.providers import Provider
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.gemini_signatures import is_geminis
from hermesllm.translate.sealed_reasoning import is_openais

_SIGNS_CALLS = re.compile(r"gemini-[3-9]")

# Routing preferences that brightstaff reads from `metadata`; no provider may see them.
GATEWAY_METADATA = frozenset({"archgw_preference_config", "plano_preference_config"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fixup:
    """What to change where. `model` is matched against the model id without a `vendor/` prefix, unless `full_id`."""

    model: str
    provider: str | None = None
    full_id: bool = False
    drops: tuple[str, ...] = ()
    drops_unless: dict[str, Any] = field(default_factory=dict)  # member → the one value that may stay
    sets: dict[str, Any] = field(default_factory=dict)  # member → its value, whatever the client asked for
    renames: dict[str, str] = field(default_factory=dict)  # the old member goes, its value stays if the new is absent
    values: dict[str, dict[str, str]] = field(default_factory=dict)  # member → wanted value of each known one

    def applies_to(self, provider: str, model: str) -> bool:
        if self.provider not in (None, provider):
            return False
        return re.match(self.model, model if self.full_id else model.rpartition("/")[2]) is not None

    def apply(self, body: dict[str, Any], context: Context) -> None:
        for name in self.drops:
            _drop(body, name, context)
        for name, allowed in self.drops_unless.items():
            if name in body and body[name] != allowed:
                _drop(body, name, context)
        for old, new in self.renames.items():
            _rename(body, old, new)
        for name, wanted in self.values.items():
            if name not in body:
                continue
            value = wanted.get(str(body[name]).lower())
            if value is None:
                _drop(body, name, context)
            else:
                body[name] = value
        body.update(self.sets)


CHAT_FIXUPS = (
    # OpenAI's reasoning models know only the newer name of the limit, and no temperature but the default.
    Fixup(
        model=r"(o[1-9]|gpt-5)($|[-.:])",
        renames={"max_tokens": "max_completion_tokens"},
        drops_unless={"temperature": 1},
    ),
    Fixup(
        model=r"kimi-for-coding$",
        full_id=True,
        drops=("stream_options", "reasoning_effort", "web_search_options", "service_tier", "store"),
    ),
    Fixup(
        model=r"kimi-k3$",
        full_id=True,
        provider="moonshotai",
        drops=("temperature", "top_p", "n", "presence_penalty", "frequency_penalty"),
        values={
            "reasoning_effort": {
                "none": "low",
                "minimal": "low",
                "low": "low",
                "medium": "high",
                "high": "high",
                "max": "max",
            }
        },
    ),
    Fixup(
        model="",
        provider="groq",
        values={"service_tier": {tier: tier for tier in ("auto", "on_demand", "flex", "performance")}},
    ),
)

ANTHROPIC_FIXUPS = (Fixup(model=r"kimi-for-coding$", full_id=True, drops=("thinking",)),)

_CODEX = "You are Codex, based on GPT-5. You are running as a coding agent in the Codex CLI on a user's computer."
RESPONSES_FIXUPS = (
    # A ChatGPT subscription: its backend serves one client, stores nothing and only streams.
    Fixup(
        model="",
        provider="chatgpt",
        drops=("max_output_tokens",),
        drops_unless={"store": False},
        sets={"store": False, "stream": True},
    ),
    Fixup(model=r"(o[1-9]|gpt-5(?!-chat))($|[-.:])", drops_unless={"temperature": 1}),
)
# Text that a provider wants at the head of the instructions.
_INSTRUCTIONS = {"chatgpt": _CODEX}


def fix_chat_request(body: dict[str, Any], context: Context) -> None:
    """Edits a Chat request, in place, to what this provider and model accept."""
    _drop_gateway_metadata(body)
    renamed = _apply(CHAT_FIXUPS, body, context)
    provider = context.provider
    for name in [name for name in body if name in provider.drops]:  # in the client's order
        _drop(body, name, context)
    if provider.keeps_max_tokens and not renamed:
        _rename(body, "max_completion_tokens", "max_tokens")
    if not provider.developer_role:
        _rewrite_messages(body, _developer_as_system)
    if provider.tool_call_ids:
        _rewrite_messages(body, partial(_with_fitting_ids, re.compile(provider.tool_call_ids)))
    if provider.call_signature and _SIGNS_CALLS.search(context.model):
        _rewrite_messages(body, partial(_with_signed_call, provider))


def fix_anthropic_request(body: dict[str, Any], context: Context) -> None:
    """Edits a Messages request, in place, to what this provider and model accept."""
    _drop_gateway_metadata(body)
    _apply(ANTHROPIC_FIXUPS, body, context)
    _drop_sealed_thinking(body, context)


def _drop_sealed_thinking(body: dict[str, Any], context: Context) -> None:
    """Thinking of other vendors, which their cells put into thinking blocks: Claude cannot verify it and refuses it."""
    messages = body["messages"]
    if not any(map(_is_sealed, chain.from_iterable(map(_blocks, messages)))):
        return
    kept = []
    for index, message in enumerate(messages):
        blocks = _blocks(message)
        unsealed = [block for block in blocks if not _is_sealed(block)]
        if len(unsealed) == len(blocks):
            kept.append(message)
            continue
        context.drop(f"messages[{index}].content")
        if unsealed:
            kept.append({**message, "content": unsealed})
    body["messages"] = kept


def _blocks(message: Any) -> list[Any]:
    content = object_or_empty(message).get("content")
    return content if isinstance(content, list) else []


def _is_sealed(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") not in ("thinking", "redacted_thinking"):
        return False
    return is_geminis(block) or is_openais(block)


def fix_responses_request(body: dict[str, Any], context: Context) -> None:
    """Edits a Responses request, in place, to what this provider and model accept."""
    _drop_gateway_metadata(body)
    _apply(RESPONSES_FIXUPS, body, context)
    base = _INSTRUCTIONS.get(context.provider.id)
    if base is None:
        return
    given = text_or_empty(body.get("instructions"))
    if base not in given:
        body["instructions"] = f"{base}\n\n{given}" if given else base
    found = body.get("input")
    if isinstance(found, str):
        body["input"] = [{"role": "user", "content": found}]
    elif isinstance(found, dict):
        body["input"] = [found]


def _rewrite_messages(body: dict[str, Any], rewrite: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Puts rewritten messages into a list of their own: the client's stay as they are, for another attempt."""
    messages = body.get("messages")
    if isinstance(messages, list):
        rewritten = [rewrite(message) if isinstance(message, dict) else message for message in messages]
        if any(map(is_not, rewritten, messages)):
            body["messages"] = rewritten


def _developer_as_system(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "role": "system"} if message.get("role") == "developer" else message


def _with_signed_call(provider: Provider, message: dict[str, Any]) -> dict[str, Any]:
    """Gemini 3 refuses calls in the history without its signature: those of other models, or of Messages clients."""
    calls = message.get("tool_calls")
    first = next(objects_in(calls), None)
    if not isinstance(calls, list) or first is None or first.get("extra_content"):
        return message
    signed = {**first, "extra_content": {"google": {"thought_signature": provider.call_signature}}}
    return {**message, "tool_calls": [signed if call is first else call for call in calls]}


def _apply(fixups: tuple[Fixup, ...], body: dict[str, Any], context: Context) -> bool:
    """Whether one of the fix-ups that applied settled the name of the token limit."""
    renamed = False
    for fixup in _applicable(fixups, context.provider.id, context.model):
        fixup.apply(body, context)
        renamed = renamed or "max_tokens" in fixup.renames
    return renamed


@lru_cache(maxsize=256)
def _applicable(fixups: tuple[Fixup, ...], provider: str, model: str) -> tuple[Fixup, ...]:
    return tuple(fixup for fixup in fixups if fixup.applies_to(provider, model))


def _drop(body: dict[str, Any], name: str, context: Context) -> None:
    if body.pop(name, None) is not None:
        context.drop(name)


def _rename(body: dict[str, Any], old: str, new: str) -> None:
    value = body.pop(old, None)
    if value is not None and body.get(new) is None:
        body[new] = value


def _drop_gateway_metadata(body: dict[str, Any]) -> None:
    metadata = object_or_empty(body.get("metadata"))
    if not GATEWAY_METADATA.isdisjoint(metadata):
        kept = {name: value for name, value in metadata.items() if name not in GATEWAY_METADATA}
        if kept:
            body["metadata"] = kept
        else:
            del body["metadata"]


def _with_fitting_ids(pattern: re.Pattern[str], message: dict[str, Any]) -> dict[str, Any]:
    """Ids of another provider's calls, seen again in a conversation's history, get a shape this provider accepts."""
    changed = _with_fitting_id(pattern, message, "tool_call_id")
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        fitting = [_with_fitting_id(pattern, call, "id") if isinstance(call, dict) else call for call in calls]
        if any(map(is_not, fitting, calls)):
            changed = {**changed, "tool_calls": fitting}
    return changed


def _with_fitting_id(pattern: re.Pattern[str], holder: dict[str, Any], name: str) -> dict[str, Any]:
    found = holder.get(name)
    if not isinstance(found, str) or pattern.fullmatch(found):
        return holder
    return {**holder, name: hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest()[:9]}
