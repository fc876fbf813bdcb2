"""Reads a Gemini generateContent request: refuses what Google refuses, with its words.

https://ai.google.dev/api/generate-content
"""

import json
import re
from typing import Any

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
    "cachedContent", "contents", "generationConfig", "labels", "model", "safetySettings", "serviceTier", "store",
    "systemInstruction", "toolConfig", "tools",
})  # fmt: skip
_CONFIG_FIELDS = frozenset({
    "audioTimestamp", "candidateCount", "enableAffectiveDialog", "enableEnhancedCivicAnswers", "frequencyPenalty",
    "imageConfig", "logprobs", "maxOutputTokens", "mediaResolution", "presencePenalty", "responseFormat",
    "responseJsonSchema", "responseLogprobs", "responseMimeType", "responseModalities", "responseSchema", "seed",
    "speechConfig", "stopSequences", "temperature", "thinkingConfig", "topK", "topP",
})  # fmt: skip
_PART_DATA = frozenset({
    "codeExecutionResult", "executableCode", "fileData", "functionCall", "functionResponse", "inlineData", "text",
    "toolCall", "toolResponse",
})  # fmt: skip
_MODES = {"AUTO": ToolMode.AUTO, "VALIDATED": ToolMode.AUTO, "ANY": ToolMode.REQUIRED, "NONE": ToolMode.NONE}
_FUNCTION_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
_STANDARD = str.maketrans("-_", "+/")
_SKIPPED = {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}
_UNDERSCORE = re.compile(r"_([a-z])")


def read(request: Json, call: Call) -> Turn:
    """Checks a request and reduces it to its last turn; raises `InvalidRequestError`."""
    request = _camel(request)
    config = _camel(request.get("generationConfig") or {})
    if not call.lenient:
        _refuse_unknown(request, _FIELDS, "")
        _refuse_unknown(config, _CONFIG_FIELDS, " at 'generation_config'")
    _check_config(config)
    contents = _contents(request.get("contents"))
    tools = _tools(request)
    mode, forced = _tool_choice(request, tools)
    system = _text(_parts(request.get("systemInstruction") or {"parts": []}, "system_instruction"))
    thinking = _camel(config.get("thinkingConfig") or {})
    last = contents[-1]["parts"]
    everything = [part for content in contents for part in content["parts"]]
    return Turn(
        digest=digest_of(request | {"model": call.model}),
        model=call.model,
        user_text=_text(last),
        prompt_chars=len(system) + len(_text(everything)),
        system=system,
        images=sum(_media(part).startswith("image/") for part in everything),
        documents=sum(_media(part) in {"application/pdf", "text/plain"} for part in everything),
        tool_results=tuple(
            json.dumps(part["functionResponse"].get("response"), ensure_ascii=False)
            for part in last
            if "functionResponse" in part
        ),
        tools=tools,
        tool_mode=mode,
        forced_tool=forced,
        thinking=thinking.get("includeThoughts") is True and thinking.get("thinkingBudget") != 0,
        schema=_answer_schema(config),
        max_tokens=config.get("maxOutputTokens"),
        stop_sequences=tuple(config.get("stopSequences") or ()),
        stream=call.stream,
        include_usage=True,
        choices=config.get("candidateCount") or 1,
    )


def _camel(mapping: Json) -> Json:
    """The mapping with names in camel case: Google reads both spellings."""
    return {_UNDERSCORE.sub(lambda match: match[1].upper(), name): value for name, value in mapping.items()}


def _refuse_unknown(mapping: Json, known: frozenset[str], where: str) -> None:
    for name in mapping:
        if name not in known:
            raise InvalidRequestError(
                f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.', name
            )


def _check_config(config: Json) -> None:
    for name, (low, high) in {"temperature": (0, 2), "topP": (0, 1)}.items():
        value = config.get(name)
        if value is not None and (not is_number(value) or not low <= value <= high):
            raise InvalidRequestError(
                f"* GenerateContentRequest.generation_config.{name}: must be in the range [{low:.1f}, {high:.1f}].",
                f"generation_config.{name}",
            )
    for name in ("maxOutputTokens", "candidateCount"):
        value = config.get(name)
        if value is not None and (not is_integer(value) or value < 1):
            raise InvalidRequestError(f"{name} must be positive.", f"generation_config.{name}")
    stops = config.get("stopSequences") or []
    if len(stops) > 5 or not all(isinstance(stop, str) and stop for stop in stops):
        raise InvalidRequestError("stop_sequences: up to 5 texts, none empty.", "generation_config.stop_sequences")


def _contents(contents: object) -> list[Json]:
    if not contents:
        raise InvalidRequestError("* GenerateContentRequest.contents: contents is not specified\n", "contents")
    checked: list[Json] = []
    calls = 0
    for index, content in enumerate(contents if isinstance(contents, list) else [contents]):
        if not isinstance(content, dict):
            raise InvalidRequestError(f"Invalid value at 'contents[{index}]': Proto field is not repeating.")
        role = content.get("role", "user")
        if role not in {"user", "model", "function"}:
            raise InvalidRequestError("Please use a valid role: user, model.", f"contents[{index}].role")
        parts = _parts(content, f"contents[{index}]")
        if not parts:
            raise InvalidRequestError(
                f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n",
                f"contents[{index}].parts",
            )
        answers = sum("functionResponse" in part for part in parts)
        if answers != calls:
            raise InvalidRequestError(
                "Please ensure that the number of function response parts is equal to the number of function call"
                " parts of the function call turn."
            )
        calls = sum("functionCall" in part for part in parts)
        if calls and (role != "model" or not checked or checked[-1]["role"] == "model"):
            raise InvalidRequestError(
                "Please ensure that function call turn comes immediately after a user turn or after a function response"
                " turn."
            )
        checked.append({"role": role, "parts": parts})
    return checked


def _parts(content: Any, where: str) -> list[Json]:
    given = [{"text": content}] if isinstance(content, str) else content.get("parts") or []
    parts = [_camel(part) for part in (given if isinstance(given, list) else [given])]
    for index, part in enumerate(parts):
        place = f"{where}.parts[{index}]"
        data = _PART_DATA & part.keys()
        if len(data) != 1 and not ("thoughtSignature" in part and not data):
            raise InvalidRequestError(
                f"* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field\n",
                f"{place}.data",
            )
        if "functionCall" in part:
            _check_call(part, place)
        if "inlineData" in part and not _camel(part["inlineData"]).get("mimeType"):
            raise InvalidRequestError("Unable to submit request because it must have a mimeType parameter.", place)
    return parts


def _check_call(part: Json, where: str) -> None:
    call = part["functionCall"]
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise InvalidRequestError(
            f"* GenerateContentRequest.{where}.function_call.name: Name cannot be empty.\n", where
        )
    given = part.get("thoughtSignature")
    # Bytes in JSON: both alphabets of base64 are read.
    if given is not None and given not in _SKIPPED and given.translate(_STANDARD) != signature(call["name"]):
        raise InvalidRequestError("Thought signature is not valid.", where)


def _tools(request: Json) -> tuple[Tool, ...]:
    """The functions; tools like Google's search would run at the provider."""
    tools = []
    for index, entry in enumerate(request.get("tools") or []):
        for number, declaration in enumerate(_camel(entry).get("functionDeclarations") or []):
            declaration, where = _camel(declaration), f"tools[{index}].function_declarations[{number}]"
            name = declaration.get("name")
            if not isinstance(name, str) or not _FUNCTION_NAME.fullmatch(name):
                raise InvalidRequestError(
                    f"* GenerateContentRequest.{where}.name: Invalid function name. Must start with a letter or an"
                    " underscore.\n",
                    f"{where}.name",
                )
            if "parameters" in declaration and "parametersJsonSchema" in declaration:
                raise InvalidRequestError(f"{where}: parameters and parameters_json_schema exclude each other.", where)
            schema = declaration.get("parameters") or declaration.get("parametersJsonSchema") or {"type": "object"}
            tools.append(Tool(name, _plain_schema(schema)))
    return tuple(tools)


def _tool_choice(request: Json, tools: tuple[Tool, ...]) -> tuple[ToolMode, str | None]:
    config = _camel((_camel(request.get("toolConfig") or {})).get("functionCallingConfig") or {})
    mode = config.get("mode", "AUTO")
    allowed = config.get("allowedFunctionNames") or []
    if mode not in _MODES:
        raise InvalidRequestError(f"Invalid value at 'tool_config.function_calling_config.mode': \"{mode}\"")
    if allowed and mode not in {"ANY", "VALIDATED"}:
        raise InvalidRequestError("Please set allowed_function_names only when function calling mode is ANY.")
    for name in allowed:
        if name not in {tool.name for tool in tools}:
            raise InvalidRequestError(f"allowed_function_names: the function {name} is not declared.")
    return _MODES[mode], allowed[0] if mode == "ANY" and len(allowed) == 1 else None


def _answer_schema(config: Json) -> object:
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    kind = config.get("responseMimeType", "text/plain")
    if schema is not None and kind != "application/json":
        raise InvalidRequestError("response_mime_type must be application/json when a response schema is given.")
    if schema is None and kind == "application/json":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return None if schema is None else _plain_schema(schema)


def _plain_schema(schema: Any) -> Any:
    """A JSON Schema of Google's dialect, whose types are in upper case."""
    if isinstance(schema, list):
        return [_plain_schema(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain_schema(value) for name, value in schema.items()}
    if isinstance(plain.get("type"), str):
        plain["type"] = plain["type"].lower()
    return plain


def _media(part: Json) -> str:
    data = _camel(part.get("inlineData") or part.get("fileData") or {})
    return str(data.get("mimeType", ""))


def _text(parts: list[Json]) -> str:
    return "\n".join(part["text"] for part in parts if "text" in part and not part.get("thought"))
