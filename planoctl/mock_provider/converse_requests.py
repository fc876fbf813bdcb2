"""Reads an Amazon Bedrock Converse request: refuses what Bedrock refuses, with its words.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

import base64
import binascii
import json
import re

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
    "additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig",
    "messages", "outputConfig", "performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "system",
    "toolConfig",
})  # fmt: skip
_BLOCKS = (
    "audio", "cachePoint", "citationsContent", "document", "guardContent", "image", "reasoningContent", "searchResult",
    "text", "toolAddition", "toolRemoval", "toolResult", "toolUse", "video",
)  # fmt: skip
_IMAGE_FORMATS = {"png", "jpeg", "gif", "webp"}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TRY_AGAIN = "and try again."


def read(request: Json, call: Call) -> Turn:
    """Checks a request and reduces it to its last turn; raises `InvalidRequestError`."""
    for name in request:
        if name not in _FIELDS and not call.lenient:
            raise InvalidRequestError(
                f"Malformed input request: #: extraneous key [{name}] is not permitted, please reformat your input"
                f" {_TRY_AGAIN}"
            )
    messages = _messages(request.get("messages"))
    inference = _inference(request)
    tools, mode, forced = _tools(request, messages)
    system = _text(_objects(request.get("system") or [], "system"))
    thinking = _thinking(request.get("additionalModelRequestFields") or {})
    last = messages[-1]["content"]
    everything = [block for message in messages for block in message["content"]]
    flat = [inner for block in everything for inner in _unfolded(block)]
    return Turn(
        digest=digest_of(request | {"model": call.model}),
        model=call.model,
        user_text=_text(last),
        prompt_chars=len(system) + len(_text(flat)),
        system=system,
        images=sum("image" in block for block in flat),
        documents=sum("document" in block for block in flat),
        tool_results=tuple(_result_text(block["toolResult"]) for block in last if "toolResult" in block),
        tools=tools,
        tool_mode=mode,
        forced_tool=forced,
        thinking=thinking,
        schema=_answer_schema(request),
        max_tokens=inference.get("maxTokens"),
        stop_sequences=tuple(inference.get("stopSequences") or ()),
        stream=call.stream,
        include_usage=True,
    )


def _messages(messages: object) -> list[Json]:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError(
            "A conversation must start with a user message. Try again with a conversation that starts with a user"
            " message."
        )
    role = "assistant"
    for index, message in enumerate(_objects(messages, "messages")):
        where = f"messages.{index}"
        if message.get("role") not in {"user", "assistant"}:
            raise _not_in_enum(message.get("role"), f"{where}.member.role", "user, assistant")
        if message["role"] == role:
            expected = "A conversation must start with a user message." if index == 0 else (
                "A conversation must alternate between user and assistant roles."
            )  # fmt: skip
            raise InvalidRequestError(f"{expected} Correct the conversation {_TRY_AGAIN}")
        role = message["role"]
        blocks = _objects(message.get("content"), f"{where}.content")
        if not blocks:
            raise InvalidRequestError(
                f"The content field in the Message object at {where} is empty. Add a ContentBlock object to the content"
                f" field {_TRY_AGAIN}"
            )
        for number, block in enumerate(blocks):
            _check_block(block, f"{where}.content.{number}")
    _check_tool_results(messages)
    return messages


def _check_block(block: Json, where: str) -> None:
    kinds = [name for name in block if name in _BLOCKS]
    if len(kinds) != 1 or len(block) != 1:
        raise InvalidRequestError(
            f"The format of the value at {where} is invalid. Provide exactly one ContentBlock member {_TRY_AGAIN}"
        )
    kind = kinds[0]
    value = block[kind]
    if kind == "text":
        if not isinstance(value, str) or not value.strip():
            raise InvalidRequestError(
                f"The text field in the ContentBlock object at {where} is blank. Add text to the text field,"
                f" {_TRY_AGAIN}"
            )
        return
    if not isinstance(value, dict):
        raise InvalidRequestError(f"The value at {where}.{kind} is not an object.")
    if kind == "image":
        _check_image(value, where)
    elif kind == "document" and not (value.get("name") and value.get("source")):
        raise InvalidRequestError(f"The document at {where} needs a name and a source.")
    elif kind == "toolUse" and not _is_tool_use(value):
        raise InvalidRequestError(f"The toolUse block at {where} needs toolUseId, name and an object as input.")
    elif kind == "toolResult":
        for number, inner in enumerate(_objects(value.get("content"), f"{where}.toolResult.content")):
            if not inner.keys() & {"text", "json", "image", "document", "video", "searchResult"}:
                raise InvalidRequestError(f"The format of the value at {where}.toolResult.content.{number} is invalid.")
    elif kind == "reasoningContent":
        _check_reasoning(value, where)


def _check_image(image: Json, where: str) -> None:
    if image.get("format") not in _IMAGE_FORMATS:
        raise _not_in_enum(image.get("format"), f"{where}.image.format", ", ".join(sorted(_IMAGE_FORMATS)))
    data = (image.get("source") or {}).get("bytes")
    if data is not None and not _is_base64(data):
        raise InvalidRequestError(f"The bytes of the image at {where} are not valid base64.")


def _is_base64(data: object) -> bool:
    try:
        return isinstance(data, str) and bool(base64.b64decode(data, validate=True))
    except binascii.Error:
        return False


def _check_reasoning(reasoning: Json, where: str) -> None:
    text = reasoning.get("reasoningText")
    if isinstance(text, dict) and text.get("signature") != signature(str(text.get("text"))):
        raise InvalidRequestError(
            f"The model returned the following errors: {where}: Invalid `signature` in `thinking` block"
        )


def _is_tool_use(value: Json) -> bool:
    return (
        isinstance(value.get("toolUseId"), str)
        and bool(_TOOL_NAME.fullmatch(str(value.get("name"))))
        and isinstance(value.get("input"), dict)
    )


def _check_tool_results(messages: list[Json]) -> None:
    """Every `toolUse` is answered in the next message, every `toolResult` answers one."""
    asked: list[str] = []
    for index, message in enumerate(messages):
        answered = [block["toolResult"].get("toolUseId") for block in message["content"] if "toolResult" in block]
        if len(answered) > len(asked):
            raise InvalidRequestError(
                f"The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of"
                " previous turn."
            )
        if missing := [name for name in asked if name not in answered]:
            raise InvalidRequestError(
                f"Expected toolResult blocks at messages.{index}.content for the following Ids: {', '.join(missing)}"
            )
        asked = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]


def _inference(request: Json) -> Json:
    inference: Json = request.get("inferenceConfig") or {}
    most = inference.get("maxTokens")
    if most is not None and (not is_integer(most) or most < 1):
        raise InvalidRequestError("The value at inferenceConfig.maxTokens must be an integer of at least 1.")
    for name in ("temperature", "topP"):
        value = inference.get(name)
        if value is not None and (not is_number(value) or not 0 <= value <= 1):
            raise InvalidRequestError(f"The value at inferenceConfig.{name} must be a number from 0 to 1.")
    if not all(isinstance(stop, str) and stop for stop in inference.get("stopSequences") or ()):
        raise InvalidRequestError("The stop sequences at inferenceConfig.stopSequences must be texts, none empty.")
    return inference


def _tools(request: Json, messages: list[Json]) -> tuple[tuple[Tool, ...], ToolMode, str | None]:
    config = request.get("toolConfig")
    if config is None:
        if any(block.keys() & {"toolUse", "toolResult"} for message in messages for block in message["content"]):
            raise InvalidRequestError(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
            )
        return (), ToolMode.AUTO, None
    tools = []
    for index, entry in enumerate(_objects(config.get("tools"), "toolConfig.tools")):
        if "toolSpec" not in entry:
            continue  # a cache point, or a tool that Bedrock runs
        spec, where = entry["toolSpec"], f"toolConfig.tools.{index}.member.toolSpec"
        schema = (spec.get("inputSchema") or {}).get("json")
        if not _TOOL_NAME.fullmatch(str(spec.get("name"))):
            raise InvalidRequestError(
                f"Value '{spec.get('name')}' at '{where}.name' failed to satisfy constraint: Member must satisfy"
                " regular expression pattern: [a-zA-Z0-9_-]+"
            )
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise InvalidRequestError(
                f"The value at {where}.inputSchema.json.type must be one of the following: object."
            )
        tools.append(Tool(spec["name"], schema))
    if not config.get("tools"):
        raise InvalidRequestError("The tools at toolConfig.tools are empty. Add a tool, or remove toolConfig.")
    choice = config.get("toolChoice") or {"auto": {}}
    name = (choice.get("tool") or {}).get("name")
    if "tool" in choice and name not in {tool.name for tool in tools}:
        raise InvalidRequestError(f"The tool {name} at toolConfig.toolChoice.tool.name is not in toolConfig.tools.")
    return tuple(tools), ToolMode.AUTO if "auto" in choice else ToolMode.REQUIRED, name


def _thinking(fields: Json) -> bool:
    """Whether the model is asked to think, in the words of Claude or of DeepSeek, Nova and others."""
    wanted = fields.get("thinking") or fields.get("reasoning_config") or fields.get("reasoningConfig") or {}
    return isinstance(wanted, dict) and wanted.get("type") in {"enabled", "adaptive"}


def _answer_schema(request: Json) -> object:
    format_ = (request.get("outputConfig") or {}).get("textFormat")
    if format_ is None:
        return None
    try:
        return json.loads(format_["structure"]["jsonSchema"]["schema"])
    except (KeyError, TypeError, ValueError):
        raise InvalidRequestError("The schema at outputConfig.textFormat.structure.jsonSchema is not JSON.") from None


def _objects(value: object, where: str) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise InvalidRequestError(f"The value at {where} is not a list of objects.")
    return value


def _unfolded(block: Json) -> list[Json]:
    return block["toolResult"]["content"] if "toolResult" in block else [block]


def _result_text(result: Json) -> str:
    parts = [block["text"] if "text" in block else json.dumps(block["json"]) for block in result["content"]
             if block.keys() & {"text", "json"}]  # fmt: skip
    return "\n".join(parts)


def _text(blocks: list[Json]) -> str:
    return "\n".join(block["text"] for block in blocks if "text" in block)


def _not_in_enum(value: object, where: str, allowed: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy"
        f" enum value set: [{allowed}]"
    )
