"""The features of Anthropic Messages requests."""

from typing import Any

from docs.features.media import PDF, PDF_URL, PICTURE, PICTURE_URL, SCHEMA
from docs.features.outcome import Asking, Client, Json
from hermesllm.formats import Format

_TOOL: Json = {"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA}
_TOOLS = {"tools": [_TOOL, {"name": "get_time", "input_schema": SCHEMA}]}
_MARK = {"type": "ephemeral"}


def _said(content: Any) -> Json:
    return {"messages": [{"role": "user", "content": content}]}


def _block(block: Json) -> Json:
    return _said([{"type": "text", "text": "What is this?"}, block])


def _results(*results: Json) -> Json:
    calls = [
        {"type": "tool_use", "id": f"toolu_{number}", "name": "get_weather", "input": {"city": "Paris"}}
        for number in range(len(results))
    ]
    answers = [
        {"type": "tool_result", "tool_use_id": f"toolu_{number}", **result} for number, result in enumerate(results)
    ]
    return {
        "messages": [
            {"role": "user", "content": "The weather?"},
            {"role": "assistant", "content": calls},
            {"role": "user", "content": answers},
        ]
    }


def _follow(request: Json, answer: Json) -> Json:
    said = [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": "Go on"}]
    return {**request, "messages": [*request["messages"], *said]}


def _source(kind: str, **members: str) -> Json:
    return {"type": kind, **members}


_IMAGE: Json = {"type": "image", "source": _source("base64", media_type="image/png", data=PICTURE)}
_IMAGE_URL: Json = {"type": "image", "source": _source("url", url=PICTURE_URL)}
_IMAGE_FILE: Json = {"type": "image", "source": _source("file", file_id="file_4711")}
_PDF: Json = {"type": "document", "source": _source("base64", media_type="application/pdf", data=PDF)}
_PDF_URL: Json = {"type": "document", "source": _source("url", url=PDF_URL)}
_PDF_FILE: Json = {"type": "document", "source": _source("file", file_id="file_4711")}
_PLAIN: Json = {"type": "document", "source": _source("text", media_type="text/plain", data="Once upon")}
_CITED: Json = {**_PLAIN, "citations": {"enabled": True}}
_FOUND: Json = {
    "type": "search_result", "source": "https://example.com/a", "title": "A page",
    "content": [{"type": "text", "text": "Once upon"}],
}  # fmt: skip
_MARKED: Json = {"type": "text", "text": "Hello", "cache_control": _MARK}
_MARKED_LONG: Json = {"type": "text", "text": "Hello", "cache_control": {**_MARK, "ttl": "1h"}}
_SEARCH: Json = {"type": "web_search_20250305", "name": "web_search"}
_SEARCHED: Json = {
    "messages": [
        {"role": "user", "content": "News?"},
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "news"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": [
                        {
                            "type": "web_search_result",
                            "url": "https://example.com/n",
                            "title": "The news",
                            "encrypted_content": "c2VjcmV0",
                        }
                    ],
                },
                {"type": "text", "text": "None."},
            ],
        },
        {"role": "user", "content": "Sure?"},
    ]
}

MESSAGES = Client(
    format=Format.ANTHROPIC,
    plain={"model": "any", "max_tokens": 100, **_said("Hello")},
    follow=_follow,
    asking=(
        Asking(name="text", request=_said("Bonjour"), marks=("Bonjour",)),
        Asking(name="system prompt", request={"system": "Be brief."}, marks=("Be brief.",)),
        Asking(name="image by URL", request=_block(_IMAGE_URL), marks=(PICTURE_URL,), piece=_IMAGE_URL),
        Asking(name="image as base64", request=_block(_IMAGE), marks=(PICTURE,), piece=_IMAGE),
        Asking(name="uploaded image", request=_block(_IMAGE_FILE), marks=("file_4711",), piece=_IMAGE_FILE),
        Asking(name="PDF document", request=_block(_PDF), marks=(PDF,), piece=_PDF),
        Asking(name="PDF document by URL", request=_block(_PDF_URL), marks=(PDF_URL,), piece=_PDF_URL),
        Asking(name="uploaded document", request=_block(_PDF_FILE), marks=("file_4711",), piece=_PDF_FILE),
        Asking(name="text document", request=_block(_PLAIN), piece=_PLAIN),
        Asking(name="citations of documents", beside=_block(_PLAIN), request=_block(_CITED), piece=_CITED),
        Asking(name="search results", request=_block(_FOUND), marks=("https://example.com/a", "A page", "Once upon")),
        Asking(name="tools", request={"tools": [_TOOL]}, marks=("get_weather", "Weather of a city")),
        Asking(name="strict tools", beside={"tools": [_TOOL]}, request={"tools": [{**_TOOL, "strict": True}]}),
        Asking(name="tool choice `any`", beside=_TOOLS, request={"tool_choice": {"type": "any"}}),
        Asking(name="tool choice of one tool", beside=_TOOLS, request={
            "tool_choice": {"type": "tool", "name": "get_time"},
        }),
        Asking(name="tool choice `none`", beside=_TOOLS, request={"tool_choice": {"type": "none"}}),
        Asking(
            name="`disable_parallel_tool_use`", beside={**_TOOLS, "tool_choice": {"type": "auto"}},
            request={"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        Asking(
            name="parallel tool calls and their results", beside=_TOOLS, marks=("sunny", "windy"),
            request=_results({"content": "sunny"}, {"content": "windy"}),
        ),
        Asking(
            name="tool results with images", beside=_TOOLS, marks=("sunny", PICTURE),
            request=_results({"content": [{"type": "text", "text": "sunny"}, _IMAGE]}),
        ),
        Asking(
            name="tool result `is_error`", beside={**_TOOLS, **_results({"content": "no such city"})},
            request=_results({"content": "no such city", "is_error": True}), marks=("no such city",),
        ),
        Asking(name="web search (run by the provider)", request={"tools": [_SEARCH]}),
        Asking(name="web fetch", request={"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
        Asking(name="code execution", request={
            "tools": [{"type": "code_execution_20250825", "name": "code_execution"}],
        }),
        Asking(name="bash, editor and computer tools", request={
            "tools": [{"type": "bash_20250124", "name": "bash"}],
        }),
        Asking(name="MCP servers", request={
            "mcp_servers": [{"type": "url", "url": "https://example.com/mcp", "name": "m"}],
        }),
        Asking(name="searches in the history", request=_SEARCHED, marks=("The news", "None.")),
        Asking(name="JSON schema output", marks=("city",), request={
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        }),
        Asking(name="thinking budget", request={
            "max_tokens": 20000, "thinking": {"type": "enabled", "budget_tokens": 16384},
        }, beside={"max_tokens": 20000}),
        Asking(name="adaptive thinking", request={"thinking": {"type": "adaptive"}}),
        Asking(name="effort", request={"output_config": {"effort": "high"}}),
        Asking(name="prompt cache marks", request=_said([_MARKED]), piece=_MARKED),
        Asking(
            name="prompt cache for an hour", beside=_said([_MARKED]), request=_said([_MARKED_LONG]),
            piece=_MARKED_LONG,
        ),
        Asking(name="automatic prompt cache", request={"cache_control": _MARK}),
        Asking(name="token limit", request={"max_tokens": 4711}, marks=(4711,)),
        Asking(name="stop sequences", request={"stop_sequences": ["END", "HALT"]}, marks=("END", "HALT")),
        Asking(name="`temperature`", request={"temperature": 0.47}, marks=(0.47,)),
        Asking(name="`top_p`", request={"top_p": 0.47}, marks=(0.47,)),
        Asking(name="`top_k`", request={"top_k": 47}, marks=(47,)),
        Asking(name="`metadata.user_id`", request={"metadata": {"user_id": "u-4711"}}, marks=("u-4711",)),
        Asking(name="`service_tier`", request={"service_tier": "standard_only"}, anyway=frozenset({Format.GEMINI})),
        Asking(name="`container`", request={"container": "container_4711"}, marks=("container_4711",)),
        Asking(name="`context_management`", request={
            "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        }),
    ),
)  # fmt: skip
