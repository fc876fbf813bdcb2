import copy
from typing import Any

import pytest

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator


def fixed(
    body: dict[str, Any], provider: str, model: str, spoken: Format = Format.CHAT
) -> tuple[dict[str, Any], list[str]]:
    """Body and dropped members after the same-format cell; a second pass must change nothing."""
    body = {"messages": [{"role": "user", "content": "Hi"}], **copy.deepcopy(body)}
    context = Context(PROVIDERS[provider], model)
    once = translator(spoken, spoken, context).request(body)
    twice = translator(spoken, spoken, Context(PROVIDERS[provider], model)).request(copy.deepcopy(once))
    assert twice == once
    assert once.pop("model") == model
    del once["messages"]
    return once, context.dropped


@pytest.mark.parametrize(
    ("provider", "model", "body", "expected", "dropped"),
    [
        # o-series and gpt-5
        ("openai", "o3", {"max_tokens": 5}, {"max_completion_tokens": 5}, []),
        ("openai", "o3-mini", {"max_tokens": 5, "max_completion_tokens": 6}, {"max_completion_tokens": 6}, []),
        ("openrouter", "openai/o3", {"max_tokens": 5}, {"max_completion_tokens": 5}, []),
        ("openai", "gpt-5", {"temperature": 0.5, "max_tokens": 5}, {"max_completion_tokens": 5}, ["temperature"]),
        ("openai", "gpt-5-mini", {"temperature": 1}, {"temperature": 1}, []),
        ("openai", "gpt-5.2", {"temperature": 1.0}, {"temperature": 1.0}, []),
        ("openai", "gpt-5", {}, {}, []),
        ("openai", "gpt-4o", {"temperature": 0.5, "max_tokens": 5}, {"temperature": 0.5, "max_tokens": 5}, []),
        ("openai", "gpt-50", {"temperature": 0.5}, {"temperature": 0.5}, []),
        ("openai", "o3x", {"max_tokens": 5}, {"max_tokens": 5}, []),
        # the name of the limit
        ("mistral", "mistral-large", {"max_completion_tokens": 5}, {"max_tokens": 5}, []),
        ("groq", "llama", {"max_completion_tokens": 5, "max_tokens": 4}, {"max_tokens": 4}, []),
        ("openai", "gpt-4o", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}, []),
        # what single providers refuse
        ("xai", "grok-4", {"web_search_options": {}}, {}, ["web_search_options"]),
        ("openai", "gpt-4o", {"web_search_options": {}}, {"web_search_options": {}}, []),
        ("mistral", "m", {"stream_options": {"include_usage": True}}, {}, ["stream_options"]),
        ("groq", "m", {"store": True, "metadata": {"a": "b"}, "seed": 1}, {"seed": 1}, ["metadata", "store"]),
        ("groq", "m", {"service_tier": "priority"}, {}, ["service_tier"]),
        ("groq", "m", {"service_tier": "flex"}, {"service_tier": "flex"}, []),
        # Kimi
        (
            "moonshotai",
            "kimi-for-coding",
            {"stream_options": {}, "reasoning_effort": "high", "web_search_options": {"a": 1}},
            {},
            ["reasoning_effort", "stream_options", "web_search_options"],
        ),
        (
            "moonshotai",
            "kimi-k3",
            {
                "temperature": 0.2,
                "top_p": 0.1,
                "n": 2,
                "presence_penalty": 0.5,
                "frequency_penalty": 0.5,
                "reasoning_effort": "max",
            },
            {"reasoning_effort": "max"},
            ["frequency_penalty", "n", "presence_penalty", "temperature", "top_p"],
        ),
        ("moonshotai", "kimi-k3.1", {"temperature": 0.2}, {"temperature": 0.2}, []),
        ("openrouter", "moonshotai/kimi-k3", {"temperature": 0.2}, {"temperature": 0.2}, []),
        # routing preferences
        ("openai", "m", {"metadata": {"plano_preference_config": "x"}}, {}, []),
        ("openai", "m", {"metadata": {"archgw_preference_config": "x", "a": "b"}}, {"metadata": {"a": "b"}}, []),
        # what nobody knows passes
        ("openai", "m", {"future": {"deep": [1.23456789012345]}}, {"future": {"deep": [1.23456789012345]}}, []),
    ],
)
def test_chat_requests_are_fixed_for_provider_and_model(
    provider: str, model: str, body: dict[str, Any], expected: dict[str, Any], dropped: list[str]
) -> None:
    result, reported = fixed(body, provider, model)
    assert result == expected
    assert sorted(reported) == dropped


@pytest.mark.parametrize(
    ("effort", "expected"),
    [
        ("none", "low"),
        ("minimal", "low"),
        ("low", "low"),
        ("medium", "high"),
        ("high", "high"),
        ("HIGH", "high"),
        ("max", "max"),
        ("turbo", None),
    ],
)
def test_kimi_k3_has_three_efforts(effort: str, expected: str | None) -> None:
    body, _ = fixed({"reasoning_effort": effort}, "moonshotai", "kimi-k3")
    assert body.get("reasoning_effort") == expected


def test_kimi_for_coding_takes_no_thinking_from_messages_clients() -> None:
    body, dropped = fixed({"thinking": {"type": "enabled"}}, "anthropic", "kimi-for-coding", Format.ANTHROPIC)
    assert body == {}
    assert dropped == ["thinking"]


@pytest.mark.parametrize(
    ("provider", "role"), [("openai", "developer"), ("azure_openai", "developer"), ("groq", "system")]
)
def test_the_developer_role_is_for_openai_only(provider: str, role: str) -> None:
    body = {"messages": [{"role": "developer", "content": "S"}, {"role": "user", "content": "Hi"}]}
    context = Context(PROVIDERS[provider], "m")
    request = translator(Format.CHAT, Format.CHAT, context).request(body)
    assert [message["role"] for message in request["messages"]] == [role, "user"]


def test_mistral_gets_tool_call_ids_of_nine_characters() -> None:
    def messages(call_id: str) -> list[dict[str, Any]]:
        call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        return [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": call_id, "content": "r"}]

    def ids(call_id: str) -> set[str]:
        context = Context(PROVIDERS["mistral"], "m")
        fixed = translator(Format.CHAT, Format.CHAT, context).request({"messages": messages(call_id)})["messages"]
        return {fixed[0]["tool_calls"][0]["id"], fixed[1]["tool_call_id"]}

    assert ids("abcDEF123") == {"abcDEF123"}
    (made,) = ids("call_of_another_provider")
    assert len(made) == 9
    assert made.isalnum()
    assert ids(made) == {made}


@pytest.mark.parametrize(("model", "signed"), [("gemini-3-pro", True), ("gemini-2.5-flash", False)])
def test_gemini_3_gets_a_signature_with_calls_of_other_models(model: str, signed: bool) -> None:
    own = {"google": {"thought_signature": "own"}}
    calls = [{"id": call_id, "function": {"name": "f", "arguments": "{}"}} for call_id in ("a", "b")]
    messages = [
        {"role": "assistant", "tool_calls": calls},
        {"role": "assistant", "tool_calls": [{"id": "c", "extra_content": own}]},
    ]
    request = translator(Format.CHAT, Format.CHAT, Context(PROVIDERS["gemini"], model)).request({"messages": messages})
    first, second = (message["tool_calls"] for message in request["messages"])
    assert [("extra_content" in call) for call in first] == [signed, False]
    assert second[0]["extra_content"] == own
