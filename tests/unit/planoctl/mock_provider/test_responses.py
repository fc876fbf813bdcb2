"""The Responses face of the mock, through the official client."""

import json

import openai
import pytest

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "strict": False,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ask(client: openai.OpenAI, given="hello", **parameters):
    return client.responses.create(model="mock-gpt", input=given, **parameters)


def test_repeats_the_last_user_message_and_the_instructions(chat):
    answer = ask(chat, "echo system", instructions="be brief")
    assert answer.output_text == "You said: echo system [system: be brief]"
    assert (answer.status, answer.model) == ("completed", "mock-gpt")


def test_stream_has_the_documented_sequence_of_events(chat):
    events = list(ask(chat, "hi", stream=True, reasoning={"effort": "low"}))
    kinds = [event.type for event in events]
    assert list(dict.fromkeys(kinds)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].response.usage is None
    assert events[-1].response == ask(chat, "hi", reasoning={"effort": "low"})


def test_the_clients_accumulator_takes_the_stream(chat):
    with chat.responses.stream(model="mock-gpt", input="call get_weather", tools=[WEATHER]) as stream:
        deltas = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        final = stream.get_final_response()
    assert len(deltas) == 4
    assert json.loads("".join(deltas)) == {"city": "mock city"}
    assert final.output[0].name == "get_weather"


def test_quotes_the_tool_results_it_gets_back(chat):
    call = ask(chat, "call get_weather", tools=[WEATHER]).output[0]
    history = [
        {"role": "user", "content": "call get_weather"},
        call.model_dump(exclude_none=True),
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
    ]
    assert ask(chat, history, tools=[WEATHER]).output_text == "The tool said: sunny"


def test_encrypted_reasoning_must_come_back_unchanged(chat):
    first = ask(chat, "hi", reasoning={"effort": "low"}, include=["reasoning.encrypted_content"])
    history = [{"role": "user", "content": "hi"}, *(item.model_dump(exclude_none=True) for item in first.output)]
    again = [*history, {"role": "user", "content": "more"}]
    assert ask(chat, again).output_text == "You said: more"
    history[1]["encrypted_content"] = "forged"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(chat, again)
    assert caught.value.code == "invalid_encrypted_content"


def test_answer_that_is_too_long_is_incomplete(chat):
    for answer in (
        ask(chat, "x" * 100, max_output_tokens=16),
        list(ask(chat, "x" * 100, max_output_tokens=16, stream=True))[-1].response,
    ):
        assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        assert len(answer.output_text) == 64


def test_structured_answer_follows_the_schema(chat):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    format_ = {"type": "json_schema", "name": "person", "schema": schema}
    assert json.loads(ask(chat, text={"format": format_}).output_text) == {"name": "mock name"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"given": []}, "Invalid 'input': empty array"),
        ({"given": [{"role": "tool", "content": "a"}]}, "Invalid value: 'tool'"),
        ({"given": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, "Invalid value: 'text'"),
        ({"given": [{"type": "function_call_output", "call_id": "c", "output": ""}]}, "No tool call found"),
        (
            {"given": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]},
            "No tool output found for function call c",
        ),
        ({"temperature": 3}, "decimal value out of range"),
        ({"max_output_tokens": 1}, "integer below minimum value"),
        ({"extra_body": {"max_tokens": 5}}, "Unknown parameter: 'max_tokens'"),
        ({"tool_choice": "always"}, "Invalid value: 'always'"),
    ],
)
def test_refuses_what_the_real_api_refuses(chat, parameters, message):
    with pytest.raises(openai.BadRequestError, match=message):
        ask(chat, **parameters)
