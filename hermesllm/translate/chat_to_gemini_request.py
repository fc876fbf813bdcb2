"""Requests of the cell "Chat Completions client, Gemini provider": everything but the conversation itself."""

from dataclasses import dataclass
from typing import Any

from hermesllm.errors import Untranslatable
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
from hermesllm.reasoning import EFFORTS, chat_effort
from hermesllm.translate.base import Context
from hermesllm.translate.chat_to_gemini_messages import read_conversation
from hermesllm.translate.custom_tools import chat_function, chosen_name, custom_names, is_custom
from hermesllm.translate.fixups import GATEWAY_METADATA
from hermesllm.translate.gemini_request import declaration, json_output, stop_sequences, tool_members

_SETTINGS = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
# Members of Gemini's own request that pass through a Chat request, in either spelling.
_PASSED_ON = {
    "safety_settings": "safetySettings",
    "safetySettings": "safetySettings",
    "cached_content": "cachedContent",
    "cachedContent": "cachedContent",
    "labels": "labels",
}
_TRANSLATED = frozenset(
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "stop", "stream", "stream_options", "tools",
        "tool_choice", "functions", "function_call", "parallel_tool_calls", "metadata", "reasoning_effort",
        "reasoning", "thinking", "response_format", "service_tier", "web_search_options", "logprobs", "top_logprobs",
        "modalities", "extra_body", *_SETTINGS, *_PASSED_ON,
    }
)  # fmt: skip
# What these say is what happens anyway.
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {"store": (False,), "logit_bias": ({},), "verbosity": ("medium",)}
_TIERS = {"flex": "flex", "priority": "priority", "default": "standard"}
_MODES = {"auto": "AUTO", "required": "ANY", "any": "ANY", "none": "NONE"}
# Tools that Google runs, in its own spelling and in OpenAI's.
_SERVED = {
    "google_search": "googleSearch", "googleSearch": "googleSearch", "web_search": "googleSearch",
    "web_search_preview": "googleSearch", "code_execution": "codeExecution", "codeExecution": "codeExecution",
    "code_interpreter": "codeExecution", "url_context": "urlContext", "urlContext": "urlContext",
    "google_maps": "googleMaps", "googleMaps": "googleMaps", "enterprise_web_search": "enterpriseWebSearch",
    "enterpriseWebSearch": "enterpriseWebSearch",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answer has to heed of the request."""

    include_usage: bool = False
    legacy_functions: bool = False
    custom: frozenset[str] = frozenset()  # names of custom tools, sent as functions


def to_gemini(body: dict[str, Any], context: Context) -> tuple[dict[str, Any], Asked]:
    """The generateContent request of a Chat request. Raises InvalidRequest or Untranslatable."""
    request = read_conversation(body, context)
    request.update(_tools(body, context))
    settings = _settings(body, context)
    settings.update(_response_format(body, context))
    _reasoning(body, settings, context)
    extra = _extra_body(body, context)
    if "thinkingConfig" in extra:
        settings["thinkingConfig"] = extra.pop("thinkingConfig")
    if settings:
        request["generationConfig"] = settings
    for name, native in _PASSED_ON.items():
        if body.get(name) is not None:
            request[native] = body[name]
    request.update(extra)
    _tier(body, request, context)
    _report_dropped(body, context)
    include_usage = optional_object(body.get("stream_options"), "stream_options").get("include_usage") is True
    legacy_functions = "functions" in body and "tools" not in body
    return request, Asked(include_usage, legacy_functions, custom_names(body))


def _settings(body: dict[str, Any], context: Context) -> dict[str, Any]:
    settings = {native: body[name] for name, native in _SETTINGS.items() if body.get(name) is not None}
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None:
        settings["maxOutputTokens"] = limit
    stop = body.get("stop")
    if stop:
        settings["stopSequences"] = stop_sequences(
            [stop] if isinstance(stop, str) else optional_list(stop, "stop"), "stop", context
        )
    if body.get("logprobs") is True:
        settings["responseLogprobs"] = True
        if body.get("top_logprobs") is not None:
            settings["logprobs"] = body["top_logprobs"]
    modalities = [required_text(each, "modalities") for each in optional_list(body.get("modalities"), "modalities")]
    if not {"text", "image"}.issuperset(modalities):
        raise Untranslatable(
            "modalities: speech and other media cannot be returned to a Chat client by Gemini",
            param="modalities",
            remedy='Ask for "text" or "image".',
        )
    if "image" in modalities:
        settings["responseModalities"] = [each.upper() for each in modalities]
    return settings


def _tools(body: dict[str, Any], context: Context) -> dict[str, Any]:
    functions: list[dict[str, Any]] = []
    served: list[dict[str, Any]] = []
    for index, value in enumerate(optional_list(body.get("tools"), "tools")):
        loc = f"tools[{index}]"
        tool = required_object(value, loc)
        if is_custom(tool):
            functions.append(_function(chat_function(tool, loc), f"{loc}.custom", context))
            _drop_rest(tool, ("type", "custom"), loc, context)
        elif tool.get("type", "function") == "function" and "function" in tool:
            functions.append(_function(tool["function"], f"{loc}.function", context))
            _drop_rest(tool, ("type", "function"), loc, context)
        else:
            served.append(_served(tool, loc, context))
    for index, value in enumerate(optional_list(body.get("functions"), "functions")):
        functions.append(_function(value, f"functions[{index}]", context))
    if body.get("web_search_options") is not None:
        options = optional_object(body["web_search_options"], "web_search_options")
        _drop_rest(options, (), "web_search_options", context)
        if {"googleSearch": {}} not in served:
            served.append({"googleSearch": {}})
    if body.get("parallel_tool_calls") is False and functions:
        context.drop("parallel_tool_calls")
    mode, allowed = _tool_choice(body) if functions else (None, [])
    if mode == "AUTO" and allowed:  # Gemini limits a free choice only by what it is given
        functions = [function for function in functions if function["name"] in allowed]
        allowed = []
    return tool_members(functions, served, mode, allowed)


def _function(value: Any, loc: str, context: Context) -> dict[str, Any]:
    function = required_object(value, loc)
    schema = optional_object(function.get("parameters"), f"{loc}.parameters")
    name = required_text(function.get("name"), f"{loc}.name")
    declared = declaration(name, function.get("description"), schema, loc)
    unsupported = {key: found for key, found in function.items() if not (key == "strict" and found is False)}
    _drop_rest(unsupported, ("name", "description", "parameters"), loc, context)
    return declared


def _served(tool: dict[str, Any], loc: str, context: Context) -> dict[str, Any]:
    """A tool that Google runs: `{"type": "web_search"}`, or in Gemini's spelling `{"googleSearch": {}}`."""
    kind = tool.get("type")
    native = _SERVED.get(kind) if isinstance(kind, str) else None
    if native is not None:
        options = tool.get(str(kind), tool.get(native))
        _drop_rest(tool, ("type", str(kind), native), loc, context)
        return {native: optional_object(options, loc)}
    for name, native in _SERVED.items():
        if kind is None and name in tool:
            return {native: optional_object(tool[name], f"{loc}.{name}")}
    raise Untranslatable(
        f"{loc}: a tool of this type cannot be given to Gemini",
        param=f"{loc}.type",
        remedy="Declare the tool as a function.",
    )


def _tool_choice(body: dict[str, Any]) -> tuple[str | None, list[str]]:
    choice, loc = body.get("tool_choice"), "tool_choice"
    if choice is None and body.get("function_call") is not None:
        choice, loc = body["function_call"], "function_call"
        if isinstance(choice, dict):
            choice = {"type": "function", "function": choice}
    if choice is None:
        return None, []
    if isinstance(choice, dict):
        kind = choice.get("type", "function")
        if kind in ("function", "custom"):
            return "ANY", [chosen_name(choice, loc)]
        if kind == "allowed_tools":
            return _allowed_tools(choice)
        raise invalid(f"{loc}.type", "expected 'function', 'custom' or 'allowed_tools'")
    if not isinstance(choice, str) or choice not in _MODES:
        raise invalid(loc, "expected 'auto', 'required', 'none' or a function")
    return _MODES[choice], []


def _allowed_tools(choice: dict[str, Any]) -> tuple[str, list[str]]:
    loc = "tool_choice.allowed_tools"
    allowed = required_object(choice.get("allowed_tools"), loc)
    mode = allowed.get("mode", "auto")
    if not isinstance(mode, str) or mode not in _MODES:
        raise invalid(f"{loc}.mode", "expected 'auto' or 'required'")
    names = []
    for index, tool in enumerate(optional_list(allowed.get("tools"), f"{loc}.tools")):
        where = f"{loc}.tools[{index}]"
        names.append(chosen_name(required_object(tool, where), where))
    return _MODES[mode], names


def _response_format(body: dict[str, Any], context: Context) -> dict[str, Any]:
    wanted = optional_object(body.get("response_format"), "response_format")
    kind = wanted.get("type", "text")
    if kind == "text":
        return {}
    if kind == "json_object":
        return json_output(None)
    if kind != "json_schema":
        raise invalid("response_format.type", "expected 'text', 'json_object' or 'json_schema'")
    declared = required_object(wanted.get("json_schema"), "response_format.json_schema")
    # Gemini always keeps to the schema, and has no use for a name.
    _drop_rest(declared, ("name", "strict", "schema"), "response_format.json_schema", context)
    if declared.get("schema") is None:
        return json_output(None)
    return json_output(required_object(declared["schema"], "response_format.json_schema.schema"))


def _reasoning(body: dict[str, Any], settings: dict[str, Any], context: Context) -> None:
    effort, budget = chat_effort(body)
    thinking = optional_object(body.get("thinking"), "thinking")  # as Anthropic spells it
    if thinking.get("type") == "disabled":
        effort = effort or "none"
    elif thinking.get("type") in ("enabled", "adaptive"):
        budget = budget or count_or_none(thinking.get("budget_tokens"))
        effort = effort or (None if budget else "medium")
    elif effort is None and budget is None:
        return
    if effort is not None and effort not in EFFORTS:
        raise invalid("reasoning_effort", f"expected one of {', '.join(EFFORTS)}")
    model = gemini_model(context.model)
    if not model.thinks:
        if effort != "none":
            given = ("reasoning_effort", "reasoning", "thinking")
            context.drop(next(name for name in given if body.get(name) is not None))
        return
    config = model.thinking(effort, budget)
    if effort != "none" and object_or_empty(body.get("reasoning")).get("exclude") is not True:
        config["includeThoughts"] = True
    settings["thinkingConfig"] = config


def _extra_body(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """What clients of Google's own Chat endpoint send as `extra_body.google`."""
    extra = optional_object(body.get("extra_body"), "extra_body")
    google = optional_object(extra.get("google"), "extra_body.google")
    found: dict[str, Any] = {}
    if google.get("thinking_config") is not None:
        config = required_object(google["thinking_config"], "extra_body.google.thinking_config")
        found["thinkingConfig"] = {_camel(name): value for name, value in config.items()}
    if google.get("cached_content") is not None:
        found["cachedContent"] = google["cached_content"]
    _drop_rest(google, ("thinking_config", "cached_content"), "extra_body.google", context)
    _drop_rest(extra, ("google",), "extra_body", context)
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _tier(body: dict[str, Any], request: dict[str, Any], context: Context) -> None:
    tier = body.get("service_tier")
    if tier in (None, "auto"):
        return
    if isinstance(tier, str) and tier in _TIERS and "serviceTier" not in context.provider.drops:
        request["serviceTier"] = _TIERS[tier]
    elif tier != "default":
        context.drop("service_tier")


def _report_dropped(body: dict[str, Any], context: Context) -> None:
    for name, value in body.items():
        if value is not None and name not in _TRANSLATED and value not in _WITHOUT_EFFECT.get(name, ()):
            context.drop(name)
    for name in object_or_empty(body.get("stream_options")):
        if name != "include_usage":
            context.drop(f"stream_options.{name}")
    for name in optional_object(body.get("metadata"), "metadata"):
        if name not in GATEWAY_METADATA:
            context.drop(f"metadata.{name}")


def _drop_rest(holder: dict[str, Any], known: tuple[str, ...], loc: str, context: Context) -> None:
    for name, value in holder.items():
        if name not in known and value is not None:
            context.drop(f"{loc}.{name}")
