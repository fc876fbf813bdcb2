"""Requests of the cell "Chat Completions client, Messages provider": everything but the conversation itself."""

from dataclasses import dataclass
from typing import Any

from hermesllm.claude_models import claude_model
from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    count_or_none,
    invalid,
    object_or_empty,
    optional_list,
    optional_object,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.base import Context
from hermesllm.translate.chat_request import (
    EMPTY_SCHEMA,
    ask_for_reasoning,
    ask_for_sampling,
    chat_tool_choice,
    chat_tools,
    free_name,
)
from hermesllm.translate.chat_to_anthropic_messages import Conversation, read_conversation
from hermesllm.translate.custom_tools import custom_names

DEFAULT_MAX_TOKENS = 4096  # the member is required by Anthropic, optional for OpenAI
_JSON_OBJECT_PROMPT = "Answer with one valid JSON object and nothing else."

# Members that have a meaning here, and members of the Messages API that pass through a Chat request.
_TRANSLATED = frozenset(
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "stream",
        "stream_options", "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "user",
        "safety_identifier", "metadata", "reasoning_effort", "reasoning", "response_format", "service_tier", "n",
        "web_search_options",
    }
)  # fmt: skip
_PASSED_ON = ("thinking", "output_config", "container", "context_management", "mcp_servers", "cache_control")
# What these say is what happens anyway.
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "logprobs": (False,),
    "store": (False,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "top_logprobs": (0,),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answer has to heed of the request."""

    include_usage: bool = False
    answer_tool: str | None = None
    legacy_functions: bool = False
    custom: frozenset[str] = frozenset()  # names of custom tools, sent as functions


def to_anthropic(body: dict[str, Any], context: Context) -> tuple[dict[str, Any], Asked]:
    """The Messages request of a Chat request. Raises InvalidRequest or Untranslatable."""
    if (count_or_none(body.get("n")) or 1) > 1:
        raise Untranslatable(
            "n: an Anthropic model gives one answer per request",
            param="n",
            remedy="Leave out n, or send several requests.",
        )
    conversation = read_conversation(body, context)
    request: dict[str, Any] = {"model": context.model, "messages": conversation.messages}
    tools = chat_tools(body, context)
    choice = chat_tool_choice(body, tools)
    answer_tool = _response_format(body, request, conversation, tools, context)
    if answer_tool and choice in (None, {"type": "auto"}):
        choice = {"type": "any"} if len(tools) > 1 else {"type": "tool", "name": answer_tool}
    if not tools and conversation.tool_names:
        # Anthropic refuses a history of tool calls in a request that declares none.
        tools = [{"name": name, "input_schema": EMPTY_SCHEMA} for name in conversation.tool_names]
        choice = {"type": "none"}
    if tools:
        request["tools"] = tools
        _parallel(body, choice, request)
    if conversation.system:
        request["system"] = conversation.system_prompt()
    request["max_tokens"] = body.get("max_completion_tokens") or body.get("max_tokens") or DEFAULT_MAX_TOKENS
    _plain_members(body, request, context)
    ask_for_reasoning(body, request, context, may_think=not conversation.open_call_without_thinking)
    ask_for_sampling(body, request, context)
    _report_dropped(body, context)
    include_usage = optional_object(body.get("stream_options"), "stream_options").get("include_usage") is True
    legacy_functions = "functions" in body and "tools" not in body
    return request, Asked(include_usage, answer_tool, legacy_functions, custom_names(body))


def _plain_members(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    for name in _PASSED_ON:
        if body.get(name) is not None:
            request.setdefault(name, body[name])
    if body.get("stream") is not None:
        request["stream"] = body["stream"]
    stop = body.get("stop")
    if stop is not None:
        texts = [stop] if isinstance(stop, str) else optional_list(stop, "stop")
        kept = [text for text in texts if required_text(text, "stop").strip()]
        if kept:
            request["stop_sequences"] = kept
    tier = body.get("service_tier")
    if tier in ("auto", "default"):
        request["service_tier"] = "auto" if tier == "auto" else "standard_only"
    elif tier is not None:
        context.drop("service_tier")
    _user(body, request, context)


def _user(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    metadata = optional_object(body.get("metadata"), "metadata")
    user = body.get("user") or body.get("safety_identifier") or metadata.get("user_id")
    if isinstance(user, str) and user:
        request["metadata"] = {"user_id": user}
    for name in metadata:
        if name != "user_id":
            context.drop(f"metadata.{name}")


def _parallel(body: dict[str, Any], choice: dict[str, Any] | None, request: dict[str, Any]) -> None:
    parallel = body.get("parallel_tool_calls")
    if isinstance(parallel, bool):
        if choice is None and not parallel:
            choice = {"type": "auto"}
        if choice is not None and choice["type"] != "none":
            choice["disable_parallel_tool_use"] = not parallel
    if choice is not None:
        request["tool_choice"] = choice


def _response_format(
    body: dict[str, Any],
    request: dict[str, Any],
    conversation: Conversation,
    tools: list[dict[str, Any]],
    context: Context,
) -> str | None:
    """Asks for structured output; the name of the tool that stands in for it on models that know no other way."""
    wanted = optional_object(body.get("response_format"), "response_format")
    kind = wanted.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        conversation.add_system(_JSON_OBJECT_PROMPT)
        return None
    if kind != "json_schema":
        raise invalid("response_format.type", "expected 'text', 'json_object' or 'json_schema'")
    declared = required_object(wanted.get("json_schema"), "response_format.json_schema")
    schema = required_object(declared.get("schema"), "response_format.json_schema.schema")
    if claude_model(context.model).json_schema_output:
        output_config = optional_object(body.get("output_config"), "output_config")
        request["output_config"] = {**output_config, "format": {"type": "json_schema", "schema": schema}}
        return None
    name = free_name(text_or_empty(declared.get("name")) or "answer", [tool.get("name") for tool in tools])
    description = text_or_empty(declared.get("description")) or "Gives the final answer to the user."
    tools.append({"name": name, "description": description, "input_schema": schema})
    conversation.add_system(f"Give the final answer by calling the tool {name}.")
    return name


def _report_dropped(body: dict[str, Any], context: Context) -> None:
    for name, value in body.items():
        if value is None or name in _TRANSLATED or name in _PASSED_ON or value in _WITHOUT_EFFECT.get(name, ()):
            continue
        context.drop(name)
    for name in object_or_empty(body.get("stream_options")):
        if name != "include_usage":
            context.drop(f"stream_options.{name}")
