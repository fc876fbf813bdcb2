"""A request is tried with one candidate after the other: no translation may change what the next one starts from."""

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import translator
from hermesllm.translate.base import Context

CASES = Path(__file__).parents[3] / "conformance" / "cases"
CLIENTS = {"chat": Format.CHAT, "anthropic": Format.ANTHROPIC, "responses": Format.RESPONSES}
CANDIDATES = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-5-codex"),
    ("anthropic", "claude-sonnet-4-5"),
    ("amazon_bedrock", "anthropic.claude-sonnet-4-5-v1:0"),
    ("gemini", "gemini-3-pro"),
    ("vertex", "gemini-2.5-pro"),
    ("mistral", "mistral-large"),
    ("deepseek", "deepseek-chat"),
    ("chatgpt", "gpt-5"),
)


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize(("provider_id", "model"), CANDIDATES)
def test_translating_a_request_leaves_the_document_as_the_client_sent_it(
    client: str, provider_id: str, model: str
) -> None:
    provider = PROVIDERS[provider_id]
    upstream = provider.upstream_format(CLIENTS[client], model)
    requests: list[dict[str, Any]] = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob(f"{client}-*/*/request.json"))
    ]
    assert len(requests) > 50
    for request in requests:
        given = request.get("body", request)
        document = copy.deepcopy(given)
        with suppress(GatewayError):
            translator(CLIENTS[client], upstream, Context(provider, model)).request(dict(document))
        assert document == given
