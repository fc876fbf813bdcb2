"""The cases with a Responses side: the library still answers as their authors reviewed, and what must hold, holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.conformance.case import CASES, Case, load_case
from tests.conformance.compare import Rules, json_differences
from tests.unit.hermesllm.translate.recorded_responses_streams import events_of

PAIRS = ("responses-chat", "responses-anthropic", "responses-responses", "chat-responses", "anthropic-responses")
FOLDERS = [folder.parent for pair in PAIRS for folder in sorted((CASES / pair).glob("*/meta.json"))]


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_has_its_cases(pair: str) -> None:
    assert sum(folder.parent.name == pair for folder in FOLDERS) >= 25


def differences(case: Case, expected: Any, actual: Any) -> list[str]:
    return list(json_differences(expected, actual, Rules(case.ignore, case.contains, case.optional)))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_the_library_answers_as_reviewed(folder: Path) -> None:
    case = load_case(folder)
    cell = translator(Format(case.client), Format(case.upstream), Context(PROVIDERS[case.provider], case.model))
    if case.answer is None:
        with pytest.raises(GatewayError) as caught:
            cell.request(json.loads(json.dumps(case.request)))
        assert caught.value.status == case.status == 400
        return
    assert cell.request(json.loads(json.dumps(case.request))) == case.upstream_request
    if case.status != 200:
        return
    body = case.answer.read_bytes()
    if case.response_stream is not None:
        stream = cell.stream()
        is_stream = case.answer.suffix == ".sse"
        out = stream.decode(body) + stream.flush() if is_stream else cell.response_as_stream(json.loads(body))
        expected, actual = (datas(text) for text in (case.response_stream, out))
        assert len(actual) == len(expected)
        assert [found for pair in zip(expected, actual, strict=True) for found in differences(case, *pair)] == []
    elif case.answer.suffix == ".sse":
        assert differences(case, case.response, cell.response_from_stream(body)) == []  # type: ignore[attr-defined]
    else:
        assert differences(case, case.response, cell.response(json.loads(body))) == []


def datas(stream: bytes) -> list[Any]:
    texts = [block.partition("data: ")[2] for block in stream.decode().split("\n\n") if "data: " in block]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


STREAMS = [
    folder for folder in FOLDERS if folder.parent.name.startswith("responses-") and (folder / "response.sse").exists()
]


@pytest.mark.parametrize("folder", STREAMS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_responses_streams_are_numbered_and_end_once(folder: Path) -> None:
    if folder.parent.name == "responses-responses":
        return  # as it came
    events = events_of((folder / "response.sse").read_bytes())
    ends = ("response.completed", "response.incomplete", "response.failed", "error")
    assert [event["type"] in ends for event in events].index(True) == len(events) - 1
    if events[-1]["type"] != "error":
        assert events[0]["type"] == "response.created"
        assert events[-1]["response"]["id"] == events[0]["response"]["id"]


ANSWERS = [folder for folder in FOLDERS if folder.parent.name in PAIRS[:2] and (folder / "response.json").exists()]


@pytest.mark.parametrize("folder", ANSWERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_responses_answers_have_every_member_that_the_sdk_requires(folder: Path) -> None:
    case = load_case(folder)
    if case.status != 200:
        assert case.response["error"]["message"]
        return
    response = case.response
    required = (
        "id",
        "created_at",
        "model",
        "object",
        "output",
        "parallel_tool_calls",
        "tool_choice",
        "tools",
        "status",
    )
    assert all(response[name] is not None for name in required)
    assert response["tools"] == case.request.get("tools", [])
    assert response["metadata"] == case.request.get("metadata", {})
    assert response["usage"]["total_tokens"] == response["usage"]["input_tokens"] + response["usage"]["output_tokens"]
    assert {"cached_tokens", "cache_write_tokens"} == set(response["usage"]["input_tokens_details"])
