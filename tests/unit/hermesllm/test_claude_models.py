import pytest

from hermesllm.claude_models import claude_model


@pytest.mark.parametrize(
    ("name", "adaptive", "json_schema", "sampling", "effort"),
    [
        ("claude-3-haiku-20240307", False, False, True, None),
        ("claude-3-7-sonnet-latest", False, False, True, None),
        ("claude-sonnet-4-20250514", False, False, True, None),
        ("claude-opus-4-1-20250805", False, False, True, None),
        ("claude-haiku-4-5@20251001", False, True, True, None),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", False, True, True, None),
        ("claude-opus-4-5", False, True, True, "high"),
        ("anthropic/claude-opus-4.6", True, True, True, "max"),
        ("claude-opus-4-7", True, True, False, "max"),
        ("claude-sonnet-5", True, True, False, "max"),
        ("claude-fable-5-2", True, True, False, "max"),
        ("claude-latest", True, True, True, "max"),
        ("kimi-k2", False, False, True, None),
    ],
)
def test_the_name_tells_the_generation(
    name: str, adaptive: bool, json_schema: bool, sampling: bool, effort: str | None
) -> None:
    model = claude_model(name)
    assert model.adaptive_thinking is adaptive
    assert model.json_schema_output is json_schema
    assert model.sampling is sampling
    assert model.effort("max") == effort


def test_an_effort_the_model_does_not_know_becomes_the_next_lower() -> None:
    assert claude_model("claude-opus-4-6").effort("xhigh") == "high"
    assert claude_model("claude-opus-4-7").effort("xhigh") == "xhigh"
    assert claude_model("claude-opus-4-7").effort("extreme") is None


def test_models_that_always_think_cannot_be_told_not_to() -> None:
    assert not claude_model("claude-mythos-preview").thinking_can_be_off
    assert claude_model("claude-opus-4-8").thinking_can_be_off
