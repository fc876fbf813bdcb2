"""What of one exchange is decided by headers: beta flags on the way out, ids on the way back."""

from typing import Any

import orjson
import pytest

from extproc.exchange import Exchange, UpstreamRequest
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from planoctl.config.registry import Candidate
from planoctl.config.runtime import ModelProvider

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
BETAS = "context-1m-2025-08-07, claude-code-20250219,,advanced-tool-use-2025-11-20"
QUESTION = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
REQUEST_ID = "4a0dbbb5-4dbb-4f37-8d2b-4f5a8a4b6e1c"
ANSWER = {"output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}}, "stopReason": "end_turn"}


def exchange(client: Format, provider: str, model: str) -> Exchange:
    entry = ModelProvider(name=f"{provider}/{model}", provider_interface=provider, model=model, access_key="k")
    return Exchange(client, Candidate(entry, PROVIDERS[provider], model), body_limit=1 << 20)


def sent(
    client: Format, provider: str, model: str, headers: dict[str, str], **members: Any
) -> tuple[UpstreamRequest, dict[str, Any], Exchange]:
    made = exchange(client, provider, model)
    body = {**QUESTION, **members}
    request = made.request({":path": "/v1/messages", **headers}, orjson.dumps(body), orjson.loads(orjson.dumps(body)))
    return request, orjson.loads(request.body or b"{}"), made


def test_bedrocks_claude_gets_the_beta_flags_of_the_header_that_bedrock_knows() -> None:
    _, body, made = sent(Format.ANTHROPIC, "amazon_bedrock", CLAUDE, {"anthropic-beta": BETAS})
    flags = body["additionalModelRequestFields"]["anthropic_beta"]
    assert flags == ["context-1m-2025-08-07", "tool-search-tool-2025-10-19"]
    assert "x-plano-dropped-params" not in made.response_head(200, {}).set_headers


def test_a_flag_of_header_and_body_is_sent_once() -> None:
    members = {"anthropic_beta": ["pdfs-2024-09-25", "context-1m-2025-08-07"]}
    _, body, _ = sent(Format.ANTHROPIC, "amazon_bedrock", CLAUDE, {"anthropic-beta": BETAS}, **members)
    assert body["additionalModelRequestFields"]["anthropic_beta"] == [
        "context-1m-2025-08-07",
        "tool-search-tool-2025-10-19",
        "pdfs-2024-09-25",
    ]


def test_other_models_of_bedrock_get_no_beta_flags() -> None:
    _, body, made = sent(Format.ANTHROPIC, "amazon_bedrock", NOVA, {"anthropic-beta": BETAS})
    assert "additionalModelRequestFields" not in body
    assert "x-plano-dropped-params" not in made.response_head(200, {}).set_headers


@pytest.mark.parametrize(
    ("client", "provider", "model", "kept"),
    [
        (Format.ANTHROPIC, "anthropic", "claude-sonnet-4-5", True),
        (Format.CHAT, "anthropic", "claude-sonnet-4-5", True),
        (Format.COUNT_TOKENS, "anthropic", "claude-sonnet-4-5", True),
        (Format.ANTHROPIC, "openai", "gpt-5", False),
        (Format.ANTHROPIC, "amazon_bedrock", CLAUDE, False),
    ],
)
def test_headers_of_anthropics_api_reach_only_providers_that_speak_it(
    client: Format, provider: str, model: str, kept: bool
) -> None:
    own = {"anthropic-version": "2023-06-01", "anthropic-beta": BETAS}
    request, _, _ = sent(client, provider, model, own)
    assert {name for name in own if name in request.remove_headers} == (set() if kept else set(own))


@pytest.mark.parametrize(
    ("client", "prefix"), [(Format.CHAT, "chatcmpl-"), (Format.ANTHROPIC, "msg_"), (Format.RESPONSES, "")]
)
def test_bedrocks_answers_are_named_after_its_request_id(client: Format, prefix: str) -> None:
    made = sent(client, "amazon_bedrock", NOVA, {}, input="Hi")[2]
    made.response_head(200, {"content-type": "application/json", "x-amzn-requestid": REQUEST_ID})
    answer = orjson.loads(made.response_body(orjson.dumps(ANSWER)))
    if client is Format.RESPONSES:  # whose answers have ids that no other answer had, for conversations to go on from
        assert answer["output"][0]["id"] == f"msg_{REQUEST_ID}"
    else:
        assert answer["id"] == prefix + REQUEST_ID


def test_models_of_the_responses_api_alone_get_their_request_there() -> None:
    request, body, made = sent(Format.ANTHROPIC, "openai", "gpt-5-codex", {})
    assert made.upstream is Format.RESPONSES
    assert request.set_headers[":path"] == "/v1/responses"
    assert body["input"][0]["role"] == "user"
