"""Claude Code's and Codex's requests reach every provider whole, and their SDKs read what comes back.

The requests in tests/data/agents have the shapes that the two programs send: every kind of turn, tool and parameter.
"""

import json
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from anthropic import Anthropic
from openai import OpenAI

from extproc.exchange import Exchange
from hermesllm.aws_event_stream import encode_event
from hermesllm.formats import STREAM_CONTENT_TYPES, Format
from hermesllm.providers import PROVIDERS
from planoctl.config.registry import Candidate
from planoctl.config.runtime import ModelProvider
from tests.unit.hermesllm.translate.converse_answers import CONVERSE_STREAMS
from tests.unit.hermesllm.translate.recorded_gemini_streams import GEMINI_STREAMS
from tests.unit.hermesllm.translate.recorded_responses_streams import RESPONSES_STREAMS
from tests.unit.hermesllm.translate.recorded_streams import ANTHROPIC_STREAMS, CHAT_STREAMS

Json = dict[str, Any]
DATA = Path(__file__).parents[2] / "data" / "agents"
CLAUDE_CODE, CODEX = (json.loads((DATA / f"{name}.json").read_text()) for name in ("claude_code", "codex"))

CLAUDE_ON_BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CHAT_TARGETS = [
    ("openai", "gpt-4o"),
    ("groq", "llama-3.3-70b-versatile"),
    ("deepseek", "deepseek-reasoner"),
    ("mistral", "mistral-large-latest"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
]
OTHER_TARGETS = [
    ("chatgpt", "gpt-5-codex"),
    ("amazon_bedrock", CLAUDE_ON_BEDROCK),
    ("amazon_bedrock", "us.amazon.nova-pro-v1:0"),
    ("gemini", "gemini-3-pro-preview"),
    ("vertex", "gemini-2.5-flash"),
]
EVERYWHERE = pytest.mark.parametrize(
    ("provider", "model"), [*CHAT_TARGETS, *OTHER_TARGETS, ("anthropic", "claude-sonnet-4-5")]
)
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrzLoky3dl1pkiIMOYdsVNJTI3RiOEnQ7v2"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
PATCH = '*** Begin Patch\n*** Update File: src/total.ts\n@@\n-a -= d;\n-a -= d;\n+a -= d; // "once", größer\n'
STREAMS = {
    Format.CHAT: CHAT_STREAMS,
    Format.ANTHROPIC: ANTHROPIC_STREAMS,
    Format.RESPONSES: RESPONSES_STREAMS,
    Format.CONVERSE: CONVERSE_STREAMS,
    Format.GEMINI: GEMINI_STREAMS,
}


def exchange(client: Format, provider: str, model: str) -> Exchange:
    entry = ModelProvider(name=f"{provider}/{model}", provider_interface=provider, model=model, access_key="k")
    return Exchange(client, Candidate(entry, PROVIDERS[provider], model), body_limit=1 << 22)


def sent(capture: Json, provider: str, model: str, **changes: Any) -> tuple[Exchange, dict[str, str], Json]:
    """The exchange, with the headers that are set and the body as the provider gets it."""
    client = Format.ANTHROPIC if capture is CLAUDE_CODE else Format.RESPONSES
    made = exchange(client, provider, model)
    raw = orjson.dumps({**capture["body"], **changes})
    request = made.request({":path": capture["path"], **capture["headers"]}, raw, orjson.loads(raw))
    return made, request.set_headers, orjson.loads(request.body or raw)


def texts(value: Any) -> list[str]:
    """Every string in a document; of strings that hold JSON, as arguments do, those inside too."""
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    if not isinstance(value, str):
        return []
    try:
        inner = orjson.loads(value)
    except orjson.JSONDecodeError:
        return [value]
    return [value, *(texts(inner) if isinstance(inner, dict | list) else [])]


def holds(body: Json, *needles: str) -> bool:
    found = texts(body)
    missing = [needle for needle in needles if not any(needle in text for text in found)]
    return not missing


@EVERYWHERE
@pytest.mark.parametrize(
    "thinking",
    [{"type": "enabled", "budget_tokens": 31999}, {"type": "adaptive"}, {"type": "disabled"}],
    ids=lambda value: value["type"],
)
def test_claude_codes_conversation_reaches_every_provider(provider: str, model: str, thinking: Json) -> None:
    _, headers, body = sent(CLAUDE_CODE, provider, model, thinking=thinking)
    assert headers[":path"].startswith("/")
    assert holds(
        body,
        "You are Claude Code",
        "Working directory: /home/dev/shop",
        "The checkout page in screenshot.png is broken",
        "I'll look at the picture and the code.",
        "computeTotal\\(",
        "src/total.ts:14",
        PICTURE,
        "File has not been read yet.",
        "The list of what is to do is empty.",
        "Fixing the discount",
        "größer als 0 €",
        "Todos have been modified",
    )
    names = {tool["name"] for tool in CLAUDE_CODE["body"]["tools"]}
    assert names <= set(texts(body))
    assert json.dumps(body).count("toolu_01GrepTotal") != 1  # call and result, where ids are sent at all


@EVERYWHERE
def test_claudes_signatures_go_to_claude_and_to_nobody_else(provider: str, model: str) -> None:
    made, _, body = sent(CLAUDE_CODE, provider, model)
    is_claude = "claude" in model
    assert holds(body, SIGNATURE) == is_claude
    assert holds(body, "EmwKAhgBEgy3va3pzix") == is_claude
    dropped = made.response_head(200, {}).set_headers.get("x-plano-dropped-params", "")
    assert ("messages[1].content[0]" in dropped) == (not is_claude and provider != "deepseek")


def test_claude_code_with_anthropic_changes_nothing_but_the_model() -> None:
    made, headers, body = sent(CLAUDE_CODE, "anthropic", "claude-sonnet-4-5")
    assert body == {**CLAUDE_CODE["body"], "model": "claude-sonnet-4-5"}
    assert headers[":path"] == "/v1/messages?beta=true"
    assert "x-plano-dropped-params" not in made.response_head(200, {}).set_headers


def test_claude_code_keeps_its_budget_and_its_caches_on_bedrock() -> None:
    _, _, body = sent(CLAUDE_CODE, "amazon_bedrock", CLAUDE_ON_BEDROCK)
    assert body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 31999}
    assert json.dumps(body).count("cachePoint") == 4
    picture = body["messages"][2]["content"][0]["toolResult"]["content"][1]
    assert picture["image"]["source"]["bytes"].startswith(PICTURE)


@EVERYWHERE
def test_codexs_conversation_reaches_every_provider(provider: str, model: str) -> None:
    _, _, body = sent(CODEX, provider, model)
    assert holds(
        body,
        "You are a coding agent that runs in a terminal",
        "<permissions instructions>",
        "<approval_policy>on-request",
        "The total in this picture is wrong.",
        PICTURE,
        "I'll look for the total first.",
        "rg -n computeTotal src",
        "src/total.ts:14: computeTotal",
        "cat",
        "let a = sum(cart);",
        PATCH,
        "Success. Updated the following files",
        "attached local image path",
        "Now run the tests, please.",
    )
    declared = {"shell", "update_plan", "apply_patch", "view_image", "read_file", "tickets__search"}
    assert declared <= set(texts(body))
    assert holds(body, "%import common.LF")  # the grammar of patches


def test_codex_with_openai_changes_nothing() -> None:
    made, _, body = sent(CODEX, "openai", "gpt-5-codex")
    assert body == CODEX["body"]
    assert "x-plano-dropped-params" not in made.response_head(200, {}).set_headers


def test_codex_with_a_chatgpt_subscription_changes_the_instructions_only() -> None:
    _, _, body = sent(CODEX, "chatgpt", "gpt-5-codex")
    assert body["instructions"].endswith(CODEX["body"]["instructions"])
    assert body == {**CODEX["body"], "instructions": body["instructions"]}


@pytest.mark.parametrize(("provider", "model"), [*CHAT_TARGETS[1:], *OTHER_TARGETS[1:], ("anthropic", "claude-x")])
def test_openais_encrypted_reasoning_goes_to_nobody_else(provider: str, model: str) -> None:
    made, _, body = sent(CODEX, provider, model)
    assert not holds(body, CODEX["body"]["input"][3]["encrypted_content"])
    dropped = made.response_head(200, {}).set_headers["x-plano-dropped-params"]
    assert "input[9]" in dropped


def answered(made: Exchange, stream: bytes) -> httpx2.Client:
    """A client whose provider answers with a stream, which arrives in pieces of 50 bytes."""
    head = made.response_head(200, {"content-type": STREAM_CONTENT_TYPES[made.upstream][0]})
    chunks = [stream[start : start + 50] for start in range(0, len(stream), 50)]
    if not made.same_format:
        chunks = [*(made.response_chunk(chunk, end=False) for chunk in chunks), made.response_chunk(b"", end=True)]
    headers = {"content-type": head.set_headers.get("content-type", "text/event-stream")}
    return httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=b"".join(chunks)))
    )


@EVERYWHERE
def test_claude_code_reads_texts_and_parallel_calls_from_every_provider(provider: str, model: str) -> None:
    made, _, _ = sent(CLAUDE_CODE, provider, model)
    http = answered(made, STREAMS[made.upstream]["text, then parallel calls"])
    client = Anthropic(api_key="k", http_client=http, max_retries=0)
    with client.beta.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as events:
        message = events.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert calls[0].input == {"city": "Köln"}
    assert len({call.id for call in calls}) == 2
    assert message.stop_reason == "tool_use"


@EVERYWHERE
def test_codex_reads_texts_and_parallel_calls_from_every_provider(provider: str, model: str) -> None:
    made, _, _ = sent(CODEX, provider, model)
    http = answered(made, STREAMS[made.upstream]["text, then parallel calls"])
    client = OpenAI(api_key="k", http_client=http, max_retries=0)
    with client.responses.stream(model="m", input="x") as events:
        response = events.get_final_response()
    calls = [item for item in response.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert json.loads(calls[0].arguments) == {"city": "Köln"}
    assert response.status == "completed"


def events_of(*events: Json) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def patch_call(upstream: Format) -> bytes:
    """A provider's stream in which the model calls the function that stands in for `apply_patch`."""
    arguments = json.dumps({"input": PATCH}, ensure_ascii=False)
    pieces = [arguments[start : start + 7] for start in range(0, len(arguments), 7)]
    if upstream is Format.ANTHROPIC:
        block = {"type": "tool_use", "id": "toolu_9", "name": "apply_patch", "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        message = {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {}}
        return events_of(
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
            {"type": "message_stop"},
        )
    if upstream is Format.CONVERSE:
        start = {"toolUse": {"toolUseId": "tooluse_9", "name": "apply_patch"}}
        events: list[tuple[str, Json]] = [
            ("messageStart", {"role": "assistant"}),
            ("contentBlockStart", {"contentBlockIndex": 0, "start": start}),
            *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": p}}}) for p in pieces),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "tool_use"}),
        ]
        return b"".join(encode_event(name, orjson.dumps(event)) for name, event in events)
    if upstream is Format.GEMINI:
        parts = [{"functionCall": {"name": "apply_patch", "args": {"input": PATCH}}}]
        answer = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}
        return b"data: %s\n\n" % orjson.dumps(answer)
    deltas = [
        {"index": 0, "id": "call_9", "type": "function", "function": {"name": "apply_patch", "arguments": ""}},
        *({"index": 0, "function": {"arguments": piece}} for piece in pieces),
    ]
    chunks: list[Json] = [{"delta": {"tool_calls": [delta]}} for delta in deltas]
    chunks.append({"delta": {}, "finish_reason": "tool_calls"})
    return b"".join(b"data: %s\n\n" % orjson.dumps({"choices": [chunk]}) for chunk in chunks) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(("provider", "model"), [*CHAT_TARGETS[1:], *OTHER_TARGETS[1:], ("anthropic", "claude-x")])
def test_codex_gets_its_patch_as_the_free_text_it_asked_for(provider: str, model: str) -> None:
    made, _, _ = sent(CODEX, provider, model)
    client = OpenAI(api_key="k", http_client=answered(made, patch_call(made.upstream)), max_retries=0)
    with client.responses.stream(model="m", input="x") as events:
        seen = list(events)
        response = events.get_final_response()
    (call,) = (item for item in response.output if item.type == "custom_tool_call")
    assert (call.name, call.input) == ("apply_patch", PATCH)
    assert "".join(event.delta for event in seen if event.type == "response.custom_tool_call_input.delta") == PATCH
