"""Requests of the cell "Messages client, Gemini provider": everything but the conversation itself."""

from typing import Any

from hermesllm.gemini_models import gemini_model
from hermesllm.reading import (
    count_or_none,
    invalid,
    object_or_empty,
    optional_list,
    optional_object,
    required_object,
    required_text,
)
from hermesllm.reasoning import EFFORTS
from hermesllm.translate.anthropic_to_gemini_messages import CODE_TOOL, read_messages
from hermesllm.translate.base import Context
from hermesllm.translate.fixups import GATEWAY_METADATA
from hermesllm.translate.gemini_request import declaration, json_output, stop_sequences, tool_members

_SETTINGS = {"temperature": "temperature", "top_p": "topP", "top_k": "topK", "max_tokens": "maxOutputTokens"}
_TRANSLATED = frozenset(
    {
        "model", "messages", "system", "stream", "stop_sequences", "tools", "tool_choice", "thinking",
        "output_config", "output_format", "metadata", "service_tier", *_SETTINGS,
    }
)  # fmt: skip
# Tools that Anthropic runs, as prefixes of their dated types, and what Google runs instead.
_SERVED = {"web_search_": "googleSearch", "web_fetch_": "urlContext", f"{CODE_TOOL}_": "codeExecution"}
_MODES = {"auto": "AUTO", "any": "ANY", "tool": "ANY", "none": "NONE"}
_WITHOUT_TIERS = ("auto", "standard_only")  # what Gemini does where no tier is asked for


def to_gemini(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """The generateContent request of a Messages request. Raises InvalidRequest or Untranslatable."""
    request = read_messages(body, context)
    request.update(_tools(body, context))
    settings = {native: body[name] for name, native in _SETTINGS.items() if body.get(name) is not None}
    stop = optional_list(body.get("stop_sequences"), "stop_sequences")
    if stop:
        settings["stopSequences"] = stop_sequences(stop, "stop_sequences", context)
    settings.update(_structured_output(body))
    _thinking(body, settings, context)
    if settings:
        request["generationConfig"] = settings
    _report_dropped(body, context)
    return request


def _tools(body: dict[str, Any], context: Context) -> dict[str, Any]:
    functions: list[dict[str, Any]] = []
    served: list[dict[str, Any]] = []
    for index, value in enumerate(optional_list(body.get("tools"), "tools")):
        loc = f"tools[{index}]"
        tool = required_object(value, loc)
        kind = tool.get("type")
        native = _served(kind)
        if kind in (None, "custom"):
            functions.append(_function(tool, loc, context))
        elif native is not None:
            served.append({native: {}})
            _drop_rest(tool, ("type", "name"), loc, context)
        else:
            context.drop(loc)  # needs a model that Anthropic has trained for it
    choice = optional_object(body.get("tool_choice"), "tool_choice")
    if not functions:
        if choice.get("type") not in (None, "auto", "none"):
            context.drop("tool_choice")
        return tool_members([], served, None, [])
    if choice.get("disable_parallel_tool_use") is True:
        context.drop("tool_choice.disable_parallel_tool_use")
    return tool_members(functions, served, *_tool_choice(choice))


def _served(kind: Any) -> str | None:
    if not isinstance(kind, str):
        return None
    return next((native for prefix, native in _SERVED.items() if kind.startswith(prefix)), None)


def _function(tool: dict[str, Any], loc: str, context: Context) -> dict[str, Any]:
    schema = optional_object(tool.get("input_schema"), f"{loc}.input_schema")
    declared = declaration(required_text(tool.get("name"), f"{loc}.name"), tool.get("description"), schema, loc)
    unsupported = {name: value for name, value in tool.items() if not (name == "strict" and value is False)}
    _drop_rest(unsupported, ("type", "name", "description", "input_schema"), loc, context)
    return declared


def _tool_choice(choice: dict[str, Any]) -> tuple[str | None, list[str]]:
    if not choice:
        return None, []
    kind = choice.get("type")
    if not isinstance(kind, str) or kind not in _MODES:
        raise invalid("tool_choice.type", "expected 'auto', 'any', 'tool' or 'none'")
    if kind == "tool":
        return _MODES[kind], [required_text(choice.get("name"), "tool_choice.name")]
    return _MODES[kind], []


def _structured_output(body: dict[str, Any]) -> dict[str, Any]:
    config = optional_object(body.get("output_config"), "output_config")
    wanted = optional_object(config.get("format") or body.get("output_format"), "output_config.format")
    if wanted.get("type") != "json_schema":
        return {}
    return json_output(required_object(wanted.get("schema"), "output_config.format.schema"))


def _thinking(body: dict[str, Any], settings: dict[str, Any], context: Context) -> None:
    thinking = optional_object(body.get("thinking"), "thinking")
    effort = object_or_empty(body.get("output_config")).get("effort")
    if effort is not None and effort not in EFFORTS:
        raise invalid("output_config.effort", f"expected one of {', '.join(EFFORTS)}")
    kind = thinking.get("type")
    if kind == "disabled":
        effort = "none"
    elif kind is None and effort is None:
        return  # the model does as it always does
    model = gemini_model(context.model)
    if not model.thinks:
        if effort != "none":
            context.drop("thinking" if kind is not None else "output_config.effort")
        return
    budget = count_or_none(thinking.get("budget_tokens")) if kind == "enabled" else None
    config = model.thinking(effort, budget)
    if kind in ("enabled", "adaptive") and thinking.get("display") != "omitted":
        config["includeThoughts"] = True
    if config:
        settings["thinkingConfig"] = config


def _report_dropped(body: dict[str, Any], context: Context) -> None:
    for name, value in body.items():
        if value is not None and value != [] and name not in _TRANSLATED:
            context.drop(name)
    for name in optional_object(body.get("metadata"), "metadata"):
        if name not in GATEWAY_METADATA:
            context.drop(f"metadata.{name}")
    if body.get("service_tier") not in (None, *_WITHOUT_TIERS):
        context.drop("service_tier")


def _drop_rest(holder: dict[str, Any], known: tuple[str, ...], loc: str, context: Context) -> None:
    for name, value in holder.items():
        if name not in known and value is not None:
            context.drop(f"{loc}.{name}")
