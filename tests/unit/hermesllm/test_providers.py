import pytest

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS

RESPONSES_ONLY = (
    "gpt-5-codex",
    "gpt-5.1-codex-mini",
    "gpt-5.1-codex-max-2025-11-19",
    "codex-mini-latest",
    "gpt-5-pro",
    "gpt-5.2-pro-2025-12-11",
    "o1-pro",
    "o3-pro-2025-06-10",
    "computer-use-preview",
    "o3-deep-research",
    "o4-mini-deep-research-2025-06-26",
)
IN_CHAT_TOO = ("gpt-5", "gpt-5.1-chat-latest", "gpt-5-mini", "gpt-4o", "o1", "o3-mini", "gpt-4o-pro", "gpt-5-product")


@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC, Format.COMPLETIONS, Format.RESPONSES])
@pytest.mark.parametrize("model", RESPONSES_ONLY)
def test_models_of_the_responses_api_alone_are_spoken_to_in_it(client: Format, model: str) -> None:
    assert PROVIDERS["openai"].upstream_format(client, model) is Format.RESPONSES


@pytest.mark.parametrize("model", IN_CHAT_TOO)
def test_other_models_of_openai_are_spoken_to_in_the_clients_format_or_in_chat(model: str) -> None:
    openai = PROVIDERS["openai"]
    assert openai.upstream_format(Format.CHAT, model) is Format.CHAT
    assert openai.upstream_format(Format.ANTHROPIC, model) is Format.CHAT
    assert openai.upstream_format(Format.RESPONSES, model) is Format.RESPONSES


@pytest.mark.parametrize("provider", ["azure_openai", "openrouter", "vercel", "groq"])
def test_what_a_model_of_that_name_is_elsewhere_is_not_openais_to_say(provider: str) -> None:
    assert PROVIDERS[provider].upstream_format(Format.CHAT, "gpt-5-codex") is Format.CHAT


def test_every_provider_with_models_of_the_responses_api_alone_has_that_api() -> None:
    limited = [provider for provider in PROVIDERS.values() if provider.responses_only]
    assert limited
    assert all(provider.speaks(Format.RESPONSES) for provider in limited)
