"""Requests of the cell "Chat Completions client, Responses provider": everything but the conversation itself.

The Messages cell uses it too, for the members that both translate alike.
"""

import re
from dataclasses import dataclass
from typing import Any

from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    count_or_none,
    invalid,
    object_or_empty,
    optional_list,
    optional_object,
    optional_text,
    required_object,
    required_text,
)
from hermesllm.reasoning import EFFORTS, chat_effort, effort_of_budget, takes_reasoning_effort
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_responses_input import read_messages

_SAME_NAME = (
    "temperature", "top_p", "stream", "metadata", "user", "service_tier", "parallel_tool_calls", "prompt_cache_key",
    "prompt_cache_retention", "safety_identifier", "truncation", "include",
)  # fmt: skip
_TRANSLATED = frozenset(
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "functions",
        "function_call", "reasoning_effort", "reasoning", "response_format", "verbosity", "logprobs", "top_logprobs",
        "store", "n", "web_search_options", "stream_options", *_SAME_NAME,
    }
)  # fmt: skip
# What these say is what happens anyway.
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
}
_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_LEAST_OUTPUT = 16  # tokens; the Responses API refuses a smaller limit
_REASONS_NOT = re.compile(r"gpt-5[^/]*-chat")


@dataclass(frozen=True, slots=True)
class ChatAsked:
    """What the answer has to heed of a Chat request."""

    include_usage: bool = False
    legacy_functions: bool = False


def to_responses(body: dict[str, Any], context: Context) -> tuple[dict[str, Any], ChatAsked]:
    """The Responses request of a Chat request. Raises InvalidRequest or Untranslatable."""
    if (count_or_none(body.get("n")) or 1) > 1:
        raise Untranslatable(
            "n: a Responses provider gives one answer per request",
            param="n",
            remedy="Leave out n, or send several requests.",
        )
    instructions, items = read_messages(body, context)
    request: dict[str, Any] = {"model": context.model}
    if instructions:
        request["instructions"] = instructions
    request["input"] = items
    translate_settings(body, request, context)
    _report_dropped(body, context)
    options = optional_object(body.get("stream_options"), "stream_options")
    legacy = "functions" in body and "tools" not in body
    return request, ChatAsked(options.get("include_usage") is True, legacy)


def translate_settings(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    """Everything of a Chat request but its messages."""
    for name in _SAME_NAME:
        if body.get(name) is not None:
            request[name] = body[name]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None:
        request["max_output_tokens"] = max(limit, _LEAST_OUTPUT) if isinstance(limit, int) else limit
    request["store"] = body.get("store") is True  # Chat stores nothing unless asked to, Responses everything
    _tools(body, request, context)
    _reasoning(body, request, context)
    _text(body, request)
    if body.get("logprobs") is True:
        _include(request, _LOGPROBS)
        if body.get("top_logprobs") is not None:
            request["top_logprobs"] = body["top_logprobs"]
    if takes_reasoning_effort(context.model) and not _REASONS_NOT.search(context.model):
        _include(request, _ENCRYPTED)


def _include(request: dict[str, Any], name: str) -> None:
    included = optional_list(request.get("include"), "include")
    if name not in included:
        request["include"] = [*included, name]


def _tools(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    tools = []
    for index, value in enumerate(optional_list(body.get("tools"), "tools")):
        tools.append(_tool(required_object(value, f"tools[{index}]"), f"tools[{index}]", context))
    for index, value in enumerate(optional_list(body.get("functions"), "functions")):
        function = required_object(value, f"functions[{index}]")
        tools.append(_tool({"function": function}, f"functions[{index}]", context))
    if body.get("web_search_options") is not None:
        tools.append(_web_search(optional_object(body["web_search_options"], "web_search_options")))
    if not tools:
        request.pop("parallel_tool_calls", None)
        return
    request["tools"] = tools
    choice = body.get("tool_choice")
    if choice is None and body.get("function_call") is not None:
        choice = body["function_call"]
        if isinstance(choice, dict):
            choice = {"type": "function", "function": choice}
    if choice is not None:
        request["tool_choice"] = _choice(choice)


def _tool(tool: dict[str, Any], loc: str, context: Context) -> dict[str, Any]:
    kind = tool.get("type", "function")
    if kind == "custom":
        custom = required_object(tool.get("custom"), f"{loc}.custom")
        flat: dict[str, Any] = {"type": "custom", "name": required_text(custom.get("name"), f"{loc}.custom.name")}
        if custom.get("description") is not None:
            flat["description"] = custom["description"]
        if custom.get("format") is not None:
            flat["format"] = _custom_format(required_object(custom["format"], f"{loc}.custom.format"))
        return flat
    if kind != "function":
        return tool  # a tool of the Responses API itself, such as its web search
    function = required_object(tool.get("function"), f"{loc}.function")
    name = required_text(function.get("name"), f"{loc}.function.name")
    flat = {"type": "function", "name": name}
    if function.get("description") is not None:
        flat["description"] = function["description"]
    flat["parameters"] = optional_object(function.get("parameters"), f"{loc}.function.parameters") or None
    # Responses would make an absent `strict` true, and refuse schemas that Chat takes.
    flat["strict"] = function.get("strict") is True
    for member, value in tool.items():
        if member not in ("type", "function") and value is not None:
            context.drop(f"{loc}.{member}")
    return flat


def _custom_format(declared: dict[str, Any]) -> dict[str, Any]:
    grammar = declared.get("grammar")
    return {"type": "grammar", **grammar} if isinstance(grammar, dict) else declared


def _web_search(options: dict[str, Any]) -> dict[str, Any]:
    tool: dict[str, Any] = {"type": "web_search"}
    if options.get("search_context_size") is not None:
        tool["search_context_size"] = options["search_context_size"]
    place = object_or_empty(object_or_empty(options.get("user_location")).get("approximate"))
    if place:
        tool["user_location"] = {**place, "type": "approximate"}
    return tool


def _choice(choice: Any) -> Any:
    if isinstance(choice, str):
        if choice not in ("auto", "required", "none"):
            raise invalid("tool_choice", "expected 'auto', 'required', 'none' or a tool")
        return choice
    choice = required_object(choice, "tool_choice")
    kind = choice.get("type", "function")
    if kind in ("function", "custom"):
        named = required_object(choice.get(kind), f"tool_choice.{kind}")
        return {"type": kind, "name": required_text(named.get("name"), f"tool_choice.{kind}.name")}
    if kind == "allowed_tools":
        allowed = required_object(choice.get("allowed_tools"), "tool_choice.allowed_tools")
        tools = optional_list(allowed.get("tools"), "tool_choice.allowed_tools.tools")
        return {
            "type": "allowed_tools",
            "mode": allowed.get("mode", "auto"),
            "tools": [_choice(tool) for tool in tools],
        }
    raise invalid("tool_choice.type", "expected 'function', 'custom' or 'allowed_tools'")


def _reasoning(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    effort, budget = chat_effort(body)
    if effort is None and budget is not None:
        effort = effort_of_budget(budget)
    if effort is None:
        return
    if effort not in EFFORTS:
        raise invalid("reasoning_effort", f"expected one of {', '.join(EFFORTS)}")
    if takes_reasoning_effort(context.model):
        request["reasoning"] = {"effort": effort}
        if effort not in ("none", "minimal"):
            request["reasoning"]["summary"] = "auto"  # otherwise the client would see nothing of it
    else:
        context.drop("reasoning_effort" if body.get("reasoning_effort") is not None else "reasoning")


def _text(body: dict[str, Any], request: dict[str, Any]) -> None:
    text: dict[str, Any] = {}
    wanted = optional_object(body.get("response_format"), "response_format")
    kind = wanted.get("type", "text")
    if kind == "json_schema":
        declared = required_object(wanted.get("json_schema"), "response_format.json_schema")
        schema = required_object(declared.get("schema"), "response_format.json_schema.schema")
        name = optional_text(declared.get("name"), "response_format.json_schema.name") or "answer"
        text["format"] = {"type": "json_schema", "name": name, "schema": schema}
        for member in ("description", "strict"):
            if declared.get(member) is not None:
                text["format"][member] = declared[member]
    elif kind == "json_object":
        text["format"] = {"type": "json_object"}
    elif kind != "text":
        raise invalid("response_format.type", "expected 'text', 'json_object' or 'json_schema'")
    if body.get("verbosity") is not None:
        text["verbosity"] = body["verbosity"]
    if text:
        request["text"] = text


def _report_dropped(body: dict[str, Any], context: Context) -> None:
    for name, value in body.items():
        if value is None or value == [] or name in _TRANSLATED or value in _WITHOUT_EFFECT.get(name, ()):
            continue
        context.drop(name)
    for name in object_or_empty(body.get("stream_options")):
        if name not in ("include_usage", "include_obfuscation"):
            context.drop(f"stream_options.{name}")
