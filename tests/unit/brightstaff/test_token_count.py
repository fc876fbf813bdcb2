from typing import Any

import pytest

from brightstaff.token_count import count_input_tokens
from hermesllm.errors import InvalidRequest

SENTENCE = "How many tokens does this sentence have?"  # 8 of o200k_base


def count(content: Any, **more: Any) -> int:
    return count_input_tokens({"model": "m", "messages": [{"role": "user", "content": content}], **more})


def test_text_is_counted_with_a_real_tokenizer() -> None:
    assert count(SENTENCE) - count("") == 8


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": SENTENCE}],
        [{"type": "thinking", "thinking": SENTENCE, "signature": "x"}],
        [{"type": "tool_result", "tool_use_id": "t", "content": SENTENCE}],
        [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": SENTENCE}]}],
        [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": SENTENCE}}],
    ],
)
def test_text_counts_wherever_it_stands(content: Any) -> None:
    assert count(content) - count([]) == 8


def test_system_prompt_tools_calls_and_images_count_too() -> None:
    assert count("x", system=SENTENCE) - count("x") == 8
    assert count("x", system=[{"type": "text", "text": SENTENCE}]) - count("x") == 8
    assert count("x", tools=[{"name": "t", "description": SENTENCE, "input_schema": {}}]) > count("x") + 8
    assert count([{"type": "tool_use", "id": "1", "name": "t", "input": {"a": SENTENCE}}]) > count([]) + 8
    assert count([{"type": "image", "source": {"type": "url", "url": "https://x"}}]) > count([]) + 500


@pytest.mark.parametrize("request_", [None, [], "x", {}, {"messages": []}, {"messages": "x"}])
def test_a_request_without_messages_is_refused(request_: Any) -> None:
    with pytest.raises(InvalidRequest):
        count_input_tokens(request_)
