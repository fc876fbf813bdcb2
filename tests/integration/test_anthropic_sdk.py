"""The official `anthropic` SDK, unchanged but for its base URL, with both kinds of provider behind the gateway."""

import base64
from typing import Any

import anthropic
import pytest

from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway

MODELS = pytest.mark.parametrize("model", ["mock-gpt", "mock-claude"])
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
TIME: Any = {"name": "get_time", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}}}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


@pytest.fixture
def client(gateway: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key="client-key", max_retries=0, timeout=20)


@pytest.fixture
def async_client(gateway: Gateway) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=gateway.url, api_key="client-key", max_retries=0, timeout=20)


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


@MODELS
def test_a_message_has_text_usage_and_a_stop_reason(client: anthropic.Anthropic, model: str) -> None:
    answer: Any = client.messages.create(model=model, max_tokens=100, messages=ask("hello"))
    assert [block.text for block in answer.content] == ["You said: hello"]
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer.usage.cache_read_input_tokens == 2


@MODELS
async def test_the_async_client_works_alike(async_client: anthropic.AsyncAnthropic, model: str) -> None:
    answer: Any = await async_client.messages.create(model=model, max_tokens=100, messages=ask("hello"))
    assert answer.content[0].text == "You said: hello"
    async with async_client.messages.stream(model=model, max_tokens=100, messages=ask("hello")) as stream:
        assert "".join([text async for text in stream.text_stream]) == "You said: hello"


@MODELS
def test_the_streaming_helper_sees_every_event_in_order(client: anthropic.Anthropic, model: str) -> None:
    raw = client.messages.create(model=model, max_tokens=100, messages=ask("hello"), stream=True)
    kinds = [event.type for event in raw]
    assert kinds[0] == "message_start"
    assert kinds[1] == "content_block_start"
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    with client.messages.stream(model=model, max_tokens=100, messages=ask("hello")) as stream:
        final: Any = stream.get_final_message()
    assert final.content[0].text == "You said: hello"
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@MODELS
def test_the_raw_response_names_the_model_that_served_and_the_request(client: anthropic.Anthropic, model: str) -> None:
    raw = client.messages.with_raw_response.create(model=model, max_tokens=100, messages=ask("hello"))
    assert raw.headers["x-plano-model"].endswith(f"/{model}")
    assert raw.headers["request-id"]
    assert raw.parse()._request_id


@MODELS
def test_system_prompts_and_several_turns_reach_the_provider(client: anthropic.Anthropic, model: str) -> None:
    answer: Any = client.messages.create(
        model=model,
        max_tokens=100,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "second"}]},
        ],
    )
    assert answer.content[0].text == "You said: second"


@MODELS
def test_images_arrive(client: anthropic.Anthropic, model: str) -> None:
    answer: Any = client.messages.create(
        model=model,
        max_tokens=100,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
                ],
            }
        ],
    )
    assert "[images: 2]" in answer.content[0].text


@MODELS
@pytest.mark.parametrize("stream", [False, True])
def test_parallel_tool_calls_and_their_results_make_a_round_trip(
    client: anthropic.Anthropic, model: str, stream: bool
) -> None:
    question = ask("call get_weather and call get_time")
    options: Any = {"model": model, "max_tokens": 1000, "tools": [WEATHER, TIME]}
    if stream:
        with client.messages.stream(messages=question, **options) as events:
            answer: Any = events.get_final_message()
    else:
        answer = client.messages.create(messages=question, **options)
    assert answer.stop_reason == "tool_use"
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert "city" in calls[0].input
    results: Any = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "result of get_weather"},
        {
            "type": "tool_result",
            "tool_use_id": calls[1].id,
            "is_error": True,
            "content": [{"type": "text", "text": "the clock is broken"}],
        },
    ]
    history: Any = [
        *question,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
        {"role": "user", "content": results},
    ]
    final: Any = client.messages.create(messages=history, **options)
    assert "the clock is broken" in final.content[0].text


@MODELS
@pytest.mark.parametrize(
    ("choice", "called"),
    [({"type": "any"}, True), ({"type": "none"}, False), ({"type": "tool", "name": "get_time"}, True)],
)
def test_tool_choice_is_obeyed(client: anthropic.Anthropic, model: str, choice: Any, called: bool) -> None:
    answer: Any = client.messages.create(
        model=model, max_tokens=100, messages=ask("hello"), tools=[WEATHER, TIME], tool_choice=choice
    )
    calls = [block.name for block in answer.content if block.type == "tool_use"]
    assert bool(calls) is called
    if "name" in choice:
        assert calls == ["get_time"]


@MODELS
def test_length_and_stop_sequences_end_an_answer(client: anthropic.Anthropic, model: str) -> None:
    short = client.messages.create(model=model, max_tokens=2, messages=ask("one two three four"))
    assert short.stop_reason == "max_tokens"
    stopped: Any = client.messages.create(
        model=model, max_tokens=100, messages=ask("one STOP two"), stop_sequences=["STOP"]
    )
    assert stopped.stop_reason in {"stop_sequence", "end_turn"}  # Chat providers do not tell the two apart
    assert "two" not in stopped.content[0].text


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_and_its_signature_survive_a_turn(client: anthropic.Anthropic, stream: bool) -> None:
    question = ask("think, then call get_weather")
    options: Any = {
        "model": "mock-claude",
        "max_tokens": 4000,
        "tools": [WEATHER],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    if stream:
        with client.messages.stream(messages=question, **options) as events:
            answer: Any = events.get_final_message()
    else:
        answer = client.messages.create(messages=question, **options)
    thinking, call = answer.content[0], answer.content[-1]
    assert thinking.type == "thinking"
    assert thinking.signature
    history: Any = [
        *question,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
    ]
    final: Any = client.messages.create(messages=history, **options)
    assert "sunny" in final.content[-1].text


@pytest.mark.parametrize("stream", [False, True])
def test_the_reasoning_of_a_chat_provider_becomes_a_thinking_block(client: anthropic.Anthropic, stream: bool) -> None:
    options: Any = {
        "model": "mock-gpt",
        "max_tokens": 4000,
        "messages": ask("hello"),
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "extra_body": {},
    }
    if stream:
        with client.messages.stream(**options) as events:
            answer: Any = events.get_final_message()
    else:
        answer = client.messages.create(**options)
    assert [block.type for block in answer.content][-1] == "text"


@MODELS
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.APIStatusError),
    ],
)
def test_provider_errors_become_the_sdks_own_exceptions(
    client: anthropic.Anthropic, model: str, status: int, kind: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(kind) as caught:
        client.messages.create(
            model=model, max_tokens=10, messages=ask("hi"), extra_headers={"x-mock-behaviour": f"status={status}"}
        )
    assert model in str(caught.value)
    assert caught.value.request_id


@pytest.mark.parametrize("model", ["passed-through", "passed-through-claude"])
def test_the_clients_own_key_is_passed_through_where_that_is_configured(gateway: Gateway, model: str) -> None:
    own = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)
    assert own.messages.create(model=model, max_tokens=10, messages=ask("hi")).content
    other = anthropic.Anthropic(base_url=gateway.url, api_key="not-the-key", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError):
        other.messages.create(model=model, max_tokens=10, messages=ask("hi"))


def test_the_beta_surface_with_its_query_string_works(client: anthropic.Anthropic) -> None:
    answer: Any = client.beta.messages.create(
        model="mock-claude", max_tokens=100, messages=ask("hello"), betas=["interleaved-thinking-2025-05-14"]
    )
    assert answer.content[0].text == "You said: hello"


def test_models_are_listed(client: anthropic.Anthropic) -> None:
    names = [model.id for model in client.models.list(limit=2)]
    assert names[:2] == ["openai/mock-gpt", "anthropic/mock-claude"]
    assert client.models.retrieve("fast").id == "fast"


@MODELS
def test_an_error_event_in_a_stream_is_raised(client: anthropic.Anthropic, model: str) -> None:
    with pytest.raises(anthropic.APIError):
        list(
            client.messages.create(
                model=model,
                max_tokens=100,
                messages=ask("hello"),
                stream=True,
                extra_headers={"x-mock-behaviour": "error-event=2"},
            )
        )
