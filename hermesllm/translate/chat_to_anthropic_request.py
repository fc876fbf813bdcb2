"""Requests of the cell "Chat Completions client, Messages provider": everything but the conversation itself."""

import re
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
from hermesllm.reasoning import EFFORTS, budget_of, chat_effort, is_off
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_anthropic_messages import Conversation, read_conversation

DEFAULT_MAX_TOKENS = 4096  # the member is required by Anthropic, optional for OpenAI
_EMPTY_SCHEMA = {"type": "object", "properties": {}}
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
    tools = _tools(body, context)
    choice = _tool_choice(body, tools)
    answer_tool = _response_format(body, request, conversation, tools, context)
    if answer_tool and choice in (None, {"type": "auto"}):
        choice = {"type": "any"} if len(tools) > 1 else {"type": "tool", "name": answer_tool}
    if not tools and conversation.tool_names:
        # Anthropic refuses a history of tool calls in a request that declares none.
        tools = [{"name": name, "input_schema": _EMPTY_SCHEMA} for name in conversation.tool_names]
        choice = {"type": "none"}
    if tools:
        request["tools"] = tools
        _parallel(body, choice, request)
    if conversation.system:
        request["system"] = conversation.system_prompt()
    request["max_tokens"] = body.get("max_completion_tokens") or body.get("max_tokens") or DEFAULT_MAX_TOKENS
    _plain_members(body, request, context)
    _reasoning(body, request, conversation, context)
    _sampling(body, request, context)
    _report_dropped(body, context)
    include_usage = optional_object(body.get("stream_options"), "stream_options").get("include_usage") is True
    return request, Asked(include_usage, answer_tool, legacy_functions="functions" in body and "tools" not in body)


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


def _tools(body: dict[str, Any], context: Context) -> list[dict[str, Any]]:
    tools = []
    for index, tool in enumerate(optional_list(body.get("tools"), "tools")):
        tools.append(_tool(required_object(tool, f"tools[{index}]"), f"tools[{index}]"))
    for index, function in enumerate(optional_list(body.get("functions"), "functions")):
        function = required_object(function, f"functions[{index}]")
        declared = function if isinstance(function.get("function"), dict) else {"function": function}
        tools.append(_tool(declared, f"functions[{index}]"))
    choice = object_or_empty(body.get("tool_choice"))
    if choice.get("type") == "allowed_tools":
        allowed = _allowed_names(choice)
        tools = [tool for tool in tools if tool.get("name") in allowed]
    if body.get("web_search_options") is not None:
        tools.append(_web_search(body, context))
    return tools


def _tool(tool: dict[str, Any], loc: str) -> dict[str, Any]:
    kind = tool.get("type", "function")
    if kind != "function" or "input_schema" in tool:
        if kind == "custom" and "input_schema" not in tool:
            raise Untranslatable(
                f"{loc}: custom tools have no counterpart in the Messages API",
                param=f"{loc}.type",
                remedy="Declare the tool as a function.",
            )
        return tool  # a tool of the Messages API itself, such as Anthropic's web search
    function = required_object(tool.get("function"), f"{loc}.function")
    schema = optional_object(function.get("parameters"), f"{loc}.function.parameters")
    translated: dict[str, Any] = {"name": required_text(function.get("name"), f"{loc}.function.name")}
    if function.get("description") is not None:
        translated["description"] = function["description"]
    translated["input_schema"] = {**_EMPTY_SCHEMA, **schema, "type": "object"} if "type" not in schema else schema
    if isinstance(function.get("strict"), bool) and function["strict"]:
        translated["strict"] = True
    cache_control = tool.get("cache_control") or function.get("cache_control")
    if cache_control is not None:
        translated["cache_control"] = cache_control
    return translated


def _web_search(body: dict[str, Any], context: Context) -> dict[str, Any]:
    options = optional_object(body["web_search_options"], "web_search_options")
    tool: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
    place = object_or_empty(object_or_empty(options.get("user_location")).get("approximate"))
    if place:
        tool["user_location"] = {"type": "approximate", **place}
    if options.get("search_context_size") is not None:
        context.drop("web_search_options.search_context_size")
    return tool


def _allowed_names(choice: dict[str, Any]) -> list[str]:
    allowed = optional_object(choice.get("allowed_tools"), "tool_choice.allowed_tools")
    names = []
    for index, tool in enumerate(optional_list(allowed.get("tools"), "tool_choice.allowed_tools.tools")):
        loc = f"tool_choice.allowed_tools.tools[{index}]"
        function = optional_object(required_object(tool, loc).get("function"), f"{loc}.function")
        names.append(required_text(function.get("name"), f"{loc}.function.name"))
    return names


_CHOICES = {"auto": "auto", "required": "any", "any": "any", "none": "none"}


def _tool_choice(body: dict[str, Any], tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    choice = body.get("tool_choice")
    loc = "tool_choice"
    if choice is None and body.get("function_call") is not None:
        choice, loc = body["function_call"], "function_call"
        if isinstance(choice, dict):
            choice = {"type": "function", "function": choice}
    if choice is None or not tools:
        return None
    if isinstance(choice, dict):
        kind = choice.get("type", "function")
        if kind == "function":
            function = required_object(choice.get("function"), f"{loc}.function")
            return {"type": "tool", "name": required_text(function.get("name"), f"{loc}.function.name")}
        if kind == "allowed_tools":
            choice = object_or_empty(choice.get("allowed_tools")).get("mode", "auto")
        elif kind in ("auto", "any", "none", "tool"):
            return dict(choice)  # already in the words of the Messages API
        else:
            raise invalid(f"{loc}.type", "expected 'function' or 'allowed_tools'")
    if not isinstance(choice, str) or choice not in _CHOICES:
        raise invalid(loc, "expected 'auto', 'required', 'none' or a function")
    return {"type": _CHOICES[choice]}


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
    name = _free_name(text_or_empty(declared.get("name")) or "answer", [tool.get("name") for tool in tools])
    description = text_or_empty(declared.get("description")) or "Gives the final answer to the user."
    tools.append({"name": name, "description": description, "input_schema": schema})
    conversation.add_system(f"Give the final answer by calling the tool {name}.")
    return name


def _free_name(wanted: str, taken: list[Any]) -> str:
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", wanted)[:60]
    while name in taken:
        name += "_"
    return name


def _reasoning(body: dict[str, Any], request: dict[str, Any], conversation: Conversation, context: Context) -> None:
    effort, budget = chat_effort(body)
    if "thinking" in request or (effort is None and budget is None):
        return
    if effort is not None and effort not in EFFORTS:
        raise invalid("reasoning_effort", f"expected one of {', '.join(EFFORTS)}")
    model = claude_model(context.model)
    if not model.thinks:
        _drop_reasoning(body, context)
        return
    if effort is not None and is_off(effort):
        if model.thinking_can_be_off:
            request["thinking"] = {"type": "disabled"}
        elif nearest := model.effort("low"):
            _output_config(request)["effort"] = nearest
        return
    if effort is not None and (nearest := model.effort(effort)):
        _output_config(request)["effort"] = nearest
    if model.adaptive_thinking:
        if model.thinking_can_be_off:
            request["thinking"] = {"type": "adaptive"}
        return
    if conversation.open_call_without_thinking:
        # Anthropic wants the thinking in front of a tool call back; a client that lost it cannot go on thinking.
        _drop_reasoning(body, context)
        return
    tokens = budget or budget_of(effort or "medium")
    request["thinking"] = {"type": "enabled", "budget_tokens": tokens}
    if isinstance(request["max_tokens"], int) and request["max_tokens"] <= tokens:
        request["max_tokens"] += tokens


def _drop_reasoning(body: dict[str, Any], context: Context) -> None:
    context.drop("reasoning_effort" if body.get("reasoning_effort") is not None else "reasoning")


def _output_config(request: dict[str, Any]) -> dict[str, Any]:
    config = request["output_config"] = dict(object_or_empty(request.get("output_config")))
    return config


def _sampling(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    """Temperature and its kin, as far as the model takes them; none of them together with thinking."""
    wanted = {name: body[name] for name in ("temperature", "top_p", "top_k") if body.get(name) is not None}
    temperature = wanted.get("temperature")
    if isinstance(temperature, int | float):
        wanted["temperature"] = min(max(temperature, 0), 1)
    thinking = object_or_empty(request.get("thinking")).get("type") in ("enabled", "adaptive")
    model = claude_model(context.model)
    refused = set()
    if not model.sampling:
        refused = {"temperature", "top_p", "top_k"}
    elif thinking:
        refused = {"top_k", *(() if wanted.get("temperature") == 1 else ("temperature",)), "top_p"}
    elif model.one_of_temperature_and_top_p and "temperature" in wanted:
        refused = {"top_p"}
    for name, value in wanted.items():
        if name in refused:
            context.drop(name)
        else:
            request[name] = value
    choice = request.get("tool_choice")
    if thinking and isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        request["tool_choice"] = {name: value for name, value in choice.items() if name != "name"} | {"type": "auto"}
        if body.get("tool_choice") is not None:
            context.drop("tool_choice")


def _report_dropped(body: dict[str, Any], context: Context) -> None:
    for name, value in body.items():
        if value is None or name in _TRANSLATED or name in _PASSED_ON or value in _WITHOUT_EFFECT.get(name, ()):
            continue
        context.drop(name)
    for name in object_or_empty(body.get("stream_options")):
        if name != "include_usage":
            context.drop(f"stream_options.{name}")
