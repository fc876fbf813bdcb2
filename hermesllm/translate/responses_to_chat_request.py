"""Requests of the cell "Responses client, Chat Completions provider": everything but the conversation itself."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hermesllm.errors import InvalidRequest, Untranslatable
from hermesllm.reading import (
    invalid,
    object_or_empty,
    optional_list,
    optional_object,
    optional_text,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.reasoning import takes_reasoning_effort
from hermesllm.translate.base import Context
from hermesllm.translate.custom_tools import custom_function, input_schema
from hermesllm.translate.responses_object import Asked, echo_of
from hermesllm.translate.responses_to_chat_input import Target, read_input

_EMPTY_SCHEMA = {"type": "object", "properties": {}}
_SAME_NAME = ("temperature", "top_p", "metadata", "user", "service_tier", "modalities", "audio")
_OPENAIS_OWN = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier")
_TRANSLATED = frozenset(
    {
        "model", "input", "instructions", "stream", "stream_options", "max_output_tokens", "top_logprobs", "include",
        "tools", "tool_choice", "parallel_tool_calls", "reasoning", "reasoning_effort", "text", "store", *_SAME_NAME,
        *_OPENAIS_OWN,
    }
)  # fmt: skip
# What these say is what happens anyway.
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
}
_STATEFUL = {
    "previous_response_id": "Send the whole conversation as input items instead of previous_response_id.",
    "conversation": "Send the whole conversation as input items instead of a stored conversation.",
    "prompt": "Send the prompt's text as instructions and input.",
}
_LOGPROBS = "message.output_text.logprobs"
_SATISFIED = frozenset({"reasoning.encrypted_content", _LOGPROBS})
_MESSAGE = re.compile(r"messages\[(\d+)\]")
# Members by their Chat names, as translators behind the Chat shape report them.
_OWN_NAMES = {
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "verbosity": "text.verbosity",
    "logprobs": "top_logprobs",
    "web_search_options.search_context_size": "tools.search_context_size",
}


def to_chat(body: dict[str, Any], context: Context, target: Target) -> tuple[dict[str, Any], Asked]:
    """The Chat request of a Responses request. Raises InvalidRequest or Untranslatable."""
    _refuse_state(body)
    messages, locs = read_input(body, context, target)
    request: dict[str, Any] = {"model": context.model, "messages": messages}
    onward = target.thinking_blocks  # another translator reads it and knows what its provider takes
    if body.get("max_output_tokens") is not None:
        request["max_completion_tokens"] = body["max_output_tokens"]
    for name in _SAME_NAME:
        if body.get(name) is not None:
            request[name] = body[name]
    for name in _OPENAIS_OWN:
        if body.get(name) is None:
            continue
        if context.provider.developer_role or (onward and name == "safety_identifier"):
            request[name] = body[name]
        else:
            context.drop(name)
    if body.get("store") is True:
        request["store"] = True
    if body.get("stream") is not None:
        request["stream"] = body["stream"]
        if body["stream"] is True:
            request["stream_options"] = {"include_usage": True}
    tools = _Tools(context, onward=onward)
    tools.read(body, request)
    _reasoning(body, request, context, onward=onward)
    _text(body, request, context, onward=onward)
    _logprobs(body, request)
    _report_dropped(body, context)
    return request, Asked(frozenset(tools.custom), tools.namespaces, echo_of(body), tuple(locs))


@contextmanager
def own_names(context: Context, asked: Asked) -> Iterator[None]:
    """What a translator behind the Chat shape drops or refuses gets the names that the client knows."""
    start = len(context.dropped)

    def named(path: str) -> str:
        found = _MESSAGE.match(path)
        if found and int(found[1]) < len(asked.locs):
            return asked.locs[int(found[1])] + path[found.end() :]
        return _OWN_NAMES.get(path, path)

    try:
        yield
    except InvalidRequest as error:
        if error.param:
            error.message = error.message.replace(
                error.param.removesuffix(".type"), named(error.param).removesuffix(".type")
            )
            error.args = (error.message,)
            error.param = named(error.param)
        raise
    finally:
        names = (named(path) for path in context.dropped[start:] if path != "stream_options")
        context.dropped[start:] = dict.fromkeys(names)


def _refuse_state(body: dict[str, Any]) -> None:
    for name, remedy in _STATEFUL.items():
        if body.get(name) is not None:
            raise Untranslatable(f"{name}: this provider keeps no state between requests", param=name, remedy=remedy)
    if body.get("background") is True:
        raise Untranslatable(
            "background: this provider answers while the client waits",
            param="background",
            remedy="Leave out background.",
        )


class _Tools:
    """The tools of a request as Chat functions, and which of them were something else."""

    def __init__(self, context: Context, *, onward: bool) -> None:
        self.custom: list[str] = []
        self.namespaces: dict[str, str] = {}
        self._context = context
        self._onward = onward
        self._functions: list[dict[str, Any]] = []
        self._search: dict[str, Any] | None = None

    def read(self, body: dict[str, Any], request: dict[str, Any]) -> None:
        for index, value in enumerate(optional_list(body.get("tools"), "tools")):
            loc = f"tools[{index}]"
            self._tool(required_object(value, loc), loc, f"custom_tool_{index + 1}")
        if self._search is not None:
            request["web_search_options"] = self._search
        choice = body.get("tool_choice")
        if not self._functions:
            if choice not in (None, "auto", "none"):
                self._context.drop("tool_choice")
            return
        request["tools"] = self._functions
        if choice is not None:
            wanted = self._choice(choice, request)
            if wanted is not None:
                request["tool_choice"] = wanted
        if body.get("parallel_tool_calls") is not None:
            request["parallel_tool_calls"] = body["parallel_tool_calls"]

    def _tool(self, tool: dict[str, Any], loc: str, default_name: str) -> None:
        kind = required_text(tool.get("type"), f"{loc}.type")
        if kind == "function":
            self._functions.append(self._function(tool, loc))
        elif kind == "custom":
            self._functions.append(self._custom(tool, loc, default_name))
        elif kind == "namespace":
            self._namespace(tool, loc)
        elif kind.startswith("web_search"):
            self._web_search(tool, loc)
        else:
            raise Untranslatable(
                f"{loc}: OpenAI runs this kind of tool itself; it is not supported for provider "
                f"{self._context.provider.id}. Only function, custom and web search tools are.",
                param=f"{loc}.type",
                remedy="Leave out the tool, declare it as a function, or use a model of OpenAI.",
            )

    def _function(self, tool: dict[str, Any], loc: str) -> dict[str, Any]:
        function: dict[str, Any] = {"name": required_text(tool.get("name"), f"{loc}.name")}
        if tool.get("description") is not None:
            function["description"] = required_text(tool["description"], f"{loc}.description")
        schema = optional_object(tool.get("parameters"), f"{loc}.parameters")
        function["parameters"] = {**_EMPTY_SCHEMA, **schema, "type": "object"}
        if tool.get("strict") is not None:
            function["strict"] = tool["strict"]
        for name, value in tool.items():
            if value is not None and name not in ("type", "name", "description", "parameters", "strict"):
                self._context.drop(f"{loc}.{name}")
        return {"type": "function", "function": function}

    def _custom(self, tool: dict[str, Any], loc: str, default_name: str) -> dict[str, Any]:
        name = optional_text(tool.get("name"), f"{loc}.name") or default_name
        self.custom.append(name)
        if self._onward:
            return {"type": "function", "function": {**custom_function(name, tool, loc), "strict": False}}
        parameters = input_schema()
        if tool.get("format") is not None:
            parameters["x-custom-format"] = required_object(tool["format"], f"{loc}.format")
        function: dict[str, Any] = {"name": name}
        if tool.get("description") is not None:
            function["description"] = required_text(tool["description"], f"{loc}.description")
        return {"type": "function", "function": {**function, "parameters": parameters, "strict": False}}

    def _namespace(self, tool: dict[str, Any], loc: str) -> None:
        space = required_text(tool.get("name"), f"{loc}.name")
        for index, value in enumerate(optional_list(tool.get("tools"), f"{loc}.tools")):
            where = f"{loc}.tools[{index}]"
            member = required_object(value, where)
            if member.get("type") not in ("function", "custom"):
                raise invalid(f"{where}.type", "expected 'function' or 'custom'")
            outer = loc.removeprefix("tools[").removesuffix("]")
            before = len(self._functions)
            self._tool(member, where, f"custom_tool_{outer}_{index}")
            for made in self._functions[before:]:
                self.namespaces[made["function"]["name"]] = space

    def _web_search(self, tool: dict[str, Any], loc: str) -> None:
        context = self._context
        searches = "search" in context.model or "sonar" in context.model
        if not self._onward and (not searches or "web_search_options" in context.provider.drops):
            context.drop(loc)  # Chat has search only in models made for it
            return
        if self._search is not None:
            context.drop(loc)
            return
        self._search = {}
        if tool.get("search_context_size") is not None:
            self._search["search_context_size"] = tool["search_context_size"]
        place = object_or_empty(tool.get("user_location"))
        known = {name: place[name] for name in ("city", "country", "region", "timezone") if place.get(name) is not None}
        if known:
            kind = text_or_empty(place.get("type")) or "approximate"
            self._search["user_location"] = {"type": kind, "approximate": known}
        for name, value in tool.items():
            if value is not None and name not in ("type", "search_context_size", "user_location"):
                context.drop(f"{loc}.{name}")

    def _choice(self, choice: Any, request: dict[str, Any]) -> Any:
        if isinstance(choice, str):
            if choice not in ("auto", "required", "none"):
                raise invalid("tool_choice", "expected 'auto', 'required', 'none' or a tool")
            return choice
        choice = required_object(choice, "tool_choice")
        kind = choice.get("type")
        if kind in ("function", "custom"):
            named = object_or_empty(choice.get("function")) or choice
            name = required_text(named.get("name"), "tool_choice.name")
            return {"type": "function", "function": {"name": name}}
        if kind == "allowed_tools":
            return self._allowed(choice, request)
        self._context.drop("tool_choice")  # one of OpenAI's own tools
        return None

    def _allowed(self, choice: dict[str, Any], request: dict[str, Any]) -> Any:
        """Chat servers other than OpenAI's know no `allowed_tools`: the others are left out instead."""
        names = [
            required_text(required_object(tool, f"tool_choice.tools[{index}]").get("name"), "tool_choice.tools.name")
            for index, tool in enumerate(optional_list(choice.get("tools"), "tool_choice.tools"))
        ]
        allowed = [tool for tool in self._functions if tool["function"]["name"] in names]
        if not allowed:
            raise invalid("tool_choice.tools", "names none of the tools")
        request["tools"] = allowed
        return "required" if choice.get("mode") == "required" else "auto"


def _reasoning(body: dict[str, Any], request: dict[str, Any], context: Context, *, onward: bool) -> None:
    wanted = optional_object(body.get("reasoning"), "reasoning")
    effort = optional_text(wanted.get("effort") or body.get("reasoning_effort"), "reasoning.effort")
    if not effort:
        return
    if onward or takes_reasoning_effort(context.model):
        request["reasoning_effort"] = effort
        if wanted.get("summary") is not None and not onward:
            context.drop("reasoning.summary")  # a Chat provider shows its reasoning or does not
    else:
        context.drop("reasoning.effort")


def _text(body: dict[str, Any], request: dict[str, Any], context: Context, *, onward: bool) -> None:
    text = optional_object(body.get("text"), "text")
    wanted = optional_object(text.get("format"), "text.format")
    kind = wanted.get("type", "text")
    if kind == "json_schema":
        declared = object_or_empty(wanted.get("json_schema")) or wanted  # nested, as in Chat, or flat
        schema: dict[str, Any] = {"name": optional_text(declared.get("name"), "text.format.name") or "answer"}
        for name in ("description", "strict"):
            if declared.get(name) is not None:
                schema[name] = declared[name]
        schema["schema"] = required_object(declared.get("schema"), "text.format.schema")
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif kind == "json_object":
        request["response_format"] = {"type": "json_object"}
    elif kind != "text":
        raise invalid("text.format.type", "expected 'text', 'json_object' or 'json_schema'")
    if text.get("verbosity") is not None:
        if "gpt-5" in context.model and not onward:
            request["verbosity"] = text["verbosity"]
        else:
            context.drop("text.verbosity")


def _logprobs(body: dict[str, Any], request: dict[str, Any]) -> None:
    if body.get("top_logprobs") or _LOGPROBS in optional_list(body.get("include"), "include"):
        request["logprobs"] = True
        if body.get("top_logprobs"):
            request["top_logprobs"] = body["top_logprobs"]


def _report_dropped(body: dict[str, Any], context: Context) -> None:
    for index, name in enumerate(optional_list(body.get("include"), "include")):
        if not isinstance(name, str) or name not in _SATISFIED:
            context.drop(f"include[{index}]")
    for name, value in body.items():
        if value is None or value == [] or name in _TRANSLATED or value in _WITHOUT_EFFECT.get(name, ()):
            continue
        context.drop(name)
