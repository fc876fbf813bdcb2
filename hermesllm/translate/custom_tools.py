"""OpenAI's custom tools, whose input is free text, as functions with one string: for providers without such tools."""

from typing import Any

import orjson

from hermesllm.reading import object_or_empty, objects_in, optional_text, required_object, required_text, text_or_empty


def custom_function(name: str, tool: dict[str, Any], loc: str) -> dict[str, Any]:
    """The Chat function that stands in for a custom tool; a grammar of its input becomes part of the description.

    `tool` has the members of a custom tool in either API. Raises InvalidRequest.
    """
    function: dict[str, Any] = {"name": name}
    lines = [optional_text(tool.get("description"), f"{loc}.description")]
    if tool.get("format") is not None:
        lines.append(_rule(required_object(tool["format"], f"{loc}.format")))
    description = "\n\n".join(line for line in lines if line)
    if description:
        function["description"] = description
    function["parameters"] = input_schema()
    return function


def input_schema() -> dict[str, Any]:
    """The parameters of a function that stands in for a custom tool."""
    return {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": True,
    }


def _rule(declared: dict[str, Any]) -> str:
    grammar = object_or_empty(declared.get("grammar")) or declared  # nested in Chat, flat in Responses
    definition = text_or_empty(grammar.get("definition"))
    if not definition:
        return ""
    syntax = text_or_empty(grammar.get("syntax"))
    return f"The text in `input` must match this {f'{syntax} ' if syntax else ''}grammar:\n{definition}"


def chat_function(tool: dict[str, Any], loc: str) -> dict[str, Any]:
    """The function that a tool of a Chat request declares. Raises InvalidRequest."""
    if is_custom(tool):
        custom = required_object(tool.get("custom"), f"{loc}.custom")
        return custom_function(required_text(custom.get("name"), f"{loc}.custom.name"), custom, f"{loc}.custom")
    return required_object(tool.get("function"), f"{loc}.function")


def chosen_name(choice: dict[str, Any], loc: str) -> str:
    """The tool that a `tool_choice` of a Chat request, or an entry of its allowed tools, names."""
    kind = "custom" if choice.get("type") == "custom" else "function"
    return required_text(required_object(choice.get(kind), f"{loc}.{kind}").get("name"), f"{loc}.{kind}.name")


def is_custom(tool: dict[str, Any]) -> bool:
    """Whether a tool of a Chat request is a custom tool of OpenAI."""
    return tool.get("type") == "custom" and "input_schema" not in tool  # which one of Anthropic's has


def custom_names(body: dict[str, Any]) -> frozenset[str]:
    """The names of the custom tools of a Chat request whose tools were found valid."""
    return frozenset(tool["custom"]["name"] for tool in objects_in(body.get("tools")) if is_custom(tool))


def custom_input(arguments: str) -> str:
    """The input of a custom tool out of the arguments of the function that stands in for it."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments  # the model ignored the schema: what it wrote is all there is
    found = value.get("input") if isinstance(value, dict) else None
    return found if isinstance(found, str) else arguments


def chat_call(call_id: str, name: str, arguments: str, custom: frozenset[str]) -> dict[str, Any]:
    """A Chat tool call, of the kind that the client declared its tool as."""
    if name in custom:
        return {"id": call_id, "type": "custom", "custom": {"name": name, "input": custom_input(arguments)}}
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
