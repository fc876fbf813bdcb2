"""The features of OpenAI Responses requests."""

from typing import Any

from docs.features.media import PDF, PDF_DATA, PDF_URL, PICTURE, PICTURE_DATA, PICTURE_URL, SCHEMA, SOUND
from docs.features.outcome import Asking, Client, Json
from hermesllm.formats import Format

_TOOL: Json = {
    "type": "function", "name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA,
    "strict": False,
}  # fmt: skip
_TOOLS = {"tools": [_TOOL, {"type": "function", "name": "get_time", "parameters": SCHEMA, "strict": False}]}
_CUSTOM: Json = {"type": "custom", "name": "patch", "description": "Applies a patch"}
_GRAMMAR: Json = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'}


def _said(content: Any) -> Json:
    return {"input": [{"role": "user", "content": content}]}


def _part(part: Json) -> Json:
    return _said([{"type": "input_text", "text": "What is this?"}, part])


def _results(*outputs: Any) -> Json:
    calls = [
        {"type": "function_call", "call_id": f"call_{number}", "name": "get_weather", "arguments": '{"city":"Paris"}'}
        for number in range(len(outputs))
    ]
    results = [
        {"type": "function_call_output", "call_id": f"call_{number}", "output": output}
        for number, output in enumerate(outputs)
    ]
    return {"input": [{"role": "user", "content": "The weather?"}, *calls, *results]}


def _follow(request: Json, answer: Json) -> Json:
    return {**request, "input": [*request["input"], *answer["output"], {"role": "user", "content": "Go on"}]}


def _served(kind: str, **members: Any) -> Json:
    return {"tools": [{"type": kind, **members}]}


_IMAGE: Json = {"type": "input_image", "detail": "auto", "image_url": PICTURE_DATA}
_IMAGE_URL: Json = {"type": "input_image", "detail": "auto", "image_url": PICTURE_URL}
_IMAGE_FILE: Json = {"type": "input_image", "detail": "auto", "file_id": "file-4711"}
_DETAIL: Json = {**_IMAGE, "detail": "low"}
_PDF: Json = {"type": "input_file", "filename": "plan.pdf", "file_data": PDF_DATA}
_PDF_URL: Json = {"type": "input_file", "file_url": PDF_URL}
_UPLOADED: Json = {"type": "input_file", "file_id": "file-4711"}
_AUDIO: Json = {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}
_NAMED: Json = {"type": "function", "name": "get_time"}

RESPONSES = Client(
    format=Format.RESPONSES,
    plain={"model": "any", **_said("Hello")},
    follow=_follow,
    asking=(
        Asking(name="text", request=_said("Bonjour"), marks=("Bonjour",)),
        Asking(name="`instructions`", request={"instructions": "Be brief."}, marks=("Be brief.",)),
        Asking(name="image by URL", request=_part(_IMAGE_URL), marks=(PICTURE_URL,), piece=_IMAGE_URL),
        Asking(name="image as base64", request=_part(_IMAGE), marks=(PICTURE,), piece=_IMAGE),
        Asking(name="image `detail`", beside=_part(_IMAGE), request=_part(_DETAIL), piece=_DETAIL),
        Asking(name="uploaded image", request=_part(_IMAGE_FILE), marks=("file-4711",), piece=_IMAGE_FILE),
        Asking(name="PDF document", request=_part(_PDF), marks=(PDF,), piece=_PDF),
        Asking(name="PDF document by URL", request=_part(_PDF_URL), marks=(PDF_URL,), piece=_PDF_URL),
        Asking(name="uploaded file", request=_part(_UPLOADED), marks=("file-4711",), piece=_UPLOADED),
        Asking(name="audio input", request=_part(_AUDIO), marks=(SOUND,), piece=_AUDIO),
        Asking(name="function tools", request={"tools": [_TOOL]}, marks=("get_weather", "Weather of a city")),
        Asking(name="strict tools", beside={"tools": [_TOOL]}, request={"tools": [{**_TOOL, "strict": True}]}),
        Asking(name="custom tools", request={"tools": [_CUSTOM]}, marks=("patch", "Applies a patch")),
        Asking(
            name="grammars of custom tools", beside={"tools": [_CUSTOM]}, marks=('start: "a"',),
            request={"tools": [{**_CUSTOM, "format": _GRAMMAR}]},
        ),
        Asking(name="calls of custom tools in the history", request={"input": [
            {"role": "user", "content": "Patch it"},
            {"type": "custom_tool_call", "call_id": "call_0", "name": "patch", "input": "@@ 1"},
            {"type": "custom_tool_call_output", "call_id": "call_0", "output": "patched"},
        ]}, marks=("@@ 1", "patched")),
        Asking(name="tool namespaces", request=_served("namespace", name="crm", description="CRM", tools=[_TOOL])),
        Asking(name="web search (run by the provider)", request=_served("web_search")),
        Asking(
            name="web search `search_context_size`", beside=_served("web_search"),
            request=_served("web_search", search_context_size="high"),
        ),
        Asking(name="file search", request=_served("file_search", vector_store_ids=["vs_1"])),
        Asking(name="code interpreter", request=_served("code_interpreter", container={"type": "auto"})),
        Asking(name="image generation", request=_served("image_generation")),
        Asking(name="MCP servers", request=_served("mcp", server_label="m", server_url="https://example.com/mcp")),
        Asking(name="tool choice `required`", beside=_TOOLS, request={"tool_choice": "required"}),
        Asking(name="tool choice of one function", beside=_TOOLS, request={"tool_choice": _NAMED}),
        Asking(name="tool choice `allowed_tools`", beside=_TOOLS, request={
            "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [_NAMED]},
        }),
        Asking(name="tool choice `none`", beside=_TOOLS, request={"tool_choice": "none"}),
        Asking(name="`parallel_tool_calls: false`", beside=_TOOLS, request={"parallel_tool_calls": False}),
        Asking(name="`max_tool_calls`", beside=_TOOLS, request={"max_tool_calls": 47}, marks=(47,)),
        Asking(
            name="parallel tool calls and their results", beside=_TOOLS, request=_results("sunny", "windy"),
            marks=("sunny", "windy"),
        ),
        Asking(
            name="tool results with images", beside=_TOOLS, marks=("sunny", PICTURE),
            request=_results([{"type": "input_text", "text": "sunny"}, _IMAGE]),
        ),
        Asking(name="JSON schema output", marks=("city",), request={
            "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}},
        }),
        Asking(name="JSON mode", request={"text": {"format": {"type": "json_object"}}}),
        Asking(name="`text.verbosity`", request={"text": {"verbosity": "low"}}),
        Asking(name="reasoning effort", request={"reasoning": {"effort": "high"}}),
        Asking(
            name="reasoning summaries", beside={"reasoning": {"effort": "high"}},
            request={"reasoning": {"effort": "high", "summary": "detailed"}},
            anyway=frozenset({Format.ANTHROPIC, Format.CONVERSE, Format.GEMINI}),
        ),
        Asking(name="`prompt_cache_key`", request={"prompt_cache_key": "key-4711"}, marks=("key-4711",)),
        Asking(name="token limit", request={"max_output_tokens": 4711}, marks=(4711,)),
        Asking(name="`temperature`", request={"temperature": 0.47}, marks=(0.47,)),
        Asking(name="`top_p`", request={"top_p": 0.47}, marks=(0.47,)),
        Asking(name="`top_logprobs`", request={"top_logprobs": 3}, marks=(3,)),
        Asking(name="`user`", request={"user": "u-4711"}, marks=("u-4711",)),
        Asking(name="`safety_identifier`", request={"safety_identifier": "s-4711"}, marks=("s-4711",)),
        Asking(name="`metadata`", request={"metadata": {"team": "blue"}}, marks=("blue",)),
        Asking(name="`service_tier`", request={"service_tier": "priority"}, marks=("priority",)),
        Asking(name="`truncation`", request={"truncation": "auto"}),
        Asking(name="`store`", request={"store": True}),
        Asking(name="`previous_response_id`", request={"previous_response_id": "resp_1"}, marks=("resp_1",)),
        Asking(name="`conversation`", request={"conversation": "conv_1"}, marks=("conv_1",)),
        Asking(name="stored `prompt`", request={"prompt": {"id": "pmpt_1"}}, marks=("pmpt_1",)),
        Asking(name="`background`", request={"background": True}),
    ),
)  # fmt: skip
