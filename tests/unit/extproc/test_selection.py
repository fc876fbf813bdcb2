import pytest

from extproc.errors import ModelNotFound, NoModelSpecified
from extproc.selection import select_candidate
from hermesllm.errors import InvalidRequest
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import ModelAlias, ModelProvider, RuntimeConfig

GPT = ModelProvider(name="openai/gpt-4o", provider_interface="openai", model="gpt-4o")
MINI = ModelProvider(name="my-mini", provider_interface="openai", model="gpt-4o-mini", default=True)
CLAUDE = ModelProvider(name="anthropic/*", provider_interface="anthropic", model="*", wildcard_prefix="anthropic")
ORCHESTRATOR = ModelProvider(
    name="plano-orchestrator", provider_interface="plano", model="Plano-Orchestrator", internal=True
)


def registry(*entries: ModelProvider, **aliases: str) -> ModelRegistry:
    targets = {name: ModelAlias(target=target) for name, target in aliases.items()}
    return ModelRegistry(RuntimeConfig(version="v0.4.0", model_providers=entries, model_aliases=targets))


EVERYTHING = registry(GPT, MINI, CLAUDE, ORCHESTRATOR, fast="gpt-4o-mini", smart="anthropic/claude-x")


@pytest.mark.parametrize(
    ("model", "hint", "expected"),
    [
        ("openai/gpt-4o", None, "openai/gpt-4o"),
        ("gpt-4o", None, "openai/gpt-4o"),
        ("my-mini", None, "my-mini"),
        ("openai/gpt-4o-mini", None, "my-mini"),
        ("fast", None, "my-mini"),
        ("smart", None, "anthropic/claude-x"),
        ("anthropic/claude-unheard-of", None, "anthropic/claude-unheard-of"),
        ("team-a/gpt-4o", None, "openai/gpt-4o"),
        (None, None, "my-mini"),
        ("", None, "my-mini"),
        (None, "default", "my-mini"),
        (None, "gpt-4o", "openai/gpt-4o"),
        ("nobody-serves-this", "gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "my-mini", "openai/gpt-4o"),
        ("claude-new", "anthropic", "anthropic/claude-new"),
    ],
)
def test_a_name_and_a_hint_select_a_candidate(model: str | None, hint: str | None, expected: str) -> None:
    assert select_candidate(EVERYTHING, model, hint).name == expected


def test_an_unknown_model_is_refused_with_the_list_of_what_is_configured() -> None:
    with pytest.raises(ModelNotFound) as caught:
        select_candidate(registry(GPT, fast="gpt-4o"), "gpt-9", None)
    assert caught.value.status == 404
    assert "gpt-9" in caught.value.message
    assert caught.value.remedy == "Use one of the configured models: fast, openai/gpt-4o."


@pytest.mark.parametrize("name", ["anthropic/gpt-4o", "anthropic/", "/", "openai/", "Plano-Orchestrator"])
def test_a_prefix_of_another_provider_or_half_a_name_does_not_match(name: str) -> None:
    with pytest.raises(ModelNotFound):
        select_candidate(registry(GPT, CLAUDE_EMPTY, ORCHESTRATOR), name, None)


CLAUDE_EMPTY = ModelProvider(
    name="anthropic/claude", provider_interface="anthropic", model="claude", wildcard_prefix=None
)


def test_without_model_and_default_the_request_is_refused() -> None:
    with pytest.raises(NoModelSpecified):
        select_candidate(registry(GPT), None, None)


@pytest.mark.parametrize("model", [7, ["gpt-4o"], {"name": "gpt-4o"}, True])
def test_a_model_that_is_no_string_is_refused(model: object) -> None:
    with pytest.raises(InvalidRequest, match="must be a string"):
        select_candidate(EVERYTHING, model, None)
