from typing import Any

import pytest

from hermesllm.formats import Format
from hermesllm.prompt_text import output_limit, prompt_text, prompt_token_ids

IMAGE = {"type": "image_url", "image_url": {"url": "data:"}}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "not counted"}


@pytest.mark.parametrize(
    ("client", "request_", "text"),
    [
        (Format.CHAT, {"messages": [{"role": "user", "content": "a"}, {"content": "b"}]}, " a  b"),
        (Format.CHAT, {"messages": [{"content": [{"type": "text", "text": "a"}, IMAGE]}, CALL]}, " a [Image]  "),
        (Format.ANTHROPIC, {"system": "s", "messages": [{"role": "user", "content": "a"}]}, "s a"),
        (
            Format.ANTHROPIC,
            {"system": [{"type": "text", "text": "s"}], "messages": [{"content": [{"type": "image"}, RESULT]}]},
            "s ",
        ),
        (Format.RESPONSES, {"input": "as it is", "instructions": "no"}, "as it is"),
        (Format.RESPONSES, {"input": {"role": "user", "content": "one"}}, "one"),
        (
            Format.RESPONSES,
            {
                "input": [
                    {"role": "user", "content": "a"},
                    {"type": "function_call_output", "output": "no"},
                    {"type": "message", "content": [{"type": "input_text", "text": "b"}, {"type": "input_file"}]},
                ]
            },
            " a  b [File]",
        ),
        (Format.COMPLETIONS, {"prompt": ["a", "b"]}, "a b"),
        (Format.EMBEDDINGS, {"input": "a"}, "a"),
        (Format.COUNT_TOKENS, {"messages": [{"content": "a"}]}, ""),
    ],
)
def test_the_text_that_counts_is_that_of_the_specification(client: Format, request_: Any, text: str) -> None:
    assert prompt_text(client, request_) == text


@pytest.mark.parametrize("client", list(Format))
@pytest.mark.parametrize("broken", [None, 5, "x", [], [None, 5], {"content": 5}, [{"content": [None, {"text": 5}]}]])
def test_nothing_a_client_sends_is_an_error(client: Format, broken: Any) -> None:
    request = dict.fromkeys(("messages", "system", "input", "prompt", "max_tokens"), broken)
    assert isinstance(prompt_text(client, request), str)
    assert prompt_token_ids(client, request) >= 0
    assert output_limit(request) >= 0


def test_tokens_that_come_as_numbers_are_counted() -> None:
    assert prompt_token_ids(Format.EMBEDDINGS, {"input": [1, 2, 3]}) == 3
    assert prompt_token_ids(Format.COMPLETIONS, {"prompt": [[1, 2], [3]]}) == 3
    assert prompt_token_ids(Format.CHAT, {"input": [1, 2, 3]}) == 0


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_the_most_output_is_what_the_client_says(name: str) -> None:
    assert output_limit({name: 77}) == 77
    assert output_limit({}) == 0
