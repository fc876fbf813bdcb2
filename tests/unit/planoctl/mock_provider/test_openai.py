"""The OpenAI face of the mock, through the official client."""

import json

import openai
import pytest
from pydantic import BaseModel

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time"}}


def ask(client: openai.OpenAI, text: str, **parameters):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="mock-gpt", messages=messages, **parameters)


def test_repeats_the_last_user_message(chat):
    answer = ask(chat, "hello")
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "mock-gpt"


def test_same_request_gets_the_same_answer(chat):
    assert ask(chat, "hello") == ask(chat, "hello")
    assert ask(chat, "hello").id != ask(chat, "goodbye").id


def test_usage_counts_cached_and_reasoning_tokens(chat):
    usage = ask(chat, "x" * 400, reasoning_effort="low").usage
    assert usage.prompt_tokens == 108
    assert usage.prompt_tokens_details.cached_tokens == 27
    assert usage.completion_tokens_details.reasoning_tokens == 104
    assert usage.completion_tokens == 104 + 103
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_stream_carries_the_same_text_and_ends_with_the_reason(chat):
    chunks = list(ask(chat, "one two three", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You said: one two three"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_reports_usage_only_when_asked(chat):
    chunks = list(ask(chat, "hello", stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage == ask(chat, "hello").usage


def test_counts_images_and_documents_and_echoes_the_system_prompt(chat):
    content = [
        {"type": "text", "text": "look, echo system"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
    ]
    answer = chat.chat.completions.create(
        model="mock-gpt",
        messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": content}],
    )
    expected = "You said: look, echo system [images: 2] [documents: 1] [system: be brief]"
    assert answer.choices[0].message.content == expected


def test_calls_the_tools_that_the_text_names(chat):
    message = ask(chat, "please call get_weather and call get_time", tools=[WEATHER, CLOCK]).choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["get_weather", "get_time"]
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "mock city", "unit": "celsius"}
    assert message.tool_calls[1].function.arguments == "{}"
    assert message.content is None


def test_tool_calls_can_be_forced_forbidden_and_made_single(chat):
    def names(text: str, **parameters) -> list[str]:
        calls = ask(chat, text, tools=[WEATHER, CLOCK], **parameters).choices[0].message.tool_calls
        return [call.function.name for call in calls or []]

    assert names("hi") == []
    assert names("hi", tool_choice="required") == ["get_weather"]
    assert names("hi", tool_choice={"type": "function", "function": {"name": "get_time"}}) == ["get_time"]
    assert names("call get_time", tool_choice="none") == []
    assert names("call get_time, call get_weather", parallel_tool_calls=False) == ["get_time"]


def test_streamed_tool_arguments_come_in_pieces(chat):
    chunks = list(ask(chat, "call get_weather", tools=[WEATHER], stream=True))
    parts = [
        call.function.arguments
        for chunk in chunks
        for call in chunk.choices[0].delta.tool_calls or []
        if call.function.arguments
    ]
    assert len(parts) > 2
    assert json.loads("".join(parts)) == {"city": "mock city", "unit": "celsius"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_quotes_the_tool_results_it_gets_back(chat):
    first = ask(chat, "call get_weather and call get_time", tools=[WEATHER, CLOCK]).choices[0]
    assert first.finish_reason == "tool_calls"
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": content}
        for call, content in zip(first.message.tool_calls, ["sunny", "noon"], strict=True)
    ]
    history = [{"role": "user", "content": "call both"}, first.message, *results]
    answer = chat.chat.completions.create(model="mock-gpt", messages=history, tools=[WEATHER, CLOCK])
    assert answer.choices[0].message.content == "The tool said: sunny; noon"


def test_reasoning_effort_brings_reasoning_content(chat):
    assert ask(chat, "hi", reasoning_effort="high").choices[0].message.reasoning_content == "The user wrote: hi"
    assert not hasattr(ask(chat, "hi", reasoning_effort="none").choices[0].message, "reasoning_content")
    chunks = ask(chat, "hi", reasoning_effort="high", stream=True)
    deltas = [getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks]
    assert "".join(deltas) == "The user wrote: hi"


@pytest.mark.parametrize(
    ("parameters", "text", "reason"),
    [
        ({"max_tokens": 2}, "You said", "length"),
        ({"max_completion_tokens": 2}, "You said", "length"),
        ({"stop": "two"}, "You said: one ", "stop"),
        ({"stop": ["absent", "one"]}, "You said: ", "stop"),
    ],
)
def test_answer_ends_at_the_token_limit_or_the_stop_string(chat, parameters, text, reason):
    choice = ask(chat, "one two three", **parameters).choices[0]
    assert (choice.message.content, choice.finish_reason) == (text, reason)


def test_structured_answer_follows_the_schema(chat):
    class Event(BaseModel):
        title: str
        attendees: list[str]
        day: int

    event = chat.chat.completions.parse(
        model="mock-gpt", messages=[{"role": "user", "content": "plan"}], response_format=Event
    )
    assert event.choices[0].message.parsed == Event(title="mock title", attendees=["mock attendees"], day=7)


def test_n_asks_for_several_choices(chat):
    assert [choice.index for choice in ask(chat, "hi", n=3).choices] == [0, 1, 2]
    assert {chunk.choices[0].index for chunk in ask(chat, "hi", n=2, stream=True)} == {0, 1}


CALL = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        ({}, "Missing required parameter: 'messages'"),
        ({"messages": []}, "empty array"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "Invalid value: 'robot'"),
        ({"messages": [{"role": "user"}]}, "expected a string, got null"),
        ({"messages": [{"role": "assistant", "content": None}]}, "expected a string, got null"),
        ({"messages": [USER | {"cache_control": {}}]}, "Unknown parameter: 'messages[0].cache_control'"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}]}, "must be a response to a preceeding"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}, USER]}, "did not have response messages: call_1"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]}, "did not have response messages: call_1"),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": []}]}, "empty array"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL | {"id": "c" * 41}]}]}, "maximum length 40"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "Invalid value: 'image'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "Expected a base64-encoded data URL",
        ),
        ({"messages": [USER], "thinking": {}}, "Unknown parameter: 'thinking'"),
        ({"messages": [USER], "temperature": 2.5}, "out of range"),
        ({"messages": [USER], "max_tokens": 0}, "below minimum"),
        ({"messages": [USER], "max_tokens": 5, "max_completion_tokens": 5}, "at the same time"),
        ({"messages": [USER], "stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled"),
        ({"messages": [USER], "tool_choice": "auto"}, "only allowed when 'tools' are specified"),
        ({"messages": [USER], "tools": []}, "empty array"),
        ({"messages": [USER], "tools": [{"name": "f", "input_schema": {}}]}, "tools[0].function"),
        ({"messages": [USER], "tools": [CLOCK], "tool_choice": "any"}, "Invalid value: 'any'"),
        ({"messages": [USER], "stop": ["a", "b", "c", "d", "e"]}, "array too long"),
        ({"messages": [USER], "reasoning_effort": "huge"}, "Invalid value: 'huge'"),
        ({"messages": [USER], "response_format": {"type": "json_object"}}, "must contain the word 'json'"),
    ],
)
def test_refuses_what_the_real_api_refuses(chat, request_body, message):
    with pytest.raises(openai.BadRequestError) as caught:
        chat.post("/chat/completions", body={"model": "mock-gpt"} | request_body, cast_to=object)
    assert message in caught.value.body["message"]
    assert caught.value.type == "invalid_request_error"


def test_lenient_accepts_unknown_fields(chat):
    answer = ask(chat, "hi", extra_body={"top_k": 5}, extra_headers={"x-mock-behaviour": "lenient"})
    assert answer.choices[0].message.content == "You said: hi"


def test_wrong_key_is_401_in_this_apis_shape(mock):
    client = openai.OpenAI(base_url=f"{mock.url}/v1", api_key="wrong", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert caught.value.code == "invalid_api_key"


def test_lists_models_and_answers_under_any_prefix(mock, chat):
    assert [model.id for model in chat.models.list()] == ["mock-gpt", "mock-gpt-mini", "mock-claude"]
    assert chat.models.retrieve("mock-gpt").id == "mock-gpt"
    with openai.OpenAI(base_url=f"{mock.url}/some/prefix/v3", api_key="mock-key") as client:
        assert ask(client, "hi").choices[0].message.content == "You said: hi"
