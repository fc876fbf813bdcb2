"""What a Chat request asks for in the words of the Messages API: tools, tool choice, thinking, sampling.

For the providers that speak to Claude: Anthropic itself and Amazon Bedrock.
"""

import re
from typing import Any

from hermesllm.claude_models import claude_model
from hermesllm.reading import (
    invalid,
    object_or_empty,
    optional_list,
    optional_object,
    required_object,
    required_text,
)
from hermesllm.reasoning import EFFORTS, budget_of, chat_effort, is_off
from hermesllm.translate.base import Context
from hermesllm.translate.custom_tools import chat_function, chosen_name, is_custom

EMPTY_SCHEMA = {"type": "object", "properties": {}}


def chat_tools(body: dict[str, Any], context: Context) -> list[dict[str, Any]]:
    """The tools, functions of the old kind and web search included; with `allowed_tools` only these."""
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
    if (tool.get("type", "function") != "function" and not is_custom(tool)) or "input_schema" in tool:
        return tool  # a tool of the Messages API itself, such as Anthropic's web search
    function = chat_function(tool, loc)
    schema = optional_object(function.get("parameters"), f"{loc}.function.parameters")
    translated: dict[str, Any] = {"name": required_text(function.get("name"), f"{loc}.function.name")}
    if function.get("description") is not None:
        translated["description"] = function["description"]
    translated["input_schema"] = {**EMPTY_SCHEMA, **schema, "type": "object"} if "type" not in schema else schema
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
        names.append(chosen_name(required_object(tool, loc), loc))
    return names


_CHOICES = {"auto": "auto", "required": "any", "any": "any", "none": "none"}


def chat_tool_choice(body: dict[str, Any], tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The tool choice; None where the request leaves it open or has no tools."""
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
        if kind in ("function", "custom"):
            return {"type": "tool", "name": chosen_name(choice, loc)}
        if kind == "allowed_tools":
            choice = object_or_empty(choice.get("allowed_tools")).get("mode", "auto")
        elif kind in ("auto", "any", "none", "tool"):
            return dict(choice)  # already in the words of the Messages API
        else:
            raise invalid(f"{loc}.type", "expected 'function', 'custom' or 'allowed_tools'")
    if not isinstance(choice, str) or choice not in _CHOICES:
        raise invalid(loc, "expected 'auto', 'required', 'none' or a function")
    return {"type": _CHOICES[choice]}


def free_name(wanted: str, taken: list[Any]) -> str:
    """`wanted` as a tool name that is not yet taken."""
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", wanted)[:60]
    while name in taken:
        name += "_"
    return name


def ask_for_reasoning(body: dict[str, Any], request: dict[str, Any], context: Context, *, may_think: bool) -> None:
    """Effort or budget as the model takes it. `may_think` is False where thinking that must come back is lost."""
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
    if not may_think:
        # Anthropic wants the thinking in front of a tool call back; a client that lost it cannot go on thinking.
        _drop_reasoning(body, context)
        return
    tokens = budget or budget_of(effort or "medium")
    request["thinking"] = {"type": "enabled", "budget_tokens": tokens}
    if isinstance(request.get("max_tokens"), int) and request["max_tokens"] <= tokens:
        request["max_tokens"] += tokens


def _drop_reasoning(body: dict[str, Any], context: Context) -> None:
    context.drop("reasoning_effort" if body.get("reasoning_effort") is not None else "reasoning")


def _output_config(request: dict[str, Any]) -> dict[str, Any]:
    config = request["output_config"] = dict(object_or_empty(request.get("output_config")))
    return config


def ask_for_sampling(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
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
