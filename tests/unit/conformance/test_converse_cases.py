"""What must be true of every conformance case of Amazon Bedrock, whoever drafted its files."""

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from hermesllm.aws_event_stream import EventStreamDecoder
from hermesllm.sse import SSEDecoder
from tests.unit.hermesllm.translate.converse_requests import problems

CASES = Path(__file__).parents[2] / "conformance" / "cases"
FOLDERS = sorted(CASES.glob("*-converse/*"))
NAMES = [f"{folder.parent.name}/{folder.name}" for folder in FOLDERS]
TERMINALS = {"response.completed", "response.incomplete", "response.failed", "error"}


def load(folder: Path, name: str) -> Any:
    path = folder / name
    return json.loads(path.read_bytes()) if path.exists() else None


def events(folder: Path) -> list[Any]:
    stream = SSEDecoder().decode((folder / "response.sse").read_bytes())
    return [event.data if event.data == b"[DONE]" else orjson.loads(event.data) for event in stream]


def test_there_are_enough_cases_of_every_pair() -> None:
    counts = Counter(folder.parent.name for folder in FOLDERS)
    assert set(counts) >= {"chat-converse", "anthropic-converse", "responses-converse"}
    assert min(counts.values()) >= 25


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_the_request_to_bedrock_is_one_that_bedrock_takes(folder: Path) -> None:
    meta, request = load(folder, "meta.json"), load(folder, "upstream_request.json")
    if request is None:
        assert meta["status"] == 400
        return
    assert not {"model", "stream", "modelId"} & request.keys()
    assert problems(request, "ConverseStream" if meta["stream"] else "Converse") == ""
    roles = [message["role"] for message in request["messages"]]
    assert roles[0] == "user"
    assert all(one != other for one, other in itertools.pairwise(roles))
    assert all(message["content"] for message in request["messages"])
    assert {"text": ""} not in [block for message in request["messages"] for block in message["content"]]
    called = [block for message in request["messages"] for block in message["content"] if "toolUse" in block]
    assert "toolConfig" in request or not called
    assert meta["upstream_path"].endswith("/converse-stream" if meta["stream"] else "/converse")
    assert ":" not in meta["upstream_path"]


@pytest.mark.parametrize("folder", [each for each in FOLDERS if (each / "upstream_response.hex").exists()], ids=str)
def test_a_stream_says_what_bedrock_said(folder: Path) -> None:
    decoder = EventStreamDecoder()
    frames = decoder.decode(bytes.fromhex((folder / "upstream_response.hex").read_text()))
    decoder.flush()
    deltas = [
        orjson.loads(frame.payload)["delta"] for frame in frames if frame.text(":event-type") == "contentBlockDelta"
    ]
    said = "".join(delta.get("text", "") for delta in deltas)
    thought = "".join(delta.get("reasoningContent", {}).get("text", "") for delta in deltas)
    arguments = "".join(delta.get("toolUse", {}).get("input", "") for delta in deltas)
    client = load(folder, "meta.json")["client"]
    found = events(folder)
    heard = {"chat": chat_words, "anthropic": anthropic_words, "responses": responses_words}[client](found)
    if folder.name.startswith("json-schema-tool"):
        said, arguments = said + arguments, ""
    assert heard == (said, thought, arguments)
    whole = any(frame.text(":event-type") == "metadata" for frame in frames)
    ends = {
        "chat": found[-1] == b"[DONE]",
        "anthropic": found[-1] == {"type": "message_stop"},
        "responses": client == "responses" and found[-1]["type"] in ("response.completed", "response.incomplete"),
    }
    assert ends[client] is whole
    if client == "responses":
        assert [event["type"] for event in found if event["type"] in TERMINALS] == [found[-1]["type"]]


def chat_words(found: list[Any]) -> tuple[str, str, str]:
    deltas = [choice["delta"] for chunk in found if chunk != b"[DONE]" for choice in chunk.get("choices", ())]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    arguments = [call["function"].get("arguments", "") for call in calls]
    return (
        "".join(delta.get("content") or "" for delta in deltas),
        "".join(delta.get("reasoning_content", "") for delta in deltas),
        "".join(part for part in arguments if part != "{}"),
    )


def anthropic_words(found: list[Any]) -> tuple[str, str, str]:
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    text, thinking, arguments = (
        "".join(delta.get(name, "") for delta in deltas) for name in ("text", "thinking", "partial_json")
    )
    return text, thinking, arguments


def responses_words(found: list[Any]) -> tuple[str, str, str]:
    def joined(kind: str) -> str:
        return "".join(event["delta"] for event in found if event["type"] == kind and event["delta"] != "{}")

    return (
        joined("response.output_text.delta"),
        joined("response.reasoning_summary_text.delta") + joined("response.reasoning_text.delta"),
        joined("response.function_call_arguments.delta"),
    )


@pytest.mark.parametrize("folder", [each for each in FOLDERS if (each / "response.json").exists()], ids=str)
def test_an_answer_keeps_words_tokens_and_status(folder: Path) -> None:
    meta, given, made = (load(folder, name) for name in ("meta.json", "upstream_response.json", "response.json"))
    if meta["status"] != 200:
        assert made["error"]["message"]
        assert given is None or made["error"]["message"] == given["message"]
        return
    text = json.dumps(made, ensure_ascii=False)
    for block in given["output"]["message"]["content"]:
        if "text" in block:
            assert json.dumps(block["text"], ensure_ascii=False)[1:-1] in text
    usage, counts = made["usage"], given["usage"]
    cached = counts.get("cacheReadInputTokens", 0) + counts.get("cacheWriteInputTokens", 0)
    if meta["client"] == "anthropic":
        assert (usage["input_tokens"], usage["output_tokens"]) == (counts["inputTokens"], counts["outputTokens"])
    else:
        assert usage["total_tokens"] == counts["totalTokens"] == counts["inputTokens"] + cached + counts["outputTokens"]
