import json
from typing import Any

import pytest

from hermesllm.errors import InvalidRequest, InvalidUpstreamResponse, Untranslatable
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator

CHUNKS = [
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"content": "grün"}, "finish_reason": None}]},
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
     "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
]  # fmt: skip
STREAM = b"".join(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n" for chunk in CHUNKS)


def cell(context: Context | None = None) -> Translator:
    return translator(Format.COMPLETIONS, Format.CHAT, context or Context(PROVIDERS["groq"], "llama"))


def test_a_prompt_becomes_a_message_and_the_settings_stay() -> None:
    request = cell().request(
        {"model": "x", "prompt": ["Say hi"], "max_tokens": 5, "stop": ["a"], "logprobs": 2, "temperature": 0.5}
    )
    assert request == {
        "model": "llama",
        "messages": [{"role": "user", "content": "Say hi"}],
        "max_tokens": 5,
        "stop": ["a"],
        "logprobs": True,
        "top_logprobs": 2,
        "temperature": 0.5,
    }


def test_what_a_chat_model_does_not_know_is_named() -> None:
    context = Context(PROVIDERS["groq"], "llama")
    cell(context).request({"prompt": "x", "best_of": 3, "unheard_of": 1})
    assert context.dropped == ["best_of", "unheard_of"]


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2, 3], [[1], [2]], []])
def test_prompts_that_no_chat_model_takes_are_refused(prompt: Any) -> None:
    with pytest.raises(Untranslatable, match="prompt"):
        cell().request({"prompt": prompt})


@pytest.mark.parametrize("prompt", [None, 7, {"text": "x"}])
def test_a_prompt_that_is_no_text_is_invalid(prompt: Any) -> None:
    with pytest.raises(InvalidRequest, match="prompt"):
        cell().request({"prompt": prompt})


def test_an_answer_takes_the_older_shape_with_echo_and_logprobs() -> None:
    tested = cell()
    tested.request({"prompt": "Q:", "echo": True})
    content = [{"token": "gr", "logprob": -1, "top_logprobs": [{"token": "gr", "logprob": -1}]},
               {"token": "ün", "logprob": -2, "top_logprobs": []}]  # fmt: skip
    answer = tested.response(
        {
            "id": "c", "created": 1, "model": "m", "usage": {"total_tokens": 3},
            "choices": [{"index": 0, "message": {"content": "grün"}, "finish_reason": "length",
                         "logprobs": {"content": content}}],
        }
    )  # fmt: skip
    assert answer == {
        "id": "c",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "usage": {"total_tokens": 3},
        "choices": [
            {
                "text": "Q:grün",
                "index": 0,
                "finish_reason": "length",
                "logprobs": {
                    "tokens": ["gr", "ün"],
                    "token_logprobs": [-1, -2],
                    "top_logprobs": [{"gr": -1}, {}],
                    "text_offset": [0, 2],
                },
            }
        ],
    }


@pytest.mark.parametrize("answer", [None, [], {}, {"choices": None}])
def test_an_answer_without_choices_is_not_passed_on(answer: Any) -> None:
    with pytest.raises(InvalidUpstreamResponse):
        cell().response(answer)


def events(data: bytes) -> list[Any]:
    lines = [line[6:] for line in data.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) if line != "[DONE]" else line for line in lines]


@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
def test_a_stream_takes_the_older_shape_however_it_is_cut(size: int) -> None:
    stream = cell().stream()
    data = STREAM + b"data: [DONE]\n\n"
    out = b"".join(stream.decode(data[start : start + size]) for start in range(0, len(data), size)) + stream.flush()
    *chunks, usage, done = events(out)
    assert "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]) == "grün"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert usage["usage"]["total_tokens"] == 3
    assert done == "[DONE]"


def test_a_cut_stream_ends_with_an_error() -> None:
    stream = cell().stream()
    out = stream.decode(STREAM[:200]) + stream.flush()
    assert "error" in events(out)[-1]
    assert "[DONE]" not in events(out)


def test_a_plain_answer_can_be_streamed() -> None:
    tested = cell()
    tested.request({"prompt": "x", "stream": True, "stream_options": {"include_usage": True}})
    out = events(
        tested.response_as_stream(
            {
                "id": "c",
                "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
                "usage": {"total_tokens": 2},
            }
        )
    )
    assert out[0]["choices"][0]["text"] == "hi"
    assert out[1]["usage"] == {"total_tokens": 2}
    assert out[-1] == "[DONE]"


@pytest.mark.parametrize("index", [[], {}, "0", None, 1.5])
def test_a_choice_whose_index_is_no_number_counts_by_its_place(index: Any) -> None:
    made = cell()
    made.request({"model": "x", "prompt": "Hi", "stream": True, "echo": True})
    chunk = {"choices": [{"index": index, "delta": {"content": "!"}, "finish_reason": "stop"}]}
    out = made.stream().decode(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    assert json.loads(out.removeprefix(b"data: "))["choices"][0] == {
        "index": 0, "text": "Hi!", "logprobs": None, "finish_reason": "stop",
    }  # fmt: skip
