from typing import Any

import pytest

from hermesllm.gemini_models import gemini_model

LOW, HIGH = {"thinkingLevel": "low"}, {"thinkingLevel": "high"}


@pytest.mark.parametrize(
    ("model", "effort", "budget", "config"),
    [
        ("gemini-2.5-pro", "none", None, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", "none", None, {"thinkingBudget": 0}),
        ("gemini-2.5-flash", "minimal", None, {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", "low", None, {"thinkingBudget": 1024}),
        ("google/gemini-2.5-flash-lite-preview-09-2025", "medium", None, {"thinkingBudget": 8192}),
        ("gemini-2.5-flash-lite", None, 100, {"thinkingBudget": 512}),
        ("gemini-2.5-pro", None, 60000, {"thinkingBudget": 32768}),
        ("gemini-2.5-pro", None, None, {"thinkingBudget": -1}),
        ("gemini-2.5-flash", "max", None, {"thinkingBudget": 16384}),
        ("gemini-3-pro-preview", "none", None, LOW),
        ("gemini-3-pro-preview", "medium", None, HIGH),
        ("gemini-3.1-pro-preview", "medium", None, {"thinkingLevel": "medium"}),
        ("gemini-3-flash-preview", "none", None, {"thinkingLevel": "minimal"}),
        ("gemini-3-flash-preview", "xhigh", None, HIGH),
        ("gemini-3-pro-preview", None, 1024, LOW),
        ("gemini-3-pro-preview", None, None, {}),
        ("gemini-flash-latest", "low", None, LOW),
        ("gemini-2.0-flash", "high", None, {}),
        ("gemma-3-27b-it", "high", None, {}),
        ("gemini-exp", "high", None, {}),
    ],
)
def test_thinking_is_asked_for_in_the_words_of_the_generation(
    model: str, effort: str | None, budget: int | None, config: dict[str, Any]
) -> None:
    assert gemini_model(model).thinking(effort, budget) == config


@pytest.mark.parametrize(("model", "signs"), [("gemini-3-pro-preview", True), ("gemini-2.5-pro", False), ("m", False)])
def test_calls_are_signed_from_gemini_3_on(model: str, signs: bool) -> None:
    assert gemini_model(model).signs_calls is signs
