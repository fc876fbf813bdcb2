"""Reads an Anthropic Messages request: refuses what api.anthropic.com refuses, with its words.

https://docs.claude.com/en/api/messages
"""

import base64
import binascii
import re
from collections.abc import Iterator

from planoctl.mock_provider.answers import Tool, ToolMode, Turn
from planoctl.mock_provider.validation import (
    Call,
    InvalidRequestError,
    Json,
    digest_of,
    is_integer,
    is_number,
    signature,
)

_FIELDS = frozenset({
    "cache_control", "container", "context_management", "inference_geo", "max_tokens", "mcp_servers", "messages",
    "metadata", "model", "output_config", "output_format", "service_tier", "speed", "stop_sequences", "stream",
    "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
})  # fmt: skip
_BLOCK_FIELDS = {
    "text": {"text", "citations"},
    "image": {"source"},
    "document": {"source", "title", "context", "citations"},
    "tool_use": {"id", "name", "input", "caller"},
    "tool_result": {"tool_use_id", "content", "is_error"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "search_result": {"source", "title", "content", "citations"},
    "server_tool_use": {"id", "name", "input", "caller"},
    "web_search_tool_result": {"tool_use_id", "content", "caller"},
    "container_upload": {"file_id"},
}
_ASSISTANT_ONLY = {"tool_use", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result"}
_USER_ONLY = {"image", "document", "tool_result", "search_result", "container_upload"}
_IMAGE_TYPES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_MODES = {"auto": ToolMode.AUTO, "any": ToolMode.REQUIRED, "tool": ToolMode.REQUIRED, "none": ToolMode.NONE}


def read(request: Json, call: Call) -> Turn:
    """Checks a request and reduces it to its last turn; raises `InvalidRequestError`."""
    lenient = call.lenient
    if "anthropic-version" not in call.headers:
        raise InvalidRequestError("anthropic-version: header is required")
    if not lenient:
        _refuse_unknown(request, _FIELDS, "")
    for name, expected in (("model", str), ("messages", list)):
        if name not in request:
            raise InvalidRequestError(f"{name}: Field required")
        if not isinstance(request[name], expected):
            raise InvalidRequestError(f"{name}: Input should be a valid {expected.__name__}")
    _check_parameters(request, lenient=lenient)
    system = _blocks(request.get("system") or [], "system", lenient=lenient)
    messages = _messages(request["messages"], lenient=lenient)
    thinking = _thinking(request, messages)
    tools = _tools(request)
    mode, forced = _tool_choice(request, tools, thinking=thinking)
    last = messages[-1]["content"]
    everything = [block for message in messages for block in message["content"]]
    return Turn(
        digest=digest_of(request),
        model=request["model"],
        user_text=_text(last),
        prompt_chars=len(_text(system)) + sum(len(_text(_flat([block]))) for block in everything),
        system=_text(system),
        images=sum(block["type"] == "image" for block in _flat(everything)),
        documents=sum(block["type"] == "document" for block in _flat(everything)),
        tool_results=tuple(_text(_flat(block["content"])) for block in last if block["type"] == "tool_result"),
        tools=tools,
        tool_mode=mode,
        forced_tool=forced,
        parallel_tools=not (request.get("tool_choice") or {}).get("disable_parallel_tool_use", False),
        thinking=thinking,
        schema=_answer_schema(request),
        max_tokens=request["max_tokens"],
        stop_sequences=tuple(request.get("stop_sequences") or ()),
        stream=request.get("stream") is True,
        include_usage=True,
    )


def _refuse_unknown(mapping: Json, known: frozenset[str] | set[str], where: str) -> None:
    for name in mapping:
        if name not in known:
            raise InvalidRequestError(f"{where}{name}: Extra inputs are not permitted")


def _check_parameters(request: Json, *, lenient: bool) -> None:
    if "max_tokens" not in request:
        raise InvalidRequestError("max_tokens: Field required")
    for name, minimum in (("max_tokens", 1), ("top_k", 0)):
        value = request.get(name, minimum)
        if not is_integer(value):
            raise InvalidRequestError(f"{name}: Input should be a valid integer")
        if value < minimum:
            raise InvalidRequestError(f"{name}: Input should be greater than or equal to {minimum}")
    for name in ("temperature", "top_p"):
        value = request.get(name, 0)
        if not is_number(value):
            raise InvalidRequestError(f"{name}: Input should be a valid number")
        if not 0 <= value <= 1:
            raise InvalidRequestError(f"{name}: range: 0..1")
    if not isinstance(request.get("stream", False), bool):
        raise InvalidRequestError("stream: Input should be a valid boolean")
    stops = request.get("stop_sequences", [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise InvalidRequestError("stop_sequences: Input should be a valid list")
    if not all(stop.strip() for stop in stops):
        raise InvalidRequestError("stop_sequences: each stop sequence must contain non-whitespace")
    metadata = request.get("metadata", {})
    if not isinstance(metadata, dict):
        raise InvalidRequestError("metadata: Input should be an object")
    if not lenient:
        _refuse_unknown(metadata, {"user_id"}, "metadata.")


def _messages(messages: list[object], *, lenient: bool) -> list[Json]:
    """The messages with their content as blocks; neighbours of one role joined, as the real API does."""
    if not messages:
        raise InvalidRequestError("messages: at least one message is required")
    joined: list[Json] = []
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if not isinstance(message, dict):
            raise InvalidRequestError(f"{where}: Input should be an object")
        if not lenient:
            _refuse_unknown(message, {"role", "content"}, f"{where}.")
        role = message.get("role")
        if role not in {"user", "assistant"}:
            raise InvalidRequestError(
                f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant"; the Messages API takes'
                " the system prompt as a top-level `system` parameter."
            )
        if "content" not in message:
            raise InvalidRequestError(f"{where}.content: Field required")
        blocks = _blocks(message["content"], f"{where}.content", lenient=lenient, role=role)
        if not blocks and (index < len(messages) - 1 or role == "user"):
            raise InvalidRequestError(
                f"{where}: all messages must have non-empty content except for the optional final assistant message"
            )
        if joined and joined[-1]["role"] == role:
            joined[-1]["content"].extend(blocks)
        else:
            joined.append({"role": role, "content": blocks})
    _check_tool_results(joined)
    if joined[-1]["role"] == "assistant" and _text(joined[-1]["content"]).rstrip() != _text(joined[-1]["content"]):
        raise InvalidRequestError("messages: final assistant content cannot end with trailing whitespace")
    return joined


def _blocks(content: object, where: str, *, lenient: bool, role: str = "system") -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        raise InvalidRequestError(f"{where}: Input should be a valid list")
    return [_block(block, f"{where}.{index}", role, lenient=lenient) for index, block in enumerate(content)]


def _block(block: object, where: str, role: str, *, lenient: bool) -> Json:
    """The block, checked; the content of a tool result always as blocks."""
    kind = block.get("type") if isinstance(block, dict) else None
    allowed = _BLOCK_FIELDS.keys() - (_USER_ONLY if role == "assistant" else _ASSISTANT_ONLY)
    if role == "system":
        allowed = {"text"}
    if not isinstance(block, dict) or kind not in allowed:
        tags = ", ".join(f"'{name}'" for name in sorted(allowed))
        raise InvalidRequestError(
            f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        )
    if not lenient:
        _refuse_unknown(block, _BLOCK_FIELDS[kind] | {"type", "cache_control"}, f"{where}.{kind}.")
    match kind:
        case "text":
            _check_text(block, where)
        case "image" | "document":
            _check_source(block, where)
        case "tool_use":
            _check_tool_use(block, where)
        case "tool_result":
            if not isinstance(block.get("tool_use_id"), str):
                raise InvalidRequestError(f"{where}.tool_result.tool_use_id: Field required")
            content = _blocks(block.get("content") or [], f"{where}.content", lenient=lenient, role="user")
            return block | {"content": content}
        case "thinking":
            if "signature" not in block or "thinking" not in block:
                missing = "signature" if "thinking" in block else "thinking"
                raise InvalidRequestError(f"{where}.thinking.{missing}: Field required")
            if block["signature"] != signature(str(block["thinking"])):
                raise InvalidRequestError(f"{where}: Invalid `signature` in `thinking` block")
        case "redacted_thinking":
            if not isinstance(block.get("data"), str):
                raise InvalidRequestError(f"{where}.redacted_thinking.data: Field required")
    return block


def _check_text(block: Json, where: str) -> None:
    text = block.get("text")
    if not isinstance(text, str):
        raise InvalidRequestError(f"{where}.text.text: Field required")
    field = where.partition(".")[0]
    if not text:
        raise InvalidRequestError(f"{field}: text content blocks must be non-empty")
    if not text.strip():
        raise InvalidRequestError(f"{field}: text content blocks must contain non-whitespace text")


def _check_source(block: Json, where: str) -> None:
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    kinds = {"base64": "data", "url": "url", "file": "file_id"}
    if block["type"] == "document":
        kinds |= {"text": "data", "content": "content"}
    if not isinstance(source, dict) or kind not in kinds:
        raise InvalidRequestError(f"{where}.{block['type']}.source: Input should be one of {', '.join(kinds)}")
    if kinds[kind] not in source:
        raise InvalidRequestError(f"{where}.{block['type']}.source.{kind}.{kinds[kind]}: Field required")
    if kind != "base64":
        return
    types = _IMAGE_TYPES if block["type"] == "image" else {"application/pdf"}
    if source.get("media_type") not in types:
        names = ", ".join(sorted(types))
        raise InvalidRequestError(f"{where}.{block['type']}.source.base64.media_type: Input should be one of {names}")
    try:
        base64.b64decode(source["data"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidRequestError(f"{where}.{block['type']}.source.base64: invalid base64 data") from None


def _check_tool_use(block: Json, where: str) -> None:
    if not isinstance(block.get("id"), str) or not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]):
        raise InvalidRequestError(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("name"), str) or not _TOOL_NAME.fullmatch(block["name"]):
        raise InvalidRequestError(f"{where}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if not isinstance(block.get("input"), dict):
        raise InvalidRequestError(f"{where}.tool_use.input: Input should be a valid dictionary")


def _check_tool_results(messages: list[Json]) -> None:
    """Every `tool_use` is answered at the start of the next message, every `tool_result` answers one."""
    for index, message in enumerate(messages):
        previous = messages[index - 1]["content"] if index else []
        asked = [block["id"] for block in previous if block["type"] == "tool_use"]
        answered = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        for id_ in answered:
            if id_ not in asked:
                raise InvalidRequestError(
                    f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {id_}. Each"
                    " `tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
        first = [block["type"] for block in message["content"][: len(answered)]]
        if set(asked) - set(answered) or any(kind != "tool_result" for kind in first):
            _refuse_unanswered(index - 1, asked)
    _refuse_unanswered(
        len(messages) - 1, [block["id"] for block in messages[-1]["content"] if block["type"] == "tool_use"]
    )


def _refuse_unanswered(index: int, ids: list[str]) -> None:
    if ids:
        raise InvalidRequestError(
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after:"
            f" {', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next"
            " message."
        )


def _thinking(request: Json, messages: list[Json]) -> bool:
    """Whether thinking is on; checks what the real API refuses together with it."""
    thinking = request.get("thinking") or {"type": "disabled"}
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in {"enabled", "disabled", "adaptive"}:
        raise InvalidRequestError("thinking.type: Input should be one of 'enabled', 'disabled', 'adaptive'")
    if kind == "disabled":
        return False
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not is_integer(budget):
            raise InvalidRequestError("thinking.enabled.budget_tokens: Field required")
        if budget < 1024:
            raise InvalidRequestError("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= request["max_tokens"]:
            raise InvalidRequestError("`max_tokens` must be greater than `thinking.budget_tokens`.")
        _check_history(messages)
    if request.get("temperature", 1) != 1:
        raise InvalidRequestError("`temperature` may only be set to 1 when thinking is enabled.")
    if request.get("top_k") is not None:
        raise InvalidRequestError("`top_k` must be unset when thinking is enabled.")
    if request.get("top_p", 1) < 0.95:
        raise InvalidRequestError("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
    return True


def _check_history(messages: list[Json]) -> None:
    """In the middle of a tool exchange the assistant's message must still begin with its thinking."""
    if messages[-1]["role"] == "assistant":
        raise InvalidRequestError("messages: the final message may not be an assistant's when thinking is enabled.")
    if any(block["type"] == "tool_result" for block in messages[-1]["content"]):
        found = messages[-2]["content"][0]["type"]
        if found not in {"thinking", "redacted_thinking"}:
            raise InvalidRequestError(
                f"messages.{len(messages) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`, but found"
                f" `{found}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block."
            )


def _tools(request: Json) -> tuple[Tool, ...]:
    tools = request.get("tools") or []
    found = []
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict) or not _TOOL_NAME.fullmatch(str(tool.get("name", ""))):
            raise InvalidRequestError(
                f"tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )
        if tool.get("type", "custom") != "custom":
            continue  # a server tool, which the provider itself would run
        schema = tool.get("input_schema")
        if not isinstance(schema, dict):
            raise InvalidRequestError(f"tools.{index}.custom.input_schema: Field required")
        if schema.get("type") != "object":
            raise InvalidRequestError(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
        found.append(Tool(tool["name"], schema))
    if len({tool["name"] for tool in tools}) < len(tools):
        raise InvalidRequestError("tools: Tool names must be unique.")
    return tuple(found)


def _tool_choice(request: Json, tools: tuple[Tool, ...], *, thinking: bool) -> tuple[ToolMode, str | None]:
    choice = request.get("tool_choice")
    if choice is None:
        return ToolMode.AUTO, None
    if not request.get("tools"):
        raise InvalidRequestError("tool_choice: may only be specified while providing tools.")
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in _TOOL_MODES:
        raise InvalidRequestError("tool_choice.type: Input should be one of 'auto', 'any', 'tool', 'none'")
    if thinking and _TOOL_MODES[kind] is ToolMode.REQUIRED:
        raise InvalidRequestError("Thinking may not be enabled when tool_choice forces tool use.")
    name = choice.get("name")
    if kind == "tool" and name not in {tool.name for tool in tools}:
        raise InvalidRequestError(f"tool_choice.tool: Tool '{name}' not found in provided tools")
    return _TOOL_MODES[kind], name if kind == "tool" else None


def _answer_schema(request: Json) -> object:
    format_ = request.get("output_format") or (request.get("output_config") or {}).get("format")
    if format_ is None:
        return None
    if not isinstance(format_, dict) or format_.get("type") != "json_schema" or "schema" not in format_:
        raise InvalidRequestError("output_config.format: Input should be {'type': 'json_schema', 'schema': …}")
    return format_["schema"]


def _text(blocks: list[Json]) -> str:
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


def _flat(blocks: list[Json]) -> list[Json]:
    """The blocks and, in place of a tool result, what is inside it."""
    return list(_unfold(blocks))


def _unfold(blocks: list[Json]) -> Iterator[Json]:
    for block in blocks:
        if block["type"] == "tool_result":
            yield from block["content"]
        else:
            yield block
