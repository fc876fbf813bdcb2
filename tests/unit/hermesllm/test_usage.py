from typing import Any

import pytest

from hermesllm.formats import Format
from hermesllm.usage import Usage, read_usage


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 25, "total_tokens": 35}, Usage(prompt=10, completion=25)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "prompt_tokens_details": {"cached_tokens": 80},
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            Usage(prompt=100, completion=20, cache_read=80, reasoning=7),
        ),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "cache_read_input_tokens": 80,
                "cache_creation_input_tokens": 12,
            },
            Usage(prompt=100, completion=20, cache_read=80, cache_write=12),
        ),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}, Usage(prompt=9, cache_read=4)),
        ({"prompt_tokens": 9, "cached_tokens": 4}, Usage(prompt=9, cache_read=4)),
        ({"prompt_tokens": None, "completion_tokens": "many", "prompt_tokens_details": []}, Usage()),
        ({"prompt_tokens": -1, "completion_tokens": 3.0}, Usage(completion=3)),
    ],
)
def test_chat_usage_is_read_with_every_providers_names_for_cached_tokens(chat: dict[str, Any], expected: Usage) -> None:
    assert Usage.from_chat(chat) == expected


def test_anthropics_input_excludes_the_cache_and_openais_includes_it() -> None:
    anthropic = {
        "input_tokens": 20,
        "output_tokens": 15,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 6},
    }
    usage = Usage.from_anthropic(anthropic)
    assert usage == Usage(prompt=125, completion=15, cache_read=100, cache_write=5, reasoning=6)
    assert usage.total == 140
    assert usage.to_anthropic() == anthropic
    assert usage.to_chat() == {
        "prompt_tokens": 125,
        "completion_tokens": 15,
        "total_tokens": 140,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 6},
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 5,
    }
    assert Usage.from_chat(usage.to_chat()) == usage


def test_a_cache_larger_than_the_prompt_does_not_make_input_negative() -> None:
    assert Usage(prompt=5, cache_read=9).to_anthropic()["input_tokens"] == 0


@pytest.mark.parametrize("body", [{}, {"usage": None}, {"usage": {}}, {"usage": 3}])
def test_an_answer_without_usage_has_none(body: dict[str, Any]) -> None:
    assert read_usage(Format.CHAT, body) is None
    assert read_usage(Format.ANTHROPIC, body) is None


def test_usage_is_read_in_the_format_of_the_answer() -> None:
    assert read_usage(Format.CHAT, {"usage": {"prompt_tokens": 3}}) == Usage(prompt=3)
    assert read_usage(Format.ANTHROPIC, {"usage": {"input_tokens": 3}}) == Usage(prompt=3)
