"""Requests of the cell "Messages client, Chat Completions provider": everything but the conversation itself."""

import hashlib
import re
from typing import Any

from hermesllm.reading import (
    invalid,
    object_or_empty,
    optional_list,
    optional_object,
    required_object,
    required_text,
)
from hermesllm.reasoning import anthropic_effort, takes_reasoning_effort
from hermesllm.translate.anthropic_to_chat_messages import read_messages
from hermesllm.translate.base import Context

_USER_LIMIT = 64  # characters OpenAI takes in `user`; Claude Code's ids are longer
_EMPTY_SCHEMA = {"type": "object", "properties": {}}

_TRANSLATED = frozenset(
    {
        "model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stream", "stop_sequences",
        "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "service_tier",
    }
)  # fmt: skip
_SEARCHING_MODELS = re.compile(r"search|sonar")


def to_chat(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """The Chat request of a Messages request. Raises InvalidRequest or Untranslatable."""
    return {"model": context.model, "messages": read_messages(body, context), **chat_settings(body, context)}


def chat_settings(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """Everything of the Chat request but model and messages. Raises InvalidRequest or Untranslatable."""
    request: dict[str, Any] = {}
    if body.get("max_tokens") is not None:
        request["max_completion_tokens"] = body["max_tokens"]
    for name in ("temperature", "top_p", "stream"):
        if body.get(name) is not None:
            request[name] = body[name]
    if body.get("stream") is True:
        request["stream_options"] = {"include_usage": True}
    _stop(body, request, context)
    _tools(body, request, context)
    _reasoning(body, request, context)
    _structured_output(body, request)
    _identity(body, request, context)
    if body.get("top_k") is not None:
        if context.provider.top_k:
            request["top_k"] = body["top_k"]
        else:
            context.drop("top_k")
    for name, value in body.items():
        if value is not None and value != [] and name not in _TRANSLATED:
            context.drop(name)
    return request


def _stop(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    sequences = optional_list(body.get("stop_sequences"), "stop_sequences")
    for index, text in enumerate(sequences):
        required_text(text, f"stop_sequences[{index}]")
    limit = context.provider.stop_limit
    if sequences:
        request["stop"] = sequences[:limit]
    for index in range(limit, len(sequences)):
        context.drop(f"stop_sequences[{index}]")


def _tools(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    tools = []
    for index, value in enumerate(optional_list(body.get("tools"), "tools")):
        loc = f"tools[{index}]"
        tool = required_object(value, loc)
        kind = tool.get("type")
        if kind in (None, "custom"):
            tools.append(_tool(tool, loc, context))
        elif isinstance(kind, str) and kind.startswith("web_search") and _searches(context):
            request["web_search_options"] = _web_search_options(tool)
        else:
            context.drop(loc)
    choice = optional_object(body.get("tool_choice"), "tool_choice")
    if not tools:
        if choice and choice.get("type") != "auto":
            context.drop("tool_choice")
        return
    request["tools"] = tools
    if choice:
        request["tool_choice"] = _tool_choice(choice, tools, context)
    parallel = choice.get("disable_parallel_tool_use")
    if isinstance(parallel, bool):
        request["parallel_tool_calls"] = not parallel


def _tool(tool: dict[str, Any], loc: str, context: Context) -> dict[str, Any]:
    function: dict[str, Any] = {"name": required_text(tool.get("name"), f"{loc}.name")}
    if tool.get("description") is not None:
        function["description"] = tool["description"]
    schema = optional_object(tool.get("input_schema"), f"{loc}.input_schema")
    function["parameters"] = schema if "type" in schema else {**_EMPTY_SCHEMA, **schema}
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    for name, value in tool.items():
        if name not in ("type", "name", "description", "input_schema", "strict") and value is not None:
            context.drop(f"{loc}.{name}")
    return {"type": "function", "function": function}


def _searches(context: Context) -> bool:
    return "web_search_options" not in context.provider.drops and _SEARCHING_MODELS.search(context.model) is not None


def _web_search_options(tool: dict[str, Any]) -> dict[str, Any]:
    place = {name: value for name, value in object_or_empty(tool.get("user_location")).items() if name != "type"}
    return {"user_location": {"type": "approximate", "approximate": place}} if place else {}


def _tool_choice(choice: dict[str, Any], tools: list[dict[str, Any]], context: Context) -> Any:
    kind = choice.get("type")
    if kind == "tool":
        name = choice.get("name")
        if any(tool["function"]["name"] == name for tool in tools):
            return {"type": "function", "function": {"name": name}}
        if name is not None:
            context.drop("tool_choice.name")
        return "auto"
    words = {"auto": "auto", "any": "required", "none": "none"}
    if not isinstance(kind, str) or kind not in words:
        raise invalid("tool_choice.type", "expected 'auto', 'any', 'tool' or 'none'")
    return words[kind]


def _reasoning(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    optional_object(body.get("thinking"), "thinking")
    effort = anthropic_effort(body)
    if effort is None or (effort == "none" and body.get("output_config") is None):
        return  # thinking is off anyway unless asked for
    if takes_reasoning_effort(context.model) and effort != "none":
        request["reasoning_effort"] = effort
    elif effort != "none":
        context.drop("thinking" if body.get("thinking") is not None else "output_config.effort")


def _structured_output(body: dict[str, Any], request: dict[str, Any]) -> None:
    config = optional_object(body.get("output_config"), "output_config")
    wanted = optional_object(config.get("format") or body.get("output_format"), "output_config.format")
    if wanted.get("type") == "json_schema":
        schema = required_object(wanted.get("schema"), "output_config.format.schema")
        request["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _identity(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    metadata = optional_object(body.get("metadata"), "metadata")
    user = metadata.get("user_id")
    if isinstance(user, str) and user:
        too_long = len(user) > _USER_LIMIT
        request["user"] = hashlib.sha256(user.encode()).hexdigest() if too_long else user
    for name in metadata:
        if name != "user_id":
            context.drop(f"metadata.{name}")
    tier = body.get("service_tier")
    if tier in ("auto", "standard_only"):
        request["service_tier"] = "auto" if tier == "auto" else "default"
    elif tier is not None:
        context.drop("service_tier")
