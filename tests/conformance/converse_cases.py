"""The conformance cases of Amazon Bedrock Converse, written down once for three clients, and a writer of their files.

    python -m tests.conformance.converse_cases

Requests and answers are by hand, from the documentation of the APIs. What the gateway must make of them is drafted with
the library and reviewed; `tests/unit/conformance/test_converse_cases.py` holds what must be true of it.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hermesllm.aws_event_stream import encode_event, encode_exception
from hermesllm.error_bodies import read_upstream_error, render_error
from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from hermesllm.translate.converse_conversation import ToolNames

CASES = Path(__file__).parent / "cases"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SONNET_37 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
OPUS = "global.anthropic.claude-opus-4-6-v1"
NOVA = "us.amazon.nova-pro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
LONG_NAME = "mcp__project_management_server__create_issue_with_labels_and_assignees"
SIGNATURE = "EqoBCkgIARABGAIiQL2UoU0b1OHYi+yCHpBY7U6FQW8/FcoLewocJQPa2HnmLM+NECy50y44F"
REDACTED = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpPkNRj2YfWXGmKDxHz"

USAGE = {"inputTokens": 25, "outputTokens": 17, "totalTokens": 42}
CACHED = {**USAGE, "totalTokens": 1566, "cacheReadInputTokens": 1500, "cacheWriteInputTokens": 24}


def answer(*content: dict[str, Any], stop: str = "end_turn", usage: Any = None, **members: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(content)}
    return {
        "metrics": {"latencyMs": 742},
        "output": {"message": message},
        "stopReason": stop,
        "usage": usage or USAGE,
        **members,
    }


def event(kind: str, **payload: Any) -> bytes:
    return encode_event(kind, json.dumps({**payload, "p": "abcdefghijkl"}, ensure_ascii=False).encode())


def text(index: int, *parts: str) -> bytes:
    deltas = [event("contentBlockDelta", contentBlockIndex=index, delta={"text": part}) for part in parts]
    return b"".join(deltas) + event("contentBlockStop", contentBlockIndex=index)


def thinking(index: int, *parts: str) -> bytes:
    said = [*({"text": part} for part in parts), {"signature": SIGNATURE}]
    deltas = [event("contentBlockDelta", contentBlockIndex=index, delta={"reasoningContent": each}) for each in said]
    return b"".join(deltas) + event("contentBlockStop", contentBlockIndex=index)


def call(index: int, call_id: str, name: str, *parts: str) -> bytes:
    start = {"toolUse": {"toolUseId": call_id, "name": name}}
    deltas = [event("contentBlockDelta", contentBlockIndex=index, delta={"toolUse": {"input": part}}) for part in parts]
    return b"".join(
        (
            event("contentBlockStart", contentBlockIndex=index, start=start),
            *deltas,
            event("contentBlockStop", contentBlockIndex=index),
        )
    )


START = event("messageStart", role="assistant")


def stream(*blocks: bytes, stop: str = "end_turn", usage: Any = None, **members: Any) -> bytes:
    ends = (
        event("messageStop", stopReason=stop, **members),
        event("metadata", metrics={"latencyMs": 742}, usage=usage or USAGE),
    )
    return b"".join((START, *blocks, *ends))


def use(call_id: str, name: str, /, **value: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": value}}


HELLO = answer({"text": "Hello! How can I help you today?"})
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "A greeting. I answer it.", "signature": SIGNATURE}}}
CITED = {
    "citationsContent": {
        "content": [{"text": "the grass is green"}],
        "citations": [
            {
                "title": "Facts",
                "sourceContent": [{"text": "The grass is green."}],
                "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 20}},
            }
        ],
    }
}

CUSTOM_TOOL = {
    "name": "apply_patch",
    "description": "Applies a patch",
    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}},
}
PATCHED = answer(use("tooluse_5", "apply_patch", input='*** Begin Patch\n-"a"\n*** End Patch'), stop="tool_use")

# What the provider answers: of every client the same. name → title, answer or stream, model
ANSWERS: dict[str, tuple[str, Any, str]] = {
    "plain": ("A plain answer", HELLO, NOVA),
    "answer-id": ("Bedrock's request id is the answer's id", HELLO, NOVA),
    "answer-id-stream": ("Bedrock's request id is the stream's id", stream(text(0, "Hello")), NOVA),
    "cache-usage": ("Cached tokens are counted", answer({"text": "Cached."}, usage=CACHED), SONNET),
    "max-tokens": ("The answer is cut at the limit", answer({"text": "Once upon a"}, stop="max_tokens"), LLAMA),
    "context-window": (
        "The context window is full",
        answer({"text": "And so"}, stop="model_context_window_exceeded"),
        SONNET,
    ),
    "guardrail": (
        "A guardrail intervened",
        answer({"text": "Sorry, I can't talk about that."}, stop="guardrail_intervened"),
        NOVA,
    ),
    "content-filtered": ("The answer was filtered", answer({"text": "I"}, stop="content_filtered"), NOVA),
    "thinking": ("Thinking with its signature", answer(THOUGHT, {"text": "Hello!"}), SONNET),
    "redacted-thinking": (
        "Redacted thinking is kept",
        answer({"reasoningContent": {"redactedContent": REDACTED}}, {"text": "Hello!"}),
        SONNET,
    ),
    "citations": ("Citations of a document", answer({"text": "The document says "}, CITED), SONNET),
    "empty": ("An answer without content", answer(stop="end_turn"), NOVA),
    "stream-text": ("A stream of text", stream(text(0, "Hel", "lo, ", "Wörld 🌍", "!")), NOVA),
    "stream-thinking": (
        "A stream of thinking, signature and text",
        stream(thinking(0, "A greeting. ", "I answer it."), text(1, "Hello", "!")),
        SONNET,
    ),
    "stream-redacted": (
        "A stream with redacted thinking",
        stream(
            event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"redactedContent": REDACTED}}),
            event("contentBlockStop", contentBlockIndex=0),
            text(1, "Hello!"),
        ),
        SONNET,
    ),
    "stream-usage": ("A stream tells cached tokens", stream(text(0, "Cached."), usage=CACHED), SONNET),
    "stream-max-tokens": ("A stream cut at the limit", stream(text(0, "Once upon"), stop="max_tokens"), LLAMA),
    "stream-guardrail": (
        "A guardrail intervenes in a stream",
        stream(text(0, "Sorry, I can't."), stop="guardrail_intervened"),
        NOVA,
    ),
    "stream-throttled": (
        "Throttled in the middle of a stream",
        START
        + event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Hel"})
        + encode_exception("throttlingException", b'{"message":"Too many tokens, please wait before trying again."}'),
        SONNET,
    ),
    "stream-refused": (
        "An exception before the first word",
        encode_exception("validationException", b'{"message":"The model returned the following errors: bad input"}'),
        NOVA,
    ),
    "stream-cut": ("A stream that stops in the middle", START + text(0, "Hello"), NOVA),
    "stream-empty": ("A stream in which nothing is said", stream(), NOVA),
}
ERRORS: dict[str, tuple[int, str, str]] = {
    "error-400": (400, "ValidationException", "The provided model identifier is invalid."),
    "error-403": (403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
    "error-404": (404, "ResourceNotFoundException", "Could not resolve the foundation model."),
    "error-429": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "error-503": (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
}
IGNORED = {
    "chat": ["id", "created"],
    "anthropic": ["id", "message.id"],
    "responses": [
        "id", "created_at", "completed_at", "output.*.id", "response.id", "response.created_at",
        "response.completed_at", "response.output.*.id", "item.id", "item_id", "output.*.encrypted_content",
        "item.encrypted_content", "response.output.*.encrypted_content",
    ],
}  # fmt: skip
OPTIONAL_IN_ERRORS = {
    "chat": ["error.provider", "error.model", "error.remedy", "error.request_id", "error.code", "error.param"],
    "anthropic": ["request_id", "error.provider", "error.model", "error.remedy", "error.code", "error.param"],
    "responses": ["error.provider", "error.model", "error.remedy", "error.request_id", "error.code", "error.param"],
}


def simple(client: str) -> dict[str, Any]:
    if client == "responses":
        return {"input": "Hi"}
    limit = {"max_tokens": 256} if client == "anthropic" else {}
    return {**limit, "messages": [{"role": "user", "content": "Hi"}]}


def tool(client: str, name: str = "get_weather", **members: Any) -> dict[str, Any]:
    description = "The weather of a city"
    if client == "anthropic":
        return {"name": name, "description": description, "input_schema": WEATHER, **members}
    function = {"name": name, "description": description, "parameters": WEATHER}
    return {"type": "function", **function, **members} if client == "responses" else {
        "type": "function", "function": function, **members
    }  # fmt: skip


CALLS = answer(
    {"text": "Let me look."},
    use("tooluse_1", "get_weather", city="Köln"),
    use("tooluse_2", "get_time"),
    stop="tool_use",
)
CALL_STREAM = stream(
    text(0, "Let me ", "look."),
    call(1, "tooluse_1", "get_weather", "", '{"city"', ': "Kö', 'ln"}'),
    call(2, "tooluse_2", "get_time"),
    stop="tool_use",
)


def about_tools(client: str) -> dict[str, tuple[str, str, dict[str, Any], Any]]:
    """Cases whose request differs from client to client in nothing but the spelling of tools."""
    both = {"tools": [tool(client), tool(client, "get_time")]}
    forced: dict[str, Any] = {
        "chat": {"type": "function", "function": {"name": "get_time"}},
        "anthropic": {"type": "tool", "name": "get_time"},
        "responses": {"type": "function", "name": "get_time"},
    }
    any_tool: Any = {"type": "any"} if client == "anthropic" else "required"
    none: Any = {"type": "none"} if client == "anthropic" else "none"
    answered = answer(use("tooluse_9", "get_time"), stop="tool_use")
    one = {"tools": [tool(client)]}
    return {
        "tools": ("Text and parallel calls", SONNET, both, CALLS),
        "tools-stream": ("A stream of text and parallel calls", SONNET, both, CALL_STREAM),
        "tool-forced": ("A certain tool is forced", NOVA, {**both, "tool_choice": forced[client]}, answered),
        "tool-required": ("Some tool is required", NOVA, {**both, "tool_choice": any_tool}, answered),
        "tool-none": ("No tool may be called", NOVA, {**one, "tool_choice": none}, HELLO),
    }


def chat() -> dict[str, tuple[str, str, dict[str, Any], Any]]:
    mark = {"type": "ephemeral"}
    history = [
        {"role": "system", "content": "You are a weather service."},
        {"role": "user", "content": "Köln and Berlin?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Köln"}'},
                },
                {"id": "call_2", "type": "function", "function": {"name": "get_weather", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "21 °C"},
        {"role": "tool", "tool_call_id": "call_2", "content": '{"error": "no city given"}'},
    ]
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    file = {"type": "file", "file": {"filename": "Report 2024.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
    schema = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
    parameters = {
        "max_completion_tokens": 300, "temperature": 0.3, "top_p": 0.9, "stop": ["END", "\n\n"], "top_k": 20,
        "service_tier": "priority", "metadata": {"team": "blue"}, "seed": 7,
    }  # fmt: skip
    cached = [
        {"role": "system", "content": [{"type": "text", "text": "Rules.", "cache_control": mark}]},
        {"role": "user", "content": [{"type": "text", "text": "Book.", "cache_control": {**mark, "ttl": "1h"}}]},
    ]
    thought = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "Hello!",
            "thinking_blocks": [
                {"type": "thinking", "thinking": "A greeting.", "signature": SIGNATURE},
                {"type": "redacted_thinking", "data": REDACTED},
            ],
        },
        {"role": "user", "content": "And now?"},
    ]
    person = answer(use("tooluse_3", "person", name="Ada", age=36), stop="tool_use")
    streamed = stream(call(0, "tooluse_3", "person", '{"name":"Ada"', ',"age":36}'), stop="tool_use")
    return {
        **about_tools("chat"),
        "custom-tool": (
            "A custom tool is a function with one string",
            SONNET,
            {"tools": [{"type": "custom", "custom": CUSTOM_TOOL}]},
            PATCHED,
        ),
        "tool-results": (
            "Results of parallel calls, one of them an error",
            NOVA,
            {"messages": history, "tools": [tool("chat")]},
            HELLO,
        ),
        "parameters": ("Parameters and what has no counterpart", NOVA, parameters, HELLO),
        "images": (
            "An image and a document",
            NOVA,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image, file]}]},
            HELLO,
        ),
        "image-url-refused": (
            "Bedrock fetches no images",
            NOVA,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}],
                    }
                ]
            },
            None,
        ),
        "cache-marks": ("Cache marks become cache points", SONNET, {"messages": cached}, HELLO),
        "thinking-history": ("Signed thinking goes back", SONNET, {"messages": thought}, HELLO),
        "reasoning-budget": (
            "Effort as a thinking budget",
            SONNET_37,
            {"reasoning_effort": "medium", "max_tokens": 1000},
            HELLO,
        ),
        "reasoning-adaptive": ("Effort of a model that thinks adaptively", OPUS, {"reasoning_effort": "high"}, HELLO),
        "reasoning-nova": ("Effort of Nova 2", NOVA_2, {"reasoning_effort": "low"}, HELLO),
        "reasoning-gpt-oss": ("Effort of an open OpenAI model", GPT_OSS, {"reasoning_effort": "high"}, HELLO),
        "json-schema": (
            "Structured output of the provider's own",
            SONNET,
            {"response_format": schema},
            answer({"text": '{"name":"Ada","age":36}'}),
        ),
        "json-schema-tool": ("Structured output as a forced tool", NOVA, {"response_format": schema}, person),
        "json-schema-tool-stream": (
            "Structured output as a forced tool, streamed",
            NOVA,
            {"response_format": schema},
            streamed,
        ),
        "guardrail-config": (
            "Bedrock's own members pass",
            NOVA,
            {
                "guardrailConfig": {"guardrailIdentifier": "gr1abc", "guardrailVersion": "2"},
                "performanceConfig": {"latency": "optimized"},
            },
            HELLO,
        ),
        "one-call": ("One call at a time", SONNET, {"tools": [tool("chat")], "parallel_tool_calls": False}, HELLO),
        "turns": (
            "Neighbouring turns are merged, empty ones left out",
            NOVA,
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": ""},
                    {"role": "user", "content": "b"},
                    {"role": "assistant", "content": "c"},
                    {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "d"}]},
                ]
            },
            HELLO,
        ),
    }


def anthropic() -> dict[str, tuple[str, str, dict[str, Any], Any]]:
    mark = {"type": "ephemeral"}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    document = {
        "type": "document",
        "title": "Report 2024.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        "citations": {"enabled": True},
    }
    coding = {
        "system": [
            {"type": "text", "text": "You are Claude Code.", "cache_control": mark},
            {"type": "text", "text": "Use the tools.", "cache_control": {**mark, "ttl": "1h"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                    {"type": "text", "text": "Fix it"},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I look first.", "signature": SIGNATURE},
                    {"type": "redacted_thinking", "data": REDACTED},
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Köln"}},
                    {"type": "tool_use", "id": "toolu_02", "name": "get_time", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Well?"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_01",
                        "content": [{"type": "text", "text": "21 °C"}, image],
                    },
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_02",
                        "content": "no clock",
                        "is_error": True,
                        "cache_control": mark,
                    },
                ],
            },
        ],
        "tools": [tool("anthropic"), tool("anthropic", "get_time", cache_control=mark)],
        "metadata": {"user_id": "user_1_account__session_2"},
    }
    wanted = {"output_config": {"format": {"type": "json_schema", "schema": PERSON}}}
    person = answer(use("tooluse_3", "answer", name="Ada", age=36), stop="tool_use")
    streamed = stream(call(0, "tooluse_3", "answer", '{"name":"Ada"', ',"age":36}'), stop="tool_use")
    stopped = answer({"text": "1 2 3 "}, stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "4"})
    budget = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096}
    long_call = answer(use("tooluse_4", ToolNames().sent(LONG_NAME), city="Köln"), stop="tool_use")
    return {
        **about_tools("anthropic"),
        "coding-agent": ("A coding agent's request", SONNET, coding, CALLS),
        "beta-header": ("Beta flags of the header that Bedrock knows", SONNET, {}, HELLO),
        "images": (
            "An image and a document that may be cited",
            SONNET,
            {"messages": [{"role": "user", "content": [image, document, {"type": "text", "text": "What is this?"}]}]},
            HELLO,
        ),
        "image-url-refused": (
            "Bedrock fetches no images",
            NOVA,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}],
                    }
                ]
            },
            None,
        ),
        "text-document": (
            "A document of plain text",
            NOVA,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "document",
                                "title": "Notes",
                                "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
                            }
                        ],
                    }
                ]
            },
            HELLO,
        ),
        "parameters": (
            "Parameters and what has no counterpart",
            NOVA,
            {
                "temperature": 0.3,
                "top_p": 0.9,
                "top_k": 20,
                "stop_sequences": ["END"],
                "service_tier": "standard_only",
                "mcp_servers": [{"type": "url", "name": "x", "url": "https://x"}],
            },
            HELLO,
        ),
        "stop-sequence": ("Which stop sequence it was", SONNET, {"stop_sequences": ["4", "5"]}, stopped),
        "stop-sequence-stream": (
            "Which stop sequence it was, streamed",
            SONNET,
            {"stop_sequences": ["4"]},
            stream(text(0, "1 2 3 "), stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "4"}),
        ),
        "thinking-budget": ("Thinking with a budget", SONNET, budget, answer(THOUGHT, {"text": "Hello!"})),
        "thinking-adaptive": (
            "Adaptive thinking with an effort",
            OPUS,
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            HELLO,
        ),
        "thinking-nova": ("Thinking of Nova 2", NOVA_2, budget, HELLO),
        "json-schema": (
            "Structured output of the provider's own",
            SONNET,
            wanted,
            answer({"text": '{"name":"Ada","age":36}'}),
        ),
        "json-schema-tool": ("Structured output as a forced tool", NOVA, wanted, person),
        "json-schema-tool-stream": ("Structured output as a forced tool, streamed", NOVA, wanted, streamed),
        "top-level-cache": ("Automatic caching marks the end", SONNET, {"cache_control": mark}, HELLO),
        "late-system": (
            "A system prompt inside the conversation",
            NOVA,
            {
                "system": "First.",
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "system", "content": "Second."},
                    {"role": "assistant", "content": "b"},
                    {"role": "user", "content": "c"},
                ],
            },
            HELLO,
        ),
        "long-tool-name": (
            "A tool name longer than Bedrock takes",
            SONNET,
            {"tools": [tool("anthropic", LONG_NAME)], "tool_choice": {"type": "tool", "name": LONG_NAME}},
            long_call,
        ),
        "no-cache-points": (
            "Models without caching get no cache points",
            LLAMA,
            {"system": [{"type": "text", "text": "Rules.", "cache_control": mark}]},
            HELLO,
        ),
    }


def responses() -> dict[str, tuple[str, str, dict[str, Any], Any]]:
    history = [
        {"role": "user", "content": [{"type": "input_text", "text": "Köln?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Köln"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "21 °C"},
    ]
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    wanted = {"format": {"type": "json_schema", "name": "person", "schema": PERSON, "strict": True}}
    person = answer(use("tooluse_3", "person", name="Ada", age=36), stop="tool_use")
    return {
        **about_tools("responses"),
        "instructions": (
            "Instructions and parameters",
            NOVA,
            {"instructions": "Be brief.", "temperature": 0.2, "max_output_tokens": 200},
            HELLO,
        ),
        "tool-results": ("The result of a call", NOVA, {"input": history, "tools": [tool("responses")]}, HELLO),
        "images": (
            "An image",
            NOVA,
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "What?"}, image]}]},
            HELLO,
        ),
        "reasoning-effort": ("Effort as a thinking budget", SONNET_37, {"reasoning": {"effort": "medium"}}, HELLO),
        "json-schema-tool": ("Structured output as a forced tool", NOVA, {"text": wanted}, person),
        "json-schema": (
            "Structured output of the provider's own",
            SONNET,
            {"text": wanted},
            answer({"text": '{"name":"Ada","age":36}'}),
        ),
    }


# Headers of the cases that are about them: the client's and the answer's.
HEADERS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "beta-header": ({"anthropic-beta": "context-1m-2025-08-07,claude-code-20250219"}, {}),
    "answer-id": ({}, {"x-amzn-requestid": "4a0dbbb5-4dbb-4f37-8d2b-4f5a8a4b6e1c"}),
    "answer-id-stream": ({}, {"x-amzn-requestid": "4a0dbbb5-4dbb-4f37-8d2b-4f5a8a4b6e1c"}),
}
OWN = {"chat": chat, "anthropic": anthropic, "responses": responses}


def write_all() -> None:
    for client, own in OWN.items():
        pair = CASES / f"{client}-converse"
        shutil.rmtree(pair, ignore_errors=True)
        cases = {name: (title, model, simple(client), given) for name, (title, given, model) in ANSWERS.items()}
        cases |= {
            name: (title, model, {**simple(client), **body}, given)
            for name, (title, model, body, given) in own().items()
        }
        for name, (title, model, body, given) in cases.items():
            write(pair / name, client, title, model, body, given)
        for name, (status, exception, message) in ERRORS.items():
            write_error(pair / name, client, status, exception, message)


def write(folder: Path, client: str, title: str, model: str, body: dict[str, Any], given: Any) -> None:
    streamed = isinstance(given, bytes)
    meta = _meta(client, title, model, stream=streamed)
    request = {"model": f"amazon_bedrock/{model}", **body, **({"stream": True} if streamed else {})}
    if streamed and client == "chat":
        request["stream_options"] = {"include_usage": True}
    folder.mkdir(parents=True)
    _write(folder / "request.json", request)
    sent, answered = HEADERS.get(folder.name, ({}, {}))
    betas = tuple(sent.get("anthropic-beta", "").split(","))
    context = Context(PROVIDERS["amazon_bedrock"], model, betas=betas, answer_id=answered.get("x-amzn-requestid", ""))
    meta |= {"client_headers": sent} | ({"upstream_headers": answered} if answered else {})
    if context.answer_id and client != "responses":
        meta["ignore"] = [path for path in meta["ignore"] if path not in ("id", "message.id")]
    cell = translator(Format(client), Format.CONVERSE, context)
    try:
        _write(folder / "upstream_request.json", cell.request(json.loads(json.dumps(request))))
    except GatewayError as error:
        del meta["upstream_path"], meta["ignore"]
        meta |= {"status": error.status, **_loose(client)}
        rendered = json.loads(render_error(Format(client), error.report().about(remedy=None)))
        _write(folder / "response.json", rendered)
        _write(folder / "meta.json", meta)
        return
    if context.dropped:
        meta["response_headers"] = {"x-plano-dropped-params": ", ".join(dict.fromkeys(context.dropped))}
    if streamed:
        (folder / "upstream_response.hex").write_text(_hex(given))
        made = cell.stream()
        out = made.decode(given) + made.flush()
        if made.failed:
            out = re.sub(rb" ?\[provider [^\]]*\](?: [^\"]*)?", b"", out)
            out = re.sub(rb'"(?:provider|model|remedy)":"[^"]*",?(?=[^{}]*\}[^{}]*\}?\n\n$)', b"", out).replace(
                b",}", b"}"
            )
            out = out.replace(b',"request_id":null', b"")  # every gateway has ids of its own
            meta |= _loose(client)
        (folder / "response.sse").write_bytes(out)
    else:
        _write(folder / "upstream_response.json", given)
        _write(folder / "response.json", cell.response(given))
    _write(folder / "meta.json", meta)


def write_error(folder: Path, client: str, status: int, exception: str, message: str) -> None:
    meta = _meta(client, f"The provider answers {status}", NOVA, stream=False)
    del meta["ignore"]
    meta["upstream_headers"] = {"content-type": "application/json", "x-amzn-errortype": exception}
    meta |= {"upstream_status": status, "status": status, **_loose(client)}
    folder.mkdir(parents=True)
    request = {"model": f"amazon_bedrock/{NOVA}", **simple(client)}
    cell = translator(Format(client), Format.CONVERSE, Context(PROVIDERS["amazon_bedrock"], NOVA))
    _write(folder / "request.json", request)
    _write(folder / "upstream_request.json", cell.request(json.loads(json.dumps(request))))
    body = {"message": message}
    _write(folder / "upstream_response.json", body)
    report = read_upstream_error(
        Format.CONVERSE, status, "application/json", json.dumps(body).encode(), error_type=exception
    )
    _write(folder / "response.json", json.loads(render_error(Format(client), report)))
    _write(folder / "meta.json", meta)


def _meta(client: str, title: str, model: str, *, stream: bool) -> dict[str, Any]:
    return {
        "title": title,
        "client": client,
        "upstream": "converse",
        "provider": "amazon_bedrock",
        "model": model,
        "stream": stream,
        "client_headers": {},
        "upstream_path": f"/model/{quote(model, safe='')}/converse{'-stream' if stream else ''}",
        "upstream_request_headers": {"authorization": "Bearer conformance-provider-key"},
        "upstream_status": 200,
        "status": 200,
        "ignore": IGNORED[client],
    }


def _loose(client: str) -> dict[str, Any]:
    prefix = "response." if client == "responses" else ""
    return {
        "contains": ["error.message", *([f"{prefix}error.message", "message"] if prefix else [])],
        "optional": OPTIONAL_IN_ERRORS[client],
    }


def _hex(data: bytes) -> str:
    text_of = data.hex()
    return "\n".join(text_of[at : at + 120] for at in range(0, len(text_of), 120)) + "\n"


def _write(path: Path, document: Any) -> None:
    if isinstance(document, dict) and document.get("request_id", "") is None:
        del document["request_id"]  # every gateway has ids of its own
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_all()
