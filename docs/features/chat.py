"""The features of Chat Completions requests."""

from typing import Any

from docs.features.media import PDF, PDF_DATA, PICTURE, PICTURE_DATA, PICTURE_URL, SCHEMA, SOUND
from docs.features.outcome import Asking, Client, Json
from hermesllm.formats import Format

_FUNCTION: Json = {"name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA}
_TOOL: Json = {"type": "function", "function": _FUNCTION}
_OTHER_TOOL: Json = {"type": "function", "function": {"name": "get_time", "parameters": SCHEMA}}
_TOOLS = {"tools": [_TOOL, _OTHER_TOOL]}


def _said(content: Any, role: str = "user", **members: Any) -> Json:
    return {"messages": [{"role": role, "content": content, **members}]}


def _part(part: Json) -> Json:
    return _said([{"type": "text", "text": "What is this?"}, part])


def _call(number: int, name: str) -> Json:
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": '{"city":"Paris"}'}}


def _results(*contents: Any) -> Json:
    calls = [_call(number, "get_weather") for number in range(len(contents))]
    results = [
        {"role": "tool", "tool_call_id": f"call_{number}", "content": content}
        for number, content in enumerate(contents)
    ]
    return {
        "messages": [
            {"role": "user", "content": "The weather?"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            *results,
        ]
    }


def _follow(request: Json, answer: Json) -> Json:
    said = [answer["choices"][0]["message"], {"role": "user", "content": "Go on"}]
    return {**request, "messages": [*request["messages"], *said]}


_IMAGE_URL: Json = {"type": "image_url", "image_url": {"url": PICTURE_URL}}
_IMAGE: Json = {"type": "image_url", "image_url": {"url": PICTURE_DATA}}
_DETAIL: Json = {"type": "image_url", "image_url": {"url": PICTURE_DATA, "detail": "low"}}
_DOCUMENT: Json = {"type": "file", "file": {"filename": "plan.pdf", "file_data": PDF_DATA}}
_UPLOADED: Json = {"type": "file", "file": {"file_id": "file-4711"}}
_AUDIO: Json = {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}
_MARKED: Json = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
_JSON_SCHEMA: Json = {"name": "city", "schema": SCHEMA, "strict": True}
_ALLOWED: Json = {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_time"}}]}
_CUSTOM: Json = {"type": "custom", "custom": {"name": "patch", "description": "Applies a patch"}}
_CUSTOM_CALL: Json = {"id": "call_0", "type": "custom", "custom": {"name": "patch", "input": "@@ 1"}}

CHAT = Client(
    format=Format.CHAT,
    plain={"model": "any", **_said("Hello")},
    follow=_follow,
    asking=(
        Asking(name="text", request=_said("Bonjour"), marks=("Bonjour",)),
        Asking(name="system and developer messages", request={"messages": [
            {"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": "Hello"},
        ]}, marks=("Be brief.", "Be kind.")),
        Asking(name="`name` of a participant", request=_said("Hello", name="Ada"), marks=("Ada",)),
        Asking(name="image by URL", request=_part(_IMAGE_URL), marks=(PICTURE_URL,), piece=_IMAGE_URL),
        Asking(name="image as base64", request=_part(_IMAGE), marks=(PICTURE,), piece=_IMAGE),
        Asking(name="image `detail`", beside=_part(_IMAGE), request=_part(_DETAIL), piece=_DETAIL),
        Asking(name="PDF document", request=_part(_DOCUMENT), marks=(PDF,), piece=_DOCUMENT),
        Asking(name="uploaded file", request=_part(_UPLOADED), marks=("file-4711",), piece=_UPLOADED),
        Asking(name="audio input", request=_part(_AUDIO), marks=(SOUND,), piece=_AUDIO),
        Asking(name="function tools", request={"tools": [_TOOL]}, marks=("get_weather", "Weather of a city")),
        Asking(name="`functions` (the old kind)", request={"functions": [_FUNCTION]}, marks=("get_weather",)),
        Asking(
            name="strict tools", beside={"tools": [_TOOL]},
            request={"tools": [{"type": "function", "function": {**_FUNCTION, "strict": True}}]},
        ),
        Asking(name="custom tools", request={"tools": [_CUSTOM]}, marks=("patch", "Applies a patch")),
        Asking(name="calls of custom tools in the history", request={"messages": [
            {"role": "user", "content": "Patch it"},
            {"role": "assistant", "content": None, "tool_calls": [_CUSTOM_CALL]},
            {"role": "tool", "tool_call_id": "call_0", "content": "patched"},
        ]}, marks=("@@ 1", "patched")),
        Asking(name="web search", request={"web_search_options": {}}),
        Asking(
            name="web search `search_context_size`", beside={"web_search_options": {}},
            request={"web_search_options": {"search_context_size": "high"}},
        ),
        Asking(name="tool choice `required`", beside=_TOOLS, request={"tool_choice": "required"}),
        Asking(name="tool choice of one function", beside=_TOOLS, request={
            "tool_choice": {"type": "function", "function": {"name": "get_time"}},
        }),
        Asking(name="tool choice `allowed_tools`", beside=_TOOLS, request={
            "tool_choice": {"type": "allowed_tools", "allowed_tools": _ALLOWED},
        }),
        Asking(name="tool choice `none`", beside=_TOOLS, request={"tool_choice": "none"}),
        Asking(name="`parallel_tool_calls: false`", beside=_TOOLS, request={"parallel_tool_calls": False}),
        Asking(
            name="parallel tool calls and their results", beside=_TOOLS, request=_results("sunny", "windy"),
            marks=("sunny", "windy"),
        ),
        Asking(
            name="tool results with images", beside=_TOOLS, marks=("sunny", PICTURE),
            request=_results([{"type": "text", "text": "sunny"}, _IMAGE]),
        ),
        Asking(name="JSON schema output", marks=("city",), request={
            "response_format": {"type": "json_schema", "json_schema": _JSON_SCHEMA},
        }),
        Asking(name="JSON mode", request={"response_format": {"type": "json_object"}}),
        Asking(name="`verbosity`", request={"verbosity": "low"}),
        Asking(name="reasoning effort", request={"reasoning_effort": "high"}),
        Asking(name="prompt cache marks", request=_said([_MARKED]), piece=_MARKED),
        Asking(name="`prompt_cache_key`", request={"prompt_cache_key": "key-4711"}, marks=("key-4711",)),
        Asking(name="token limit", request={"max_completion_tokens": 4711}, marks=(4711,)),
        Asking(name="stop sequences", request={"stop": ["END", "HALT"]}, marks=("END", "HALT")),
        Asking(name="`temperature`", request={"temperature": 0.47}, marks=(0.47,)),
        Asking(name="`top_p`", request={"top_p": 0.47}, marks=(0.47,)),
        Asking(name="`top_k`", request={"top_k": 47}, marks=(47,)),
        Asking(name="`seed`", request={"seed": 4711}, marks=(4711,)),
        Asking(name="penalties", marks=(0.47, 0.11), request={"presence_penalty": 0.47, "frequency_penalty": 0.11}),
        Asking(name="`n` > 1", request={"n": 3}, marks=(3,)),
        Asking(name="`logprobs`", request={"logprobs": True, "top_logprobs": 3}, marks=(3,)),
        Asking(name="`logit_bias`", request={"logit_bias": {"50256": -100}}),
        Asking(name="`prediction`", request={"prediction": {"type": "content", "content": "Hi"}}),
        Asking(name="audio output", request={
            "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"},
        }),
        Asking(name="`user`", request={"user": "u-4711"}, marks=("u-4711",)),
        Asking(name="`safety_identifier`", request={"safety_identifier": "s-4711"}, marks=("s-4711",)),
        Asking(name="`metadata`", request={"metadata": {"team": "blue"}}, marks=("blue",)),
        Asking(name="`service_tier`", request={"service_tier": "priority"}, marks=("priority",)),
        Asking(name="`store`", request={"store": True}),
    ),
)  # fmt: skip
