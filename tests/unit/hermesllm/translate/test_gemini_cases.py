"""What must hold in every conformance case whose provider is Gemini, whatever its files say."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.case import CASES, Case, load_cases
from tests.conformance.sse import parse
from tests.unit.hermesllm.translate.gemini_oracle import check_request

_CASES = [case for case in load_cases(CASES) if case.upstream == "gemini"]
_NAMED = {case.name: case for case in _CASES}


def answers(case: Case) -> list[dict[str, Any]]:
    """The provider's answer as the JSON documents it consists of."""
    path = case.answer
    if path is None or path.suffix == ".txt":
        return []
    if path.suffix == ".json":
        document = json.loads(path.read_bytes())
        return document if isinstance(document, list) else [document]
    found = []
    for block in path.read_text().split("\n\n"):
        try:
            found.append(json.loads(block.removeprefix("data: ")))
        except ValueError:
            continue
    return [each for each in found if isinstance(each, dict)]


def in_parts(case: Case, member: str) -> list[Any]:
    return [
        part[member]
        for answer in answers(case)
        for candidate in answer.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
        if member in part
    ]


def said_by_gateway(case: Case) -> str:
    """All that the client gets, with JSON's escapes resolved."""
    if case.response_stream is None:
        return json.dumps(case.response, ensure_ascii=False)
    return "\n".join(json.dumps(event.data, ensure_ascii=False) for event in parse(case.response_stream))


@pytest.mark.parametrize("pair", ["chat-gemini", "anthropic-gemini", "responses-gemini"])
def test_each_pair_has_its_cases(pair: str) -> None:
    assert sum(case.pair == pair for case in _CASES) >= 25


@pytest.mark.parametrize("name", _NAMED)
def test_googles_sdk_knows_every_member_of_the_request(name: str) -> None:
    case = _NAMED[name]
    if case.upstream_request is not None:
        check_request(case.upstream_request)
        assert case.upstream_path is not None
        assert case.upstream_path.endswith("streamGenerateContent?alt=sse" if case.stream else ":generateContent")


@pytest.mark.parametrize("name", _NAMED)
def test_no_signature_and_no_call_is_lost_on_the_way_to_the_client(name: str) -> None:
    case = _NAMED[name]
    told = said_by_gateway(case)
    assert all(signature in told for signature in in_parts(case, "thoughtSignature"))
    assert all(json.dumps(call["name"]) in told for call in in_parts(case, "functionCall") if "name" in call)


@pytest.mark.parametrize("name", [case.name for case in _CASES if case.response_stream and case.status == 200])
def test_streams_end_once_and_as_their_api_says(name: str) -> None:
    case = _NAMED[name]
    events = list(parse(case.response_stream or b""))
    failed = "error" in events[-1].name or (isinstance(events[-1].data, dict) and "error" in events[-1].data)
    last = {
        "chat": lambda: failed or events[-1].data == "[DONE]",
        "anthropic": lambda: failed or events[-1].name == "message_stop",
        "responses": lambda: events[-1].name in ("response.completed", "response.incomplete", "response.failed"),
    }
    assert last[case.client]()
    if case.client == "responses":
        assert [event.data["sequence_number"] for event in events] == list(range(len(events)))


@pytest.mark.parametrize("name", [case.name for case in _CASES if case.response and case.status == 200])
def test_usage_adds_up(name: str) -> None:
    case = _NAMED[name]
    metadata = answers(case)[-1]["usageMetadata"]
    usage = case.response["usage"]
    prompt = metadata["promptTokenCount"] + metadata.get("toolUsePromptTokenCount", 0)
    completion = metadata.get("candidatesTokenCount", 0) + metadata.get("thoughtsTokenCount", 0)
    if case.client == "chat":
        found = (usage["prompt_tokens"], usage["completion_tokens"])
    else:
        found = (usage["input_tokens"] + usage.get("cache_read_input_tokens", 0), usage["output_tokens"])
    assert found == (prompt, completion)


def test_every_case_lives_in_the_folder_of_its_pair() -> None:
    assert all(case.folder.parent == Path(CASES) / f"{case.client}-gemini" for case in _CASES)
