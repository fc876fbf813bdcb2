from typing import Any

import pytest

from hermesllm.reasoning import anthropic_effort, budget_of, chat_effort, effort_of_budget, takes_reasoning_effort


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (None, None)),
        ({"reasoning_effort": "HIGH"}, ("high", None)),
        ({"reasoning": {"effort": "low"}}, ("low", None)),
        ({"reasoning": {"max_tokens": 5000}}, (None, 5000)),
        ({"reasoning": {"max_tokens": 10}}, (None, 1024)),
        ({"reasoning": {"enabled": True}}, ("medium", None)),
        ({"reasoning": {"enabled": False}}, ("none", None)),
        ({"reasoning_effort": None, "reasoning": "x"}, (None, None)),
    ],
)
def test_chat_requests_say_how_hard_to_think(body: dict[str, Any], expected: tuple[str | None, int | None]) -> None:
    assert chat_effort(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 12288}}, "high"),
        ({"thinking": {"type": "enabled"}}, "low"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"output_config": {"effort": "low"}}, "low"),
    ],
)
def test_messages_requests_say_how_hard_to_think(body: dict[str, Any], expected: str | None) -> None:
    assert anthropic_effort(body) == expected


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_an_effort_survives_its_budget(effort: str) -> None:
    assert effort_of_budget(budget_of(effort)) == effort


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("o3", True),
        ("o4-mini", True),
        ("gpt-5.2-pro", True),
        ("openai/gpt-oss-120b", True),
        ("gemini-2.5-flash", True),
        ("grok-4", True),
        ("anthropic/claude-sonnet-4.5", True),
        ("gpt-4o", False),
        ("llama-3.3-70b-versatile", False),
        ("mistral-large-latest", False),
    ],
)
def test_only_models_known_to_reason_are_told_how_hard(model: str, expected: bool) -> None:
    assert takes_reasoning_effort(model) is expected
