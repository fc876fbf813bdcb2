"""The Gemini face of the mock, through Google's client."""

import httpx
import pytest
from google import genai
from google.genai import errors, types

WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
}
TOOLS = [{"function_declarations": [WEATHER]}]


def ask(client: genai.Client, contents="hello", model="mock-gemini", **config):
    return client.models.generate_content(model=model, contents=contents, config=config or None)


def test_repeats_the_last_user_message_and_the_system_instruction(gemini):
    answer = ask(gemini, "echo system", system_instruction="be brief")
    assert answer.text == "You said: echo system [system: be brief]"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == "mock-gemini"


def test_stream_carries_the_same_text_and_ends_with_the_reason(gemini):
    chunks = list(gemini.models.generate_content_stream(model="mock-gemini", contents="one two"))
    assert "".join(chunk.text for chunk in chunks) == "You said: one two"
    assert [bool(chunk.candidates[0].finish_reason) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage_metadata == ask(gemini, "one two").usage_metadata


def test_thoughts_are_marked_and_counted(gemini):
    answer = ask(gemini, "hi", thinking_config={"include_thoughts": True})
    thought, text = answer.candidates[0].content.parts
    assert (thought.thought, thought.text, text.text) == (True, "The user wrote: hi", "You said: hi")
    assert answer.usage_metadata.thoughts_token_count == 5


def test_calls_functions_with_a_signature_and_quotes_the_results(gemini):
    settings = {"tools": TOOLS, "thinking_config": {"include_thoughts": True}}
    said = ask(gemini, "call get_weather", **settings).candidates[0].content
    call = next(part for part in said.parts if part.function_call)
    assert call.function_call.args == {"city": "mock city"}
    assert call.thought_signature
    asked = types.UserContent("call get_weather")
    result = types.UserContent(types.Part.from_function_response(name="get_weather", response={"sky": "clear"}))
    assert ask(gemini, [asked, said, result], **settings).text == 'The tool said: {"sky": "clear"}'
    call.thought_signature = b"forged"
    with pytest.raises(errors.ClientError, match="Thought signature is not valid"):
        ask(gemini, [asked, said, result], **settings)


def test_functions_can_be_forced_and_forbidden(gemini):
    forced = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["get_weather"]}}
    assert ask(gemini, tools=TOOLS, tool_config=forced).function_calls[0].name == "get_weather"
    forbidden = {"function_calling_config": {"mode": "NONE"}}
    assert ask(gemini, "call get_weather", tools=TOOLS, tool_config=forbidden).function_calls is None


def test_structured_answer_follows_the_schema(gemini):
    schema = {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}, "required": ["name"]}
    answer = ask(gemini, response_mime_type="application/json", response_schema=schema)
    assert answer.text == '{"name": "mock name"}'


def test_counts_images_and_ends_at_the_token_limit(gemini):
    image = types.Part.from_bytes(data=b"png", mime_type="image/png")
    assert ask(gemini, [image, "look"]).text == "You said: look [images: 1]"
    assert ask(gemini, max_output_tokens=1).candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_answers_below_the_prefix_of_vertex(mock):
    path = "/v1/projects/p/locations/l/publishers/google/models/mock-gemini:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    answer = httpx.post(mock.url + path, json=body, headers={"authorization": "Bearer mock-key"})
    assert answer.json()["candidates"][0]["content"]["parts"] == [{"text": "You said: hi"}]


def test_a_stream_without_sse_is_one_json_array(mock):
    url = f"{mock.url}/v1beta/models/mock-gemini:streamGenerateContent"
    body = {"contents": [{"parts": [{"text": "one two"}]}]}
    chunks = httpx.post(url, json=body, params={"key": "mock-key"}).json()
    assert "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks) == "You said: one two"


@pytest.mark.parametrize(
    ("status", "name"),
    [(403, "PERMISSION_DENIED"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"), (503, "UNAVAILABLE")],
)
def test_status_has_googles_name(gemini, status, name):
    with pytest.raises(errors.APIError) as caught:
        ask(gemini, model=f"mock-gemini@status={status}")
    assert (caught.value.code, caught.value.status) == (status, name)


def test_wrong_key_is_a_400_with_a_reason(mock):
    client = genai.Client(api_key="other", http_options={"base_url": mock.url})
    with pytest.raises(errors.ClientError) as caught:
        ask(client)
    assert caught.value.code == 400
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_error_event_ends_the_stream(gemini):
    with pytest.raises(errors.APIError, match="asked for an error in the stream"):
        list(gemini.models.generate_content_stream(model="mock-gemini@error-event=1", contents="a"))


def test_lists_models(gemini):
    assert [model.name for model in gemini.models.list()] == [
        "models/mock-gpt",
        "models/mock-gpt-mini",
        "models/mock-claude",
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "contents is not specified"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "Please use a valid role"),
        ({"contents": [{"parts": []}]}, "contents.parts must not be empty"),
        ({"contents": [{"parts": [{"text": "a", "inlineData": {}}]}]}, "required oneof field 'data'"),
        ({"contents": [{"parts": [{"text": "a"}]}], "max_tokens": 3}, 'Unknown name "maxTokens"'),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]},
            "number of function response parts is equal",
        ),
        ({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"temperature": 3}}, "must be in the range"),
    ],
)
def test_refuses_what_google_refuses(mock, body, message):
    url = f"{mock.url}/v1beta/models/mock-gemini:generateContent"
    answer = httpx.post(url, json=body, headers={"x-goog-api-key": "mock-key"})
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert message in answer.json()["error"]["message"]
