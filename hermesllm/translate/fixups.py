"""Corrections of Chat, Messages and Responses requests that one provider or one model needs, as data.

Applied last, when provider and model are settled, and idempotent: a request that is translated again for another
attempt, or passes two gateways, comes out the same.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from hermesllm.providers import Provider
from hermesllm.reading import object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.gemini_signatures import is_geminis
from hermesllm.translate.sealed_reasoning import is_openais

_SIGNS_CALLS = re.compile(r"gemini-[3-9]")

# Routing preferences that brightstaff reads from `metadata`; no provider may see them.
GATEWAY_METADATA = frozenset({"archgw_preference_config", "plano_preference_config"})


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def applies_to(self, context: Context) -> bool:
        if self.provider not in (None, context.provider.id):
            return False
        model = context.model if self.full_id else context.model.rpartition("/")[2]
        return re.match(self.model, model) is not None

    def apply(self, body: dict[str, Any], context: Context) -> None:
        body.update(self.sets)
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
    Fixup(model="", provider="chatgpt", sets={"store": False, "stream": True}, drops=("max_output_tokens",)),
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
        for message in objects_in(body.get("messages")):
            if message.get("role") == "developer":
                message["role"] = "system"
                _touch_messages(body)
    if provider.tool_call_ids:
        _fix_tool_call_ids(body, provider)
    if provider.call_signature and _SIGNS_CALLS.search(context.model):
        _sign_calls(body, provider)


def fix_anthropic_request(body: dict[str, Any], context: Context) -> None:
    """Edits a Messages request, in place, to what this provider and model accept."""
    _drop_gateway_metadata(body)
    _apply(ANTHROPIC_FIXUPS, body, context)
    _drop_sealed_thinking(body, context)


def _drop_sealed_thinking(body: dict[str, Any], context: Context) -> None:
    """Thinking of other vendors, which their cells put into thinking blocks: Claude cannot verify it and refuses it."""
    messages = body["messages"]
    if not any(_is_sealed(block) for message in objects_in(messages) for block in _blocks(message)):
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


def _sign_calls(body: dict[str, Any], provider: Provider) -> None:
    """Gemini 3 refuses calls in the history without its signature: those of other models, or of Messages clients."""
    for message in objects_in(body.get("messages")):
        call = next(objects_in(message.get("tool_calls")), None)
        if call is not None and not call.get("extra_content"):
            call["extra_content"] = {"google": {"thought_signature": provider.call_signature}}
            _touch_messages(body)


def _apply(fixups: tuple[Fixup, ...], body: dict[str, Any], context: Context) -> bool:
    """Whether one of the fix-ups that applied settled the name of the token limit."""
    renamed = False
    for fixup in fixups:
        if fixup.applies_to(context):
            fixup.apply(body, context)
            renamed = renamed or "max_tokens" in fixup.renames
    return renamed


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


def _fix_tool_call_ids(body: dict[str, Any], provider: Provider) -> None:
    """Ids of another provider's calls, seen again in a conversation's history, get a shape this provider accepts."""
    pattern = re.compile(provider.tool_call_ids)
    for message in objects_in(body.get("messages")):
        holders = [(message, "tool_call_id"), *((call, "id") for call in objects_in(message.get("tool_calls")))]
        for holder, name in holders:
            found = holder.get(name)
            if isinstance(found, str) and not pattern.fullmatch(found):
                holder[name] = hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest()[:9]
                _touch_messages(body)


def _touch_messages(body: dict[str, Any]) -> None:
    """Shows who compares members by identity that something inside `messages` has changed."""
    body["messages"] = list(body["messages"])
