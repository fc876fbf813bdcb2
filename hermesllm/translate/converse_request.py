"""Requests to Amazon Bedrock Converse in all but the conversation, from parameters in the words of the Messages API.

What Converse has no member for goes to the model itself, in `additionalModelRequestFields`, as its family spells it.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from hermesllm.bedrock_models import BedrockModel
from hermesllm.reading import (
    compact_json,
    invalid,
    object_or_empty,
    objects_in,
    optional_list,
    optional_object,
    required_object,
    required_text,
)
from hermesllm.reasoning import anthropic_effort, is_off
from hermesllm.translate.base import Context
from hermesllm.translate.chat_request import EMPTY_SCHEMA, free_name
from hermesllm.translate.converse_conversation import Block, ConverseConversation, ToolNames
from hermesllm.translate.fixups import GATEWAY_METADATA

# Converse's own members, for clients that write them into their requests.
EXTENSIONS = (
    "guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata", "serviceTier",
    "additionalModelRequestFields", "outputConfig",
)  # fmt: skip
RESPONSE_PATHS = "additionalModelResponseFieldPaths"

_INFERENCE = {
    "max_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop_sequences": "stopSequences",
}
_CLIENT_RUN_TOOLS = ("bash_", "computer_", "text_editor_")  # Anthropic's tools that the client runs
_TOOL_MEMBERS = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_PARALLEL = "tool_choice.disable_parallel_tool_use"
_CHOICES = ("auto", "any", "tool", "none")
_METADATA_KEY = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_METADATA_VALUE = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_METADATA_LIMIT = 16
_NOVA_EFFORTS = {"low": "low", "medium": "medium"}


@dataclass(frozen=True, slots=True)
class Answering:
    """What the answer has to heed of the request. `answer_tool`: the tool whose input is the structured answer."""

    names: ToolNames = field(default_factory=ToolNames)
    answer_tool: str | None = None


class ConverseRequest:
    """One request in the making; `body` is what goes out. The order of the calls does not matter, save for `finish`."""

    def __init__(self, client: dict[str, Any], context: Context, model: BedrockModel, names: ToolNames) -> None:
        self.body: dict[str, Any] = {}
        self.names = names
        self._context = context
        self._model = model
        self._tools: list[Block] = []
        self._choice: Block | None = None
        self._extra: dict[str, Any] = {}
        for name in EXTENSIONS:
            if client.get(name) is not None:
                self.body[name] = dict(required_object(client[name], name))
        self._extra.update(self.body.pop("additionalModelRequestFields", {}))
        if client.get(RESPONSE_PATHS) is not None:
            self.body[RESPONSE_PATHS] = list(optional_list(client[RESPONSE_PATHS], RESPONSE_PATHS))

    def inference(self, asked: dict[str, Any]) -> None:
        config = {ours: asked[name] for name, ours in _INFERENCE.items() if asked.get(name) not in (None, [])}
        if config:
            self.body["inferenceConfig"] = config
        if asked.get("top_k") is not None:
            self._top_k(asked["top_k"])

    def reasoning(self, asked: dict[str, Any], loc: str | None = None) -> None:
        """`thinking` and `output_config.effort`, as far as the model has something of the kind.

        `loc` is the client's name for the effort where that is another.
        """
        thinking = optional_object(asked.get("thinking"), "thinking")
        config = optional_object(asked.get("output_config"), "output_config")
        if self._model.claude:
            if thinking:
                self._extra.setdefault("thinking", thinking)
            if config.get("effort") is not None:
                self._effort(config["effort"], loc or "output_config.effort")
            return
        effort = anthropic_effort(asked)
        if effort is None or is_off(effort):
            return
        if self._model.nova_reasoning:
            level = {"type": "enabled", "maxReasoningEffort": _NOVA_EFFORTS.get(effort, "high")}
            self._extra.setdefault("reasoningConfig", level)
        elif self._model.effort_field:
            self._extra.setdefault("reasoning_effort", effort if effort in _NOVA_EFFORTS else "high")
        else:
            self._context.drop("thinking" if thinking else loc or "output_config.effort")

    def answer_schema(
        self, schema: dict[str, Any], conversation: ConverseConversation, name: str = "", description: str = ""
    ) -> str | None:
        """Asks for an answer of a JSON schema; the name of the tool that stands in for it on most models."""
        if self._model.json_schema_output:
            wanted = {"schema": compact_json(schema, "schema"), "name": name, "description": description}
            declared = {key: value for key, value in wanted.items() if value}
            text_format = {"type": "json_schema", "structure": {"jsonSchema": declared}}
            self.body.setdefault("outputConfig", {}).setdefault("textFormat", text_format)
            return None
        taken = [object_or_empty(tool.get("toolSpec")).get("name") for tool in self._tools]
        name = free_name(name or "answer", taken)
        specification = {
            "name": name,
            "description": description or "Gives the final answer to the user.",
            "inputSchema": {"json": schema if "type" in schema else {**EMPTY_SCHEMA, **schema}},
        }
        self._tools.append({"toolSpec": specification})
        conversation.add_system_text(f"Give the final answer by calling the tool {name}.")
        thinks = object_or_empty(self._extra.get("thinking")).get("type") in ("enabled", "adaptive")
        if self._choice in (None, {"auto": {}}) and not thinks:  # Claude does not think before a forced call
            self._choice = {"any": {}} if len(self._tools) > 1 else {"tool": {"name": name}}
            self._extra.pop("tool_choice", None)
        return name

    def tools(self, tools: list[tuple[dict[str, Any], str]], conversation: ConverseConversation) -> None:
        """Declares tools of the Messages API, each with its path in the client's request."""
        for tool, loc in tools:
            kind = tool.get("type")
            if kind in (None, "custom"):
                self._tools.append({"toolSpec": self._tool(tool, loc)})
                mark = tool.get("cache_control")
                if mark is not None and (point := conversation.cache_point(mark, f"{loc}.cache_control")):
                    self._tools.append(point)
            elif self._model.claude and isinstance(kind, str) and kind.startswith(_CLIENT_RUN_TOOLS):
                self._native_tool(tool, kind)
            else:
                self._context.drop(loc)  # run by Anthropic's servers

    def tool_choice(self, choice: dict[str, Any], calls: dict[str, None], parallel: str = _PARALLEL) -> None:
        """Sets the choice, which Converse has for tools only, and not as `none`.

        `parallel` is where the client says that it wants one call at a time.
        """
        kind = choice.get("type")
        if kind not in _CHOICES:
            raise invalid("tool_choice.type", "expected 'auto', 'any', 'tool' or 'none'")
        if not self._tools:
            if kind not in ("auto", "none"):
                self._context.drop("tool_choice")
            return
        if kind == "none":
            if calls:
                self._context.drop("tool_choice")  # a history of calls needs its declarations
            else:
                self._tools.clear()
            return
        if kind == "tool" and choice.get("name") is not None:
            name = self.names.sent(required_text(choice["name"], "tool_choice.name"))
            self._choice = {"tool": {"name": name}}
        else:
            self._choice = {"any": {}} if kind == "any" else {"auto": {}}
        if choice.get("disable_parallel_tool_use") is True:
            self._one_call_at_a_time(choice, parallel)

    def metadata(self, name: str, value: Any, loc: str) -> None:
        """An entry of `requestMetadata`, if AWS takes it."""
        if name in GATEWAY_METADATA:
            return
        kept: dict[str, Any] = self.body.setdefault("requestMetadata", {})
        fits = isinstance(value, str) and _METADATA_KEY.fullmatch(name) and _METADATA_VALUE.fullmatch(value)
        if fits and (name in kept or len(kept) < _METADATA_LIMIT):
            kept.setdefault(name, value)
        else:
            self._context.drop(loc)

    def betas(self, flags: list[Any]) -> None:
        """Adds beta flags of Claude's to those that are asked for already."""
        known = optional_list(self._extra.get("anthropic_beta"), "additionalModelRequestFields.anthropic_beta")
        self._extra["anthropic_beta"] = [*known, *(flag for flag in flags if flag not in known)]

    def service_tier(self, tier: Any, types: dict[str, str | None]) -> None:
        """`types`: Converse's tier of each of the client's that it has; None where nothing needs to be said."""
        if tier is None:
            return
        if not isinstance(tier, str) or tier not in types:
            self._context.drop("service_tier")
        elif types[tier] is not None:
            self.body.setdefault("serviceTier", {"type": types[tier]})

    def response_field(self, pointer: str) -> None:
        """Asks for a member of the model's own answer."""
        paths: list[Any] = self.body.setdefault(RESPONSE_PATHS, [])
        if pointer not in paths:
            paths.append(pointer)

    def finish(self, conversation: ConverseConversation) -> dict[str, Any]:
        self.body["messages"] = conversation.messages
        if conversation.system:
            self.body["system"] = conversation.system
        if not self._tools and conversation.calls:
            native = [tool.get("name") for tool in objects_in(self._extra.get("tools"))]
            # Converse refuses a history of calls in a request that declares no tools.
            missing = [name for name in conversation.calls if name not in native]
            self._tools = [{"toolSpec": {"name": name, "inputSchema": {"json": EMPTY_SCHEMA}}} for name in missing]
        if self._tools:
            self.body["toolConfig"] = {"tools": self._tools}
            if self._choice is not None:
                self.body["toolConfig"]["toolChoice"] = self._choice
        if self._extra:
            self.body["additionalModelRequestFields"] = self._extra
        if not self.body.get("requestMetadata", True):
            del self.body["requestMetadata"]
        return self.body

    def _top_k(self, value: Any) -> None:
        path = self._model.top_k
        if not path:
            self._context.drop("top_k")
            return
        holder = self._extra
        for name in path[:-1]:
            holder[name] = holder = dict(object_or_empty(holder.get(name)))
        holder.setdefault(path[-1], value)

    def _effort(self, value: Any, loc: str) -> None:
        if self._model.efforts:
            self.body.setdefault("outputConfig", {}).setdefault("effort", value)
        else:
            self._context.drop(loc)

    def _tool(self, tool: dict[str, Any], loc: str) -> Block:
        specification: Block = {"name": self.names.sent(required_text(tool.get("name"), f"{loc}.name"))}
        if tool.get("description"):
            specification["description"] = required_text(tool["description"], f"{loc}.description")
        schema = optional_object(tool.get("input_schema"), f"{loc}.input_schema")
        specification["inputSchema"] = {"json": schema if "type" in schema else {**EMPTY_SCHEMA, **schema}}
        if tool.get("strict") is True and self._model.strict_tools:
            specification["strict"] = True
        elif tool.get("strict") is True:
            self._context.drop(f"{loc}.strict")
        for name, value in tool.items():
            if name not in _TOOL_MEMBERS and value is not None:
                self._context.drop(f"{loc}.{name}")
        return specification

    def _native_tool(self, tool: dict[str, Any], kind: str) -> None:
        self._extra["tools"] = [*optional_list(self._extra.get("tools"), "additionalModelRequestFields.tools"), tool]
        date = kind.rpartition("_")[2]
        if kind.startswith("computer_") and len(date) == 8:
            self.betas([f"computer-use-{date[:4]}-{date[4:6]}-{date[6:]}"])

    def _one_call_at_a_time(self, choice: dict[str, Any], loc: str) -> None:
        """Claude takes this in its own tool choice, beside which Converse's must not stand."""
        if not (self._model.claude and self._model.known):
            self._context.drop(loc)
            return
        own = {name: value for name, value in choice.items() if name in ("type", "disable_parallel_tool_use")}
        if self._choice is not None and "tool" in self._choice:
            own["name"] = self._choice["tool"]["name"]
        self._extra.setdefault("tool_choice", own)
        self._choice = None
