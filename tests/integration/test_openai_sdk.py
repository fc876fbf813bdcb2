"""The official `openai` SDK, unchanged but for its base URL, with both kinds of provider behind the gateway."""

import base64
import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway

MODELS = pytest.mark.parametrize("model", ["mock-gpt", "mock-claude"])
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
TIME: Any = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}},
}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="client-key", max_retries=0, timeout=20)


@pytest.fixture
def async_client(gateway: Gateway) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="client-key", max_retries=0, timeout=20)


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


@MODELS
def test_a_chat_has_text_usage_and_a_finish_reason(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=ask("hello"))
    (choice,) = answer.choices
    assert choice.message.content == "You said: hello"
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 2


@MODELS
async def test_the_async_client_works_alike(async_client: openai.AsyncOpenAI, model: str) -> None:
    answer = await async_client.chat.completions.create(model=model, messages=ask("hello"))
    assert answer.choices[0].message.content == "You said: hello"
    stream = await async_client.chat.completions.create(model=model, messages=ask("hello"), stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text == "You said: hello"


@MODELS
@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_has_one_role_one_finish_and_usage_only_where_asked(
    client: openai.OpenAI, model: str, include_usage: bool
) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(client.chat.completions.create(model=model, messages=ask("hello you"), stream=True, **options))
    deltas = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in deltas) == "You said: hello you"
    assert [choice.delta.role for choice in deltas if choice.delta.role] == ["assistant"]
    assert [choice.finish_reason for choice in deltas if choice.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usages) == include_usage
    if include_usage:
        assert usages[0] is not None
        assert usages[0].completion_tokens > 0


@MODELS
def test_the_streaming_helper_assembles_the_same_message(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=ask("hello")) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == "You said: hello"


@MODELS
def test_the_raw_response_names_the_model_that_served_and_the_request(client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=ask("hello"), extra_headers={"x-request-id": "request-of-mine"}
    )
    assert raw.headers["x-request-id"] == "request-of-mine"
    assert raw.headers["x-plano-model"].endswith(f"/{model}")
    assert raw.headers["x-plano-provider"] in {"openai", "anthropic"}
    assert raw.parse().choices[0].message.content == "You said: hello"


@MODELS
def test_system_prompts_and_several_turns_reach_the_provider(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "second"},
        ],
    )
    assert answer.choices[0].message.content == "You said: second"


@MODELS
def test_images_arrive(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
                ],
            }
        ],
    )
    assert "[images: 2]" in str(answer.choices[0].message.content)


@MODELS
@pytest.mark.parametrize("stream", [False, True])
def test_parallel_tool_calls_and_their_results_make_a_round_trip(
    client: openai.OpenAI, model: str, stream: bool
) -> None:
    messages = ask("call get_weather and call get_time")
    if stream:
        with client.chat.completions.stream(model=model, messages=messages, tools=[WEATHER, TIME]) as events:
            for _ in events:
                pass
            message: Any = events.get_final_completion().choices[0].message
            finish = events.get_final_completion().choices[0].finish_reason
    else:
        choice = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER, TIME]).choices[0]
        message, finish = choice.message, choice.finish_reason
    assert finish == "tool_calls"
    assert [call.function.name for call in message.tool_calls] == ["get_weather", "get_time"]
    assert "city" in json.loads(message.tool_calls[0].function.arguments)
    history = [
        *messages,
        message.model_dump(exclude_none=True),
        *({"role": "tool", "tool_call_id": call.id, "content": f"result of {call.function.name}"}
          for call in message.tool_calls),
    ]  # fmt: skip
    answer = client.chat.completions.create(model=model, messages=history, tools=[WEATHER, TIME])
    assert "result of get_time" in str(answer.choices[0].message.content)


@MODELS
@pytest.mark.parametrize(
    ("choice", "called"),
    [("required", True), ("none", False), ({"type": "function", "function": {"name": "get_time"}}, True)],
)
def test_tool_choice_is_obeyed(client: openai.OpenAI, model: str, choice: Any, called: bool) -> None:
    answer = client.chat.completions.create(
        model=model, messages=ask("hello"), tools=[WEATHER, TIME], tool_choice=choice
    )
    calls = answer.choices[0].message.tool_calls or []
    assert bool(calls) is called
    if isinstance(choice, dict):
        assert [call.function.name for call in calls if call.type == "function"] == ["get_time"]


@MODELS
def test_length_and_stop_sequences_end_an_answer(client: openai.OpenAI, model: str) -> None:
    short = client.chat.completions.create(model=model, messages=ask("one two three four"), max_tokens=2)
    assert short.choices[0].finish_reason == "length"
    stopped = client.chat.completions.create(model=model, messages=ask("one STOP two"), stop=["STOP"])
    assert stopped.choices[0].finish_reason == "stop"
    assert "two" not in str(stopped.choices[0].message.content)


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_and_its_signature_survive_a_turn_through_a_chat_client(client: openai.OpenAI, stream: bool) -> None:
    """The mock, like Anthropic's API, refuses a signature that it did not issue."""
    messages = ask("think, then call get_weather")
    options: Any = {
        "model": "mock-claude", "tools": [WEATHER], "reasoning_effort": "low", "max_completion_tokens": 4000,
    }  # fmt: skip
    if stream:
        with client.chat.completions.stream(messages=messages, **options) as events:
            for _ in events:
                pass
            message: Any = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(messages=messages, **options).choices[0].message
    assert message.reasoning_content
    (block,) = message.thinking_blocks
    assert block["signature"]
    history = [
        *messages,
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"},
    ]
    answer = client.chat.completions.create(messages=history, **options)
    assert "sunny" in str(answer.choices[0].message.content)
    block["signature"] = "forged"
    forged = [*messages, {**history[1], "thinking_blocks": [block]}, history[2]]
    with pytest.raises(openai.BadRequestError, match="signature"):
        client.chat.completions.create(messages=forged, **options)


class Trip(BaseModel):
    city: str
    days: int


@MODELS
def test_structured_output_is_parsed(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(model=model, messages=ask("plan a trip"), response_format=Trip)
    assert isinstance(answer.choices[0].message.parsed, Trip)


@MODELS
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_provider_errors_become_the_sdks_own_exceptions(
    client: openai.OpenAI, model: str, status: int, kind: type[openai.APIStatusError]
) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(
            model=model, messages=ask("hi"), extra_headers={"x-mock-behaviour": f"status={status}"}
        )
    assert model in str(caught.value)
    assert caught.value.request_id


def test_a_refused_key_is_an_authentication_error_without_the_key(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="wrong-key", messages=ask("hi"))
    assert "wrong-key-51c2" not in str(caught.value)


@pytest.mark.parametrize("model", ["passed-through", "passed-through-claude"])
def test_the_clients_own_key_is_passed_through_where_that_is_configured(gateway: Gateway, model: str) -> None:
    own = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
    assert own.chat.completions.create(model=model, messages=ask("hi")).choices[0].message.content
    other = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="not-the-key", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        other.chat.completions.create(model=model, messages=ask("hi"))


def test_models_are_listed(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:2] == ["openai/mock-gpt", "anthropic/mock-claude"]
    assert client.models.retrieve("fast").id == "fast"


@MODELS
def test_an_error_event_in_a_stream_is_raised(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.APIError):
        list(
            client.chat.completions.create(
                model=model, messages=ask("hello"), stream=True, extra_headers={"x-mock-behaviour": "error-event=2"}
            )
        )
