"""Reads an OpenAI Chat Completions request: refuses what api.openai.com refuses, with its words.

https://platform.openai.com/docs/api-reference/chat/create
"""

import re

from planoctl.mock_provider.answers import Tool, ToolMode, Turn
from planoctl.mock_provider.openai_checks import check_numbers, missing, refuse_unknown, wrong_type, wrong_value
from planoctl.mock_provider.validation import Call, InvalidRequestError, Json, digest_of

_FIELDS = frozenset({
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
    "max_tokens", "messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction",
    "presence_penalty", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format",
    "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature",
    "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
})  # fmt: skip
# Reasoning models of other providers want their reasoning back in the history.
_MESSAGE_FIELDS = frozenset({
    "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "annotations",
    "reasoning_content", "reasoning",
})  # fmt: skip
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_PARTS = {
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "system": ("text",),
    "developer": ("text",),
    "tool": ("text",),
    "function": ("text",),
}
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}
_INTEGERS = {"max_tokens": 1, "max_completion_tokens": 1, "n": 1, "top_logprobs": 0, "seed": -(2**63)}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read(request: Json, call: Call) -> Turn:
    """Checks a request and reduces it to its last turn; raises `InvalidRequestError`."""
    lenient = call.lenient
    if not isinstance(request.get("model"), str) or not request["model"]:
        raise InvalidRequestError("you must provide a model parameter")
    if not lenient:
        refuse_unknown(request, _FIELDS)
    messages = _messages(request, lenient=lenient)
    _check_parameters(request)
    _check_tool_answers(messages)
    tools = _tools(request)
    mode, forced = _tool_choice(request, tools)
    last = messages[-1]
    effort = request.get("reasoning_effort")
    return Turn(
        digest=digest_of(request),
        model=request["model"],
        user_text=_text(last) if last["role"] != "tool" else "",
        prompt_chars=sum(len(_text(message)) for message in messages),
        system="\n".join(_text(message) for message in messages if message["role"] in {"system", "developer"}),
        images=_count_parts(messages, "image_url"),
        documents=_count_parts(messages, "file"),
        tool_results=_last_results(messages),
        tools=tools,
        tool_mode=mode,
        forced_tool=forced,
        parallel_tools=request.get("parallel_tool_calls") is not False,
        thinking=effort not in {None, "none"},
        schema=_answer_schema(request, messages),
        max_tokens=request.get("max_completion_tokens") or request.get("max_tokens"),
        stop_sequences=_stop(request),
        stream=request.get("stream") is True,
        include_usage=bool((request.get("stream_options") or {}).get("include_usage")),
        choices=request.get("n") or 1,
    )


def _messages(request: Json, *, lenient: bool) -> list[Json]:
    messages = request.get("messages")
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise InvalidRequestError(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "messages",
            "empty_array",
        )
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            raise wrong_type(where, "an object", message)
        if not lenient:
            refuse_unknown(message, _MESSAGE_FIELDS, where)
        _check_message(message, where)
    return messages


def _check_message(message: Json, where: str) -> None:
    role = message.get("role")
    if role not in _ROLES:
        raise wrong_value(f"{where}.role", role, _ROLES)
    content = message.get("content")
    has_calls = role == "assistant" and bool(
        message.get("tool_calls") or message.get("function_call") or message.get("refusal")
    )
    if content is None and not has_calls:
        raise InvalidRequestError(
            f"Invalid value for 'content': expected a string, got null. ({where})", f"{where}.content", "invalid_type"
        )
    if isinstance(content, list):
        for number, part in enumerate(content):
            _check_part(part, str(role), f"{where}.content[{number}]")
    elif content is not None and not isinstance(content, str):
        raise wrong_type(f"{where}.content", "a string or an array of objects", content)
    if "tool_calls" in message:
        _check_calls(message["tool_calls"], f"{where}.tool_calls")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{where}.tool_call_id")


def _check_part(part: object, role: str, where: str) -> None:
    if not isinstance(part, dict):
        raise wrong_type(where, "an object", part)
    kind = part.get("type")
    if kind not in _PARTS[role]:
        raise wrong_value(f"{where}.type", kind, _PARTS[role])
    if kind == "text" and not isinstance(part.get("text"), str):
        raise wrong_type(f"{where}.text", "a string", part.get("text"))
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else None
        if not isinstance(url, str) or not re.match(r"https?://|data:image/[\w.+-]+;base64,", url):
            raise InvalidRequestError(
                f"Invalid '{where}.image_url.url'. Expected a base64-encoded data URL with an image MIME type or a"
                " valid URL.",
                f"{where}.image_url.url",
                "invalid_value",
            )
    if kind == "file" and not isinstance(part.get("file"), dict):
        raise wrong_type(f"{where}.file", "an object", part.get("file"))


def _check_calls(calls: object, where: str) -> None:
    if not isinstance(calls, list):
        raise wrong_type(where, "an array of objects", calls)
    if not calls:
        raise InvalidRequestError(
            f"Invalid '{where}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            where,
            "empty_array",
        )
    for index, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type") != "function":
            raise wrong_type(f"{where}[{index}].function", "an object", function)
        for name, value in (("id", call.get("id")), ("function.name", function.get("name"))):
            if not isinstance(value, str) or not value:
                raise wrong_type(f"{where}[{index}].{name}", "a string", value)
        if not isinstance(function.get("arguments"), str):
            raise wrong_type(f"{where}[{index}].function.arguments", "a string", function.get("arguments"))
        if len(call["id"]) > 40:
            raise InvalidRequestError(
                f"Invalid '{where}[{index}].id': string too long. Expected a string with maximum length 40, but got a"
                f" string with length {len(call['id'])} instead.",
                f"{where}[{index}].id",
                "string_above_max_length",
            )


def _check_tool_answers(messages: list[Json]) -> None:
    """Every tool call is answered right after it, and every tool message answers a call."""
    open_calls: dict[str, None] = {}
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise InvalidRequestError(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with"
                    " 'tool_calls'.",
                    f"messages.[{index}].role",
                )
            del open_calls[message["tool_call_id"]]
            continue
        _refuse_open(open_calls, index)
        open_calls = {call["id"]: None for call in message.get("tool_calls") or []}
    _refuse_open(open_calls, len(messages))


def _refuse_open(open_calls: dict[str, None], index: int) -> None:
    if open_calls:
        raise InvalidRequestError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
            " 'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(open_calls),
            f"messages.[{index}].role",
        )


def _check_parameters(request: Json) -> None:
    check_numbers(request, _RANGES, _INTEGERS)
    if request.get("max_tokens") is not None and request.get("max_completion_tokens") is not None:
        raise InvalidRequestError("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
    if request.get("stream_options") is not None and request.get("stream") is not True:
        raise InvalidRequestError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    effort = request.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        raise wrong_value("reasoning_effort", effort, _EFFORTS)


def _stop(request: Json) -> tuple[str, ...]:
    stop = request.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or not all(isinstance(entry, str) for entry in stops):
        raise wrong_type("stop", "a string or an array of strings", stop)
    if len(stops) > 4:
        raise InvalidRequestError(
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length"
            f" {len(stops)} instead.",
            "stop",
            "array_above_max_length",
        )
    return tuple(entry for entry in stops if entry)


def _tools(request: Json) -> tuple[Tool, ...]:
    tools = request.get("tools")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if request.get(name) is not None:
                raise InvalidRequestError(f"'{name}' is only allowed when 'tools' are specified.", name)
        return ()
    if not isinstance(tools, list) or not tools:
        raise InvalidRequestError(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "tools",
            "empty_array",
        )
    return tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools))


def _tool(tool: object, where: str) -> Tool:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict):
        raise missing(f"{where}.function")
    name = function.get("name")
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise InvalidRequestError(
            f"Invalid '{where}.function.name': string does not match pattern. Expected a string that matches the"
            " pattern '^[a-zA-Z0-9_-]+$'.",
            f"{where}.function.name",
            "invalid_value",
        )
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        found = parameters.get("type") if isinstance(parameters, dict) else parameters
        raise InvalidRequestError(
            f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got"
            f" 'type: \"{found}\"'.",
            f"{where}.function.parameters",
            "invalid_function_parameters",
        )
    return Tool(name, parameters)


def _tool_choice(request: Json, tools: tuple[Tool, ...]) -> tuple[ToolMode, str | None]:
    choice = request.get("tool_choice")
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        if choice.get("type") != "function" or name not in {tool.name for tool in tools}:
            raise InvalidRequestError(
                f"Invalid value for 'tool_choice': function '{name}' not found in 'tools'.", "tool_choice"
            )
        return ToolMode.REQUIRED, name
    modes = {None: ToolMode.AUTO} | {mode.value: mode for mode in ToolMode}
    if choice not in modes:
        raise wrong_value("tool_choice", choice, ("none", "auto", "required"))
    return modes[choice], None


def _answer_schema(request: Json, messages: list[Json]) -> object:
    format_ = request.get("response_format")
    if format_ is None:
        return None
    kind = format_.get("type") if isinstance(format_, dict) else None
    if kind == "json_schema":
        schema = format_.get("json_schema")
        if not isinstance(schema, dict) or not isinstance(schema.get("name"), str):
            raise missing("response_format.json_schema.name")
        return schema.get("schema", {"type": "object"})
    if kind == "json_object":
        if not any("json" in _text(message).lower() for message in messages):
            raise InvalidRequestError(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                "messages",
            )
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if kind != "text":
        raise wrong_value("response_format.type", kind, ("json_object", "json_schema", "text"))
    return None


def _text(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""


def _count_parts(messages: list[Json], kind: str) -> int:
    contents = [message["content"] for message in messages if isinstance(message.get("content"), list)]
    return sum(part["type"] == kind for content in contents for part in content)


def _last_results(messages: list[Json]) -> tuple[str, ...]:
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, _text(message))
    return tuple(results)
