"""Requests of the cell "Messages client, Amazon Bedrock Converse provider"."""

from typing import Any

from hermesllm.bedrock_models import BedrockModel, bedrock_model
from hermesllm.reading import (
    invalid,
    optional_list,
    optional_object,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.anthropic_conversation import messages
from hermesllm.translate.base import Context
from hermesllm.translate.converse_conversation import ConverseConversation, ToolNames
from hermesllm.translate.converse_request import EXTENSIONS, RESPONSE_PATHS, Answering, ConverseRequest

_TRANSLATED = frozenset(
    {
        "model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stream", "stop_sequences",
        "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "service_tier",
        "cache_control", "anthropic_beta", *EXTENSIONS, RESPONSE_PATHS,
    }
)  # fmt: skip
_TIERS: dict[str, str | None] = {"auto": None, "standard_only": "default"}
# Bedrock refuses a request with a beta flag it does not know.
_BETAS = frozenset(
    {
        "computer-use-2024-10-22", "computer-use-2025-01-24", "context-1m-2025-08-07",
        "context-management-2025-06-27", "dev-full-thinking-2025-05-14", "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14", "mcp-client-2025-04-04", "mcp-client-2025-11-20",
        "model-context-window-exceeded-2025-08-26", "output-128k-2025-02-19", "pdfs-2024-09-25",
        "search-results-2025-06-09", "token-counting-2024-11-01", "token-efficient-tools-2025-02-19",
        "tool-search-tool-2025-10-19", "web-search-2025-03-05",
    }
)  # fmt: skip
_BETA_ALIASES = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}


def to_converse(body: dict[str, Any], context: Context) -> tuple[dict[str, Any], Answering]:
    """The Converse request of a Messages request. Raises InvalidRequest or Untranslatable."""
    model = bedrock_model(context.model)
    names = ToolNames()
    conversation = ConverseConversation(context, model, names)
    _read(body, conversation)
    request = ConverseRequest(body, context, model, names)
    request.inference({**body, "stop_sequences": _stop_sequences(body)})
    if body.get("stop_sequences") and model.claude and model.known:
        request.response_field("/stop_sequence")  # Converse itself does not tell which one it was
    request.reasoning(body)
    tools = optional_list(body.get("tools"), "tools")
    located = [(required_object(tool, f"tools[{index}]"), f"tools[{index}]") for index, tool in enumerate(tools)]
    request.tools(located, conversation)
    choice = optional_object(body.get("tool_choice"), "tool_choice")
    if choice:
        request.tool_choice(choice, conversation.calls)
    answer_tool = _structured_output(body, request, conversation, context)
    for name, value in optional_object(body.get("metadata"), "metadata").items():
        request.metadata(name, value, f"metadata.{name}")
    request.service_tier(body.get("service_tier"), _TIERS)
    _betas(body, request, model, context)
    for name, value in body.items():
        if value is not None and value != [] and name not in _TRANSLATED:
            context.drop(name)
    return request.finish(conversation), Answering(names, answer_tool)


def _read(body: dict[str, Any], conversation: ConverseConversation) -> None:
    _system(body.get("system"), "system", conversation)
    for role, content, loc in messages(body):
        if role == "system":
            _system(content, loc, conversation)
        else:
            conversation.begin(role)
            for block, where in _blocks(content, loc):
                conversation.add(block, where)
    conversation.end()
    if body.get("cache_control") is not None:
        conversation.mark_cache(body["cache_control"], "cache_control")
    if not conversation.messages:
        raise invalid("messages", "expected at least one message with content")


def _system(content: Any, loc: str, conversation: ConverseConversation) -> None:
    if content is not None:
        for block, where in _blocks(content, loc):
            conversation.add_system(block, where)


def _blocks(content: Any, loc: str) -> list[tuple[dict[str, Any], str]]:
    """The blocks of a content, each with its path."""
    if isinstance(content, str):
        return [({"type": "text", "text": content}, loc)]
    if not isinstance(content, list):
        raise invalid(loc, "expected a string or a list of content blocks")
    return [(required_object(block, f"{loc}[{index}]"), f"{loc}[{index}]") for index, block in enumerate(content)]


def _stop_sequences(body: dict[str, Any]) -> list[str]:
    sequences = optional_list(body.get("stop_sequences"), "stop_sequences")
    return [required_text(text, f"stop_sequences[{index}]") for index, text in enumerate(sequences)]


def _structured_output(
    body: dict[str, Any], request: ConverseRequest, conversation: ConverseConversation, context: Context
) -> str | None:
    config = optional_object(body.get("output_config"), "output_config")
    for name, value in config.items():
        if name not in ("effort", "format") and value is not None:
            context.drop(f"output_config.{name}")
    wanted = optional_object(config.get("format") or body.get("output_format"), "output_config.format")
    if wanted.get("type") != "json_schema":
        return None
    schema = required_object(wanted.get("schema"), "output_config.format.schema")
    return request.answer_schema(schema, conversation, text_or_empty(wanted.get("name")))


def _betas(body: dict[str, Any], request: ConverseRequest, model: BedrockModel, context: Context) -> None:
    # A header's flags are the SDK's choice more often than the client's: what Bedrock does not know is no loss.
    flags = [flag for each in context.betas if (flag := _BETA_ALIASES.get(each, each)) in _BETAS and model.claude]
    for index, value in enumerate(optional_list(body.get("anthropic_beta"), "anthropic_beta")):
        flag = required_text(value, f"anthropic_beta[{index}]")
        flag = _BETA_ALIASES.get(flag, flag)
        if model.claude and flag in _BETAS:
            flags.append(flag)
        else:
            context.drop(f"anthropic_beta[{index}]")
    if flags:
        request.betas(list(dict.fromkeys(flags)))
