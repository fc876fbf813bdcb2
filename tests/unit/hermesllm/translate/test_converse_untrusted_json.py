"""Whatever JSON clients and Amazon Bedrock send, translation answers with its own errors and nothing else."""

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermesllm.errors import InvalidRequest, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.reading import request_bytes
from hermesllm.translate import Context, Translator, translator
from tests.unit.hermesllm.translate.converse_answers import CITATION, USAGE, answer, tool_use
from tests.unit.hermesllm.translate.converse_requests import CLAUDE, GPT_OSS, LLAMA, NOVA_2, PROFILE
from tests.unit.hermesllm.translate.test_untrusted_json import (
    ANTHROPIC_REQUEST,
    CHAT_REQUEST,
    JSON,
    JUNK,
    broken,
    places,
    replaced,
)

MODELS = (CLAUDE, NOVA_2, LLAMA, GPT_OSS, PROFILE, "us.anthropic.claude-3-7-sonnet-20250219-v1:0")
EXTENSIONS: dict[str, Any] = {
    "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
    "additionalModelRequestFields": {"inferenceConfig": {"topK": 2}, "anthropic_beta": ["x"], "tools": [{"name": "n"}]},
    "additionalModelResponseFieldPaths": ["/x"],
    "requestMetadata": {"a": "b"},
    "serviceTier": {"type": "flex"},
    "outputConfig": {"effort": "low"},
    "cache_control": {"type": "ephemeral", "ttl": "1h"},
}


def without_urls(value: Any) -> Any:
    """The request without what Bedrock refuses, so that what comes behind is read too."""
    if isinstance(value, dict):
        if value.get("type") == "url":
            return {"type": "base64", "media_type": "image/png", "data": "QQ=="}
        return {name: without_urls(item) for name, item in value.items()}
    return [without_urls(item) for item in value] if isinstance(value, list) else value


REQUESTS: dict[Format, dict[str, Any]] = {
    Format.CHAT: {**CHAT_REQUEST, **EXTENSIONS},
    Format.ANTHROPIC: {
        **without_urls(ANTHROPIC_REQUEST),
        **EXTENSIONS,
        "anthropic_beta": ["context-1m-2025-08-07"],
        "tools": [
            {"name": "f", "input_schema": {"type": "object"}, "strict": True, "cache_control": {"type": "ephemeral"}},
            {"type": "computer_20250124", "name": "computer"},
        ],
    },
}
ANSWER = answer(
    {"text": "x"},
    tool_use("t", "f", {"a": 1}),
    {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
    {"reasoningContent": {"redactedContent": "cg=="}},
    {"citationsContent": {"content": [{"text": "x"}], "citations": [CITATION]}},
    {"toolResult": {"toolUseId": "t", "status": "error", "content": [{"text": "x"}, {"json": {"a": 1}}]}},
    {"image": {"format": "png", "source": {"bytes": "QQ=="}}},
    {"guardContent": {"text": {"text": "g"}}},
    usage={**USAGE, "cacheDetails": [{"ttl": "5m", "inputTokens": 1}]},
    serviceTier={"type": "default"},
    trace={"promptRouter": {"invokedModelId": "m"}},
    additionalModelResponseFields={"stop_sequence": "x"},
)
CLIENTS = (Format.CHAT, Format.ANTHROPIC)


def cell(client: Format, model: str = CLAUDE) -> Translator:
    return translator(client, Format.CONVERSE, Context(PROVIDERS["amazon_bedrock"], model))


@pytest.mark.parametrize("client", CLIENTS)
def test_junk_in_any_place_of_a_request_is_translated_or_refused(client: Format) -> None:
    refusals = []
    for path in places(REQUESTS[client])[1:]:
        for junk in JUNK:
            try:
                request_bytes(cell(client).request(replaced(REQUESTS[client], path, junk)))
            except InvalidRequest as error:
                refusals.append(error)
    assert refusals
    assert all(error.status == 400 for error in refusals)


@pytest.mark.parametrize("client", CLIENTS)
def test_junk_in_any_place_of_an_answer_is_translated_or_called_invalid(client: Format) -> None:
    for path in places(ANSWER):
        for junk in JUNK:
            for render in ("response", "response_as_stream"):
                with contextlib.suppress(InvalidUpstreamResponse):
                    getattr(cell(client), render)(replaced(ANSWER, path, junk))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CLIENTS), st.sampled_from(MODELS), st.data())
def test_any_request_is_translated_or_refused(client: Format, model: str, data: st.DataObject) -> None:
    body = data.draw(broken(REQUESTS[client]) | st.dictionaries(st.text(max_size=5), JSON))
    if not isinstance(body, dict):
        return  # the gateway refuses it before it picks a translator
    with contextlib.suppress(InvalidRequest):
        request = cell(client, model).request(body)
        assert request["messages"]
        assert "model" not in request
        assert "stream" not in request


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CLIENTS), st.data())
def test_any_answer_is_translated_or_called_invalid(client: Format, data: st.DataObject) -> None:
    body = data.draw(broken(ANSWER) | JSON)
    for render in ("response", "response_as_stream"):
        with contextlib.suppress(InvalidUpstreamResponse):
            getattr(cell(client), render)(body)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_request_is_not_changed_by_its_translation(client: Format) -> None:
    body = copy.deepcopy(REQUESTS[client])
    cell(client).request(body)
    assert body == REQUESTS[client]
    first = cell(client).request(copy.deepcopy(body))
    assert cell(client).request(body) == first
