"""Requests of the cell "Chat Completions client, Amazon Bedrock Converse provider"."""

from typing import Any

from hermesllm.bedrock_models import BedrockModel, bedrock_model
from hermesllm.errors import InvalidRequest, Untranslatable
from hermesllm.reading import (
    count_or_none,
    invalid,
    optional_list,
    optional_object,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.reasoning import EFFORTS, chat_effort, effort_of_budget
from hermesllm.translate.base import Context
from hermesllm.translate.chat_request import ask_for_reasoning, ask_for_sampling, chat_tool_choice, chat_tools
from hermesllm.translate.chat_to_anthropic_messages import NATIVE_BLOCKS, read_blocks
from hermesllm.translate.chat_to_anthropic_request import Asked
from hermesllm.translate.converse_conversation import ConverseConversation, ToolNames
from hermesllm.translate.converse_request import EXTENSIONS, RESPONSE_PATHS, Answering, ConverseRequest
from hermesllm.translate.custom_tools import custom_names

_TRANSLATED = frozenset(
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "stream",
        "stream_options", "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "user",
        "safety_identifier", "metadata", "reasoning_effort", "reasoning", "response_format", "service_tier", "n",
        "web_search_options", "thinking", "output_config", "cache_control", *EXTENSIONS, RESPONSE_PATHS,
    }
)  # fmt: skip
_JSON_OBJECT_PROMPT = "Answer with one valid JSON object and nothing else."
_TIERS: dict[str, str | None] = {"auto": None, "default": "default", "flex": "flex", "priority": "priority"}
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


def to_converse(body: dict[str, Any], context: Context) -> tuple[dict[str, Any], Answering, Asked]:
    """The Converse request of a Chat request. Raises InvalidRequest or Untranslatable."""
    if (count_or_none(body.get("n")) or 1) > 1:
        raise Untranslatable(
            "n: Amazon Bedrock gives one answer per request",
            param="n",
            remedy="Leave out n, or send several requests.",
        )
    model = bedrock_model(context.model)
    names = ToolNames()
    conversation = ConverseConversation(context, model, names)
    may_think = _read(body, conversation, context)
    request = ConverseRequest(body, context, model, names)
    tools = _tools(body, request, conversation, context)
    asked = _asked(body, model, tools, context, may_think=may_think)
    request.inference(asked)
    request.reasoning(asked, "reasoning_effort" if body.get("reasoning_effort") is not None else "reasoning")
    if asked.get("tool_choice") is not None:
        request.tool_choice(asked["tool_choice"], conversation.calls, "parallel_tool_calls")
    answer_tool = _response_format(body, request, conversation)
    _identity(body, request)
    request.service_tier(body.get("service_tier"), _TIERS)
    _report_dropped(body, context)
    made = request.finish(conversation)
    include_usage = optional_object(body.get("stream_options"), "stream_options").get("include_usage") is True
    legacy_functions = "functions" in body and "tools" not in body
    # Names are the client's again before the answer is read as a Messages answer.
    return made, Answering(names, answer_tool), Asked(include_usage, None, legacy_functions, custom_names(body))


def _read(body: dict[str, Any], conversation: ConverseConversation, context: Context) -> bool:
    """Reads the messages; whether the model can think in front of its next answer."""
    read = read_blocks(body, context, NATIVE_BLOCKS | {"guarded_text"}, keeps_empty_turns=True)
    for block in read.system:
        conversation.add_system(block, read.parts.get(id(block), "messages"))
    for message, locs in zip(read.messages, read.locs, strict=True):
        conversation.begin(message["role"])
        for block, loc in zip(message["content"], locs, strict=True):
            try:
                conversation.add(block, loc)
            except InvalidRequest as error:  # paths inside a block are the Messages API's
                problem = error.message.partition(": ")[2]
                raise type(error)(f"{loc}: {problem}", param=loc, remedy=error.remedy) from error
    conversation.end()
    if body.get("cache_control") is not None:
        conversation.mark_cache(body["cache_control"], "cache_control")
    return not read.open_call_without_thinking


def _tools(
    body: dict[str, Any], request: ConverseRequest, conversation: ConverseConversation, context: Context
) -> list[dict[str, Any]]:
    if body.get("web_search_options") is not None:
        body = {name: value for name, value in body.items() if name != "web_search_options"}
        context.drop("web_search_options")
    tools = chat_tools(body, context)
    request.tools([(tool, f"tools[{index}]") for index, tool in enumerate(tools)], conversation)
    return tools


def _asked(
    body: dict[str, Any], model: BedrockModel, tools: list[dict[str, Any]], context: Context, *, may_think: bool
) -> dict[str, Any]:
    """The parameters in the words of the Messages API, as far as the model takes them."""
    asked: dict[str, Any] = {"max_tokens": body.get("max_completion_tokens") or body.get("max_tokens")}
    asked["tool_choice"] = chat_tool_choice(body, tools) or ({"type": "auto"} if tools else None)
    if tools and isinstance(body.get("parallel_tool_calls"), bool):
        asked["tool_choice"]["disable_parallel_tool_use"] = not body["parallel_tool_calls"]
    for name in ("thinking", "output_config"):
        if body.get(name) is not None:
            asked[name] = dict(required_object(body[name], name))
    asked["stop_sequences"] = _stop(body, model)
    if model.claude and model.known:
        ask_for_reasoning(body, asked, context, may_think=may_think)
        ask_for_sampling(body, asked, context)
        return asked
    effort, budget = chat_effort(body)
    if effort is not None and effort not in EFFORTS:
        raise invalid("reasoning_effort", f"expected one of {', '.join(EFFORTS)}")
    if effort is not None or budget is not None:
        asked.setdefault("output_config", {}).setdefault("effort", effort or effort_of_budget(budget or 0))
    asked |= {name: body.get(name) for name in ("temperature", "top_p", "top_k")}
    if isinstance(asked["temperature"], int | float):
        asked["temperature"] = min(max(asked["temperature"], 0), 1)
    return asked


def _stop(body: dict[str, Any], model: BedrockModel) -> list[str]:
    stop = body.get("stop")
    texts = [stop] if isinstance(stop, str) else optional_list(stop, "stop")
    # Claude refuses stop sequences of nothing but white space.
    return [
        text for text in texts if (required_text(text, "stop").strip() if model.claude else required_text(text, "stop"))
    ]


def _response_format(body: dict[str, Any], request: ConverseRequest, conversation: ConverseConversation) -> str | None:
    wanted = optional_object(body.get("response_format"), "response_format")
    kind = wanted.get("type", "text")
    if kind == "json_object":
        conversation.add_system_text(_JSON_OBJECT_PROMPT)
    elif kind == "json_schema":
        declared = required_object(wanted.get("json_schema"), "response_format.json_schema")
        schema = required_object(declared.get("schema"), "response_format.json_schema.schema")
        name, description = (text_or_empty(declared.get(each)) for each in ("name", "description"))
        return request.answer_schema(schema, conversation, name, description)
    elif kind != "text":
        raise invalid("response_format.type", "expected 'text', 'json_object' or 'json_schema'")
    return None


def _identity(body: dict[str, Any], request: ConverseRequest) -> None:
    for name, value in optional_object(body.get("metadata"), "metadata").items():
        request.metadata(name, value, f"metadata.{name}")
    for name in ("user", "safety_identifier"):
        if body.get(name):
            request.metadata(name, body[name], name)


def _report_dropped(body: dict[str, Any], context: Context) -> None:
    for name, value in body.items():
        if value is None or value == [] or name in _TRANSLATED or value in _WITHOUT_EFFECT.get(name, ()):
            continue
        context.drop(name)
    for name in optional_object(body.get("stream_options"), "stream_options"):
        if name != "include_usage":
            context.drop(f"stream_options.{name}")
