"""Reads an OpenAI Responses request: refuses what api.openai.com refuses, with its words.

https://platform.openai.com/docs/api-reference/responses/create
"""

from planoctl.mock_provider.answers import Tool, ToolMode, Turn
from planoctl.mock_provider.openai_checks import check_numbers, missing, refuse_unknown, wrong_type, wrong_value
from planoctl.mock_provider.validation import Call, InvalidRequestError, Json, digest_of, signature

_FIELDS = frozenset({
    "background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens",
    "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
    "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools",
    "top_logprobs", "top_p", "truncation", "user",
})  # fmt: skip
_PARTS = {
    "user": ("input_text", "input_image", "input_file", "input_audio"),
    "system": ("input_text",),
    "developer": ("input_text",),
    "assistant": ("output_text", "refusal"),
}
_RANGES = {"temperature": (0, 2), "top_p": (0, 1)}
_INTEGERS = {"max_output_tokens": 16, "max_tool_calls": 1, "top_logprobs": 0}
_MODES = {mode.value: mode for mode in ToolMode}


def read(request: Json, call: Call) -> Turn:
    """Checks a request and reduces it to its last turn; raises `InvalidRequestError`."""
    if not isinstance(request.get("model"), str) or not request["model"]:
        raise missing("model")
    if not call.lenient:
        refuse_unknown(request, _FIELDS)
    check_numbers(request, _RANGES, _INTEGERS)
    items = _items(request.get("input"))
    _check_tool_outputs(items)
    tools = _tools(request)
    mode, forced = _tool_choice(request, tools)
    last = items[-1]
    instructions = request.get("instructions") or ""
    effort = (request.get("reasoning") or {}).get("effort")
    return Turn(
        digest=digest_of(request),
        model=request["model"],
        user_text=_text(last) if last["type"] == "message" else "",
        prompt_chars=len(instructions) + sum(len(_text(item)) for item in items),
        system="\n".join([
            *([instructions] if instructions else []),
            *(_text(item) for item in items if item.get("role") in {"system", "developer"}),
        ]),
        images=_count(items, "input_image"),
        documents=_count(items, "input_file"),
        tool_results=_last_outputs(items),
        tools=tools,
        tool_mode=mode,
        forced_tool=forced,
        parallel_tools=request.get("parallel_tool_calls") is not False,
        thinking=effort not in {None, "none"},
        sealed_thinking="reasoning.encrypted_content" in (request.get("include") or []),
        schema=_answer_schema(request),
        max_tokens=request.get("max_output_tokens"),
        stream=request.get("stream") is True,
        include_usage=True,
    )  # fmt: skip


def _items(given: object) -> list[Json]:
    """The input as items; each has a `type`."""
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        raise wrong_type("input", "a string or an array of objects", given)
    if not given:
        raise InvalidRequestError("Invalid 'input': empty array.", "input", "empty_array")
    return [_item(item, f"input[{index}]") for index, item in enumerate(given)]


def _item(item: object, where: str) -> Json:
    if not isinstance(item, dict):
        raise wrong_type(where, "an object", item)
    item = {"type": "message"} | item
    match item["type"]:
        case "message":
            _check_message(item, where)
        case "function_call":
            _check_texts(item, ("call_id", "name", "arguments"), where)
        case "function_call_output":
            _check_texts(item, ("call_id",), where)
            if not isinstance(item.get("output"), str | list):
                raise wrong_type(f"{where}.output", "a string or an array of objects", item.get("output"))
        case "reasoning":
            _check_reasoning(item, where)
        case "item_reference":
            name = item.get("id")
            raise InvalidRequestError(f"Item with id '{name}' not found. The mock stores nothing.", "input")
    return item


def _check_message(item: Json, where: str) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in _PARTS:
        raise wrong_value(f"{where}.role", role, tuple(_PARTS))
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(f"{where}.content", "a string or an array of objects", content)
    for number, part in enumerate(content):
        place = f"{where}.content[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _PARTS[role]:
            raise wrong_value(f"{place}.type", kind, _PARTS[role])
        if kind in {"input_text", "output_text"}:
            _check_texts(part, ("text",), place)
        if kind == "input_image" and not (part.get("image_url") or part.get("file_id")):
            raise missing(f"{place}.image_url")


def _check_reasoning(item: Json, where: str) -> None:
    if not isinstance(item.get("summary"), list):
        raise missing(f"{where}.summary")
    sealed = item.get("encrypted_content")
    if sealed is not None and sealed != signature("".join(part.get("text", "") for part in item["summary"])):
        raise InvalidRequestError(
            "The encrypted content could not be verified.", f"{where}.encrypted_content", "invalid_encrypted_content"
        )


def _check_tool_outputs(items: list[Json]) -> None:
    """Every call has an output, and every output a call before it."""
    called: dict[str, None] = {}
    for item in items:
        if item["type"] == "function_call":
            called[item["call_id"]] = None
        elif item["type"] == "function_call_output" and item["call_id"] not in called:
            raise InvalidRequestError(
                f"No tool call found for function call output with call_id {item['call_id']}.", "input"
            )
    answered = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    for call_id in called:
        if call_id not in answered:
            raise InvalidRequestError(f"No tool output found for function call {call_id}.", "input")


def _tools(request: Json) -> tuple[Tool, ...]:
    """The functions among the tools; the others would run at the provider."""
    found = []
    for index, tool in enumerate(request.get("tools") or []):
        where = f"tools[{index}]"
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise missing(f"{where}.type")
        if tool["type"] != "function":
            continue
        if not isinstance(tool.get("name"), str):
            raise missing(f"{where}.name")
        parameters = tool.get("parameters") or {"type": "object", "properties": {}}
        if parameters.get("type") != "object":
            raise InvalidRequestError(
                f"Invalid schema for function '{tool['name']}': schema must be a JSON Schema of 'type: \"object\"', got"
                f" 'type: \"{parameters.get('type')}\"'.",
                f"{where}.parameters",
                "invalid_function_parameters",
            )
        found.append(Tool(tool["name"], parameters))
    return tuple(found)


def _tool_choice(request: Json, tools: tuple[Tool, ...]) -> tuple[ToolMode, str | None]:
    choice = request.get("tool_choice")
    if choice is None:
        return ToolMode.AUTO, None
    if isinstance(choice, dict):
        name = choice.get("name")
        if choice.get("type") != "function":
            return ToolMode.AUTO, None  # a choice among tools that the provider runs
        if name not in {tool.name for tool in tools}:
            raise InvalidRequestError(f"Tool choice 'function' not found in 'tools' parameter: {name}", "tool_choice")
        return ToolMode.REQUIRED, name
    if choice not in _MODES:
        raise wrong_value("tool_choice", choice, tuple(_MODES))
    return _MODES[choice], None


def _answer_schema(request: Json) -> object:
    format_ = (request.get("text") or {}).get("format") or {"type": "text"}
    match format_.get("type"):
        case "text":
            return None
        case "json_object":
            return {"type": "object", "properties": {"answer": {"type": "string"}}}
        case "json_schema":
            for name in ("name", "schema"):
                if name not in format_:
                    raise missing(f"text.format.{name}")
            return format_["schema"]
    raise wrong_value("text.format.type", format_.get("type"), ("text", "json_object", "json_schema"))


def _text(item: Json) -> str:
    content = item.get("content") if item["type"] == "message" else item.get("output", "")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if "text" in part)
    return content or ""


def _count(items: list[Json], kind: str) -> int:
    contents = [item[name] for item in items for name in ("content", "output") if isinstance(item.get(name), list)]
    return sum(part.get("type") == kind for content in contents for part in content)


def _last_outputs(items: list[Json]) -> tuple[str, ...]:
    outputs: list[str] = []
    for item in reversed(items):
        if item["type"] != "function_call_output":
            break
        outputs.insert(0, _text(item))
    return tuple(outputs)


def _check_texts(mapping: Json, names: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in mapping:
            raise missing(f"{where}.{name}")
        if not isinstance(mapping[name], str):
            raise wrong_type(f"{where}.{name}", "a string", mapping[name])
