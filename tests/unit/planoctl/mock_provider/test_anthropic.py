"""The Anthropic face of the mock, through the official client."""

import anthropic
import pytest

from planoctl.mock_provider.validation import signature

WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
}
CLOCK = {"name": "get_time", "input_schema": {"type": "object"}}
THINKING = {"type": "enabled", "budget_tokens": 1024}


def ask(client: anthropic.Anthropic, text: str, **parameters):
    defaults = {"model": "mock-claude", "max_tokens": 2048, "messages": [{"role": "user", "content": text}]}
    return client.messages.create(**defaults | parameters)


def test_repeats_the_last_user_message(claude):
    answer = ask(claude, "hello")
    assert [block.text for block in answer.content] == ["You said: hello"]
    assert (answer.stop_reason, answer.model) == ("end_turn", "mock-claude")


def test_usage_splits_the_prompt_by_cache(claude):
    usage = ask(claude, "x" * 400).usage
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (27, 13)
    assert usage.input_tokens + 27 + 13 == 108


def test_streamed_message_equals_the_unary_one(claude):
    parameters = {"tools": [WEATHER, CLOCK], "thinking": THINKING}
    unary = ask(claude, "call get_weather and call get_time", **parameters)
    with claude.messages.stream(
        model="mock-claude",
        max_tokens=2048,
        messages=[{"role": "user", "content": "call get_weather and call get_time"}],
        **parameters,
    ) as stream:
        events = list(stream)
        streamed = stream.get_final_message()
    assert [block.to_dict() for block in streamed.content] == [block.to_dict() for block in unary.content]
    assert streamed.stop_reason == unary.stop_reason == "tool_use"
    assert streamed.usage.output_tokens == unary.usage.output_tokens
    assert sum(event.type == "input_json" for event in events) > 4


def test_streams_text_in_words(claude):
    with claude.messages.stream(
        model="mock-claude", max_tokens=99, messages=[{"role": "user", "content": "one two  three "}]
    ) as stream:
        assert list(stream.text_stream) == ["You", " said:", " one", " two", "  three", " "]


def test_tool_round_trip_quotes_the_results(claude):
    first = ask(claude, "call get_weather, call get_time", tools=[WEATHER, CLOCK])
    assert [block.input for block in first.content] == [{"city": "mock city", "days": 7}, {}]
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": content}
        for block, content in zip(first.content, ["sunny", [{"type": "text", "text": "noon"}]], strict=True)
    ]
    history = [
        {"role": "user", "content": "call both"},
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    answer = ask(claude, "", messages=history, tools=[WEATHER, CLOCK])
    assert answer.content[0].text == "The tool said: sunny; noon"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, []),
        ({"type": "any"}, ["get_weather"]),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
        ({"type": "none"}, []),
    ],
)
def test_tool_choice_decides(claude, choice, names):
    answer = ask(claude, "hi", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [block.name for block in answer.content if block.type == "tool_use"] == names


def test_parallel_tools_can_be_switched_off(claude):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    answer = ask(claude, "call get_time, call get_weather", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [block.name for block in answer.content] == ["get_time"]


def test_thinking_is_signed_and_must_come_back_unchanged(claude):
    first = ask(claude, "call get_time", tools=[CLOCK], thinking=THINKING)
    thought, call = first.content
    assert thought.signature == signature("The user wrote: call get_time")

    def answer(block: dict) -> anthropic.types.Message:
        history = [
            {"role": "user", "content": "call get_time"},
            {"role": "assistant", "content": [block, call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "noon"}]},
        ]
        return ask(claude, "", messages=history, tools=[CLOCK], thinking=THINKING)

    assert answer(thought.to_dict()).content[-1].text == "The tool said: noon"
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature` in `thinking` block"):
        answer(thought.to_dict() | {"signature": "AAAA"})
    with pytest.raises(anthropic.BadRequestError, match=r"messages.1.content.0.thinking.signature: Field required"):
        answer({"type": "thinking", "thinking": thought.thinking})
    with pytest.raises(anthropic.BadRequestError, match="Expected `thinking` or `redacted_thinking`"):
        answer({"type": "text", "text": "hm"})


@pytest.mark.parametrize(
    ("parameters", "text", "stop"),
    [
        ({"max_tokens": 2}, "You said", ("max_tokens", None)),
        ({"stop_sequences": ["two"]}, "You said: one ", ("stop_sequence", "two")),
        ({"stop_sequences": ["absent"]}, "You said: one two three", ("end_turn", None)),
    ],
)
def test_answer_ends_at_the_token_limit_or_the_stop_sequence(claude, parameters, text, stop):
    answer = ask(claude, "one two three", **parameters)
    assert answer.content[0].text == text
    assert (answer.stop_reason, answer.stop_sequence) == stop


def test_counts_images_and_documents_and_echoes_the_system_prompt(claude):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    pdf = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
    content = [image, image, pdf, {"type": "text", "text": "look, echo system"}]
    system = [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]
    answer = ask(claude, "", messages=[{"role": "user", "content": content}], system=system)
    expected = "You said: look, echo system [images: 2] [documents: 1] [system: be brief]"
    assert answer.content[0].text == expected


def test_structured_answer_follows_the_schema(claude):
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    answer = ask(claude, "plan", output_config={"format": {"type": "json_schema", "schema": schema}})
    assert answer.content[0].text == '{"title": "mock title"}'


def test_neighbouring_messages_of_one_role_are_one_turn(claude):
    answer = ask(claude, "", messages=[{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    assert answer.content[0].text == "You said: one\ntwo"


USER = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "noon"}
HINT = {"type": "text", "text": "hint"}


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"messages": []}, "at least one message is required"),
        ({"messages": [{"role": "system", "content": "hi"}]}, 'Unexpected role "system"'),
        ({"messages": [{"role": "tool", "content": "hi"}]}, 'Unexpected role "tool"'),
        ({"messages": [USER | {"name": "bob"}]}, "messages.0.name: Extra inputs are not permitted"),
        ({"messages": [{"role": "user", "content": ""}]}, "must have non-empty content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "must be non-empty"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]}, "non-whitespace"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "Input tag 'image_url'"),
        ({"messages": [{"role": "user", "content": [RESULT]}]}, "unexpected `tool_use_id`"),
        ({"messages": [USER, {"role": "assistant", "content": [USE]}, USER]}, "ids were found without `tool_result`"),
        ({"messages": [USER, {"role": "assistant", "content": [USE]}]}, "ids were found without `tool_result`"),
        (
            {"messages": [USER, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [HINT, RESULT]}]},
            "ids were found without `tool_result`",
        ),
        ({"messages": [USER, {"role": "assistant", "content": "so "}]}, "trailing whitespace"),
        ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-empty"),
        ({"frequency_penalty": 1}, "frequency_penalty: Extra inputs are not permitted"),
        ({"metadata": {"team": "a"}}, "metadata.team: Extra inputs are not permitted"),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"stop_sequences": ["\n"]}, "must contain non-whitespace"),
        ({"tools": [{"name": "f"}]}, "input_schema: Field required"),
        ({"tools": [CLOCK, CLOCK]}, "Tool names must be unique"),
        ({"tool_choice": {"type": "auto"}}, "may only be specified while providing tools"),
        ({"tools": [CLOCK], "tool_choice": {"type": "required"}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 500}}, "greater than or equal to 1024"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "must be greater than `thinking.budget_tokens`"),
        ({"thinking": THINKING, "temperature": 0.5}, "may only be set to 1"),
    ],
)
def test_refuses_what_the_real_api_refuses(claude, request_body, message):
    body = {"model": "mock-claude", "max_tokens": 2048, "messages": [USER]} | request_body
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.post("/v1/messages", body=body, cast_to=object)
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert message in caught.value.body["error"]["message"]


def test_max_tokens_and_the_version_header_are_required(claude):
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        claude.post("/v1/messages", body={"model": "mock-claude", "messages": [USER]}, cast_to=object)
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version: header is required"):
        ask(claude, "hi", extra_headers={"anthropic-version": anthropic.Omit()})


def test_wrong_key_is_401_in_this_apis_shape(mock):
    client = anthropic.Anthropic(base_url=mock.url, api_key="wrong", max_retries=0)
    with client, pytest.raises(anthropic.AuthenticationError) as caught:
        ask(client, "hi")
    assert caught.value.body["error"]["type"] == "authentication_error"


def test_lists_models(claude):
    assert [model.id for model in claude.models.list()] == ["mock-gpt", "mock-gpt-mini", "mock-claude"]
