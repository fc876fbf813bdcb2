"""The mock's legacy completions, embeddings and token counts, through the official clients."""

import math

import openai
import pytest


def test_completion_answers_a_prompt(chat):
    answer = chat.completions.create(model="mock-gpt", prompt="hello")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("You said: hello", "stop")


def test_completion_ends_at_sixteen_tokens_by_default(chat):
    answer = chat.completions.create(model="mock-gpt", prompt="x" * 100)
    assert (len(answer.choices[0].text), answer.choices[0].finish_reason) == (64, "length")


def test_each_prompt_gets_a_choice(chat):
    answer = chat.completions.create(model="mock-gpt", prompt=["a", "b"], n=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


def test_completion_streams(chat):
    options = {"include_usage": True}
    chunks = list(chat.completions.create(model="mock-gpt", prompt="one two", stream=True, stream_options=options))
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == "You said: one two"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.prompt_tokens > 0


def test_completion_refuses_messages(chat):
    with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: messages"):
        chat.completions.create(model="mock-gpt", prompt="a", extra_body={"messages": []})


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_unit_vectors_that_depend_on_the_text(chat, encoding):
    answer = chat.embeddings.create(model="mock-embed", input=["a", "b", "a"], encoding_format=encoding)
    assert answer.usage.prompt_tokens == 3
    if encoding == "float":
        first, second, third = (entry.embedding for entry in answer.data)
        assert len(first) == 1536
        assert math.isclose(math.hypot(*first), 1)
        assert first == third != second
    else:
        assert len(answer.data[0].embedding) == len("A" * (1536 * 4 // 3 * 4))


def test_the_client_decodes_short_embeddings(chat):
    assert len(chat.embeddings.create(model="mock-embed", input="a", dimensions=8).data[0].embedding) == 8


def test_empty_embedding_input_is_refused(chat):
    with pytest.raises(openai.BadRequestError, match="'input' must be"):
        chat.embeddings.create(model="mock-embed", input=[])


def test_counted_tokens_are_those_of_the_answers_usage(claude):
    request = {"model": "mock-claude", "messages": [{"role": "user", "content": "x" * 400}]}
    usage = claude.messages.create(max_tokens=9, **request).usage
    asked = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    assert claude.messages.count_tokens(**request).input_tokens == asked
