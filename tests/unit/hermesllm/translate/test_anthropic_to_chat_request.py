from typing import Any

import pytest

from hermesllm.errors import InvalidRequest, Untranslatable
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator

USER = {"role": "user", "content": "Hi"}
EPHEMERAL = {"type": "ephemeral"}
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {}}}}
FUNCTION = {"type": "function", "function": {"name": "f", "description": "d", "parameters": TOOL["input_schema"]}}


def translated(
    body: dict[str, Any], provider: str = "openai", model: str = "gpt-4o"
) -> tuple[dict[str, Any], list[str]]:
    context = Context(PROVIDERS[provider], model)
    body = {"model": "alias", "max_tokens": 100, "messages": [USER], **body}
    return translator(Format.ANTHROPIC, Format.CHAT, context).request(body), context.dropped


def messages_of(*messages: dict[str, Any], **target: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = translated({"messages": list(messages)}, **target)[0]["messages"]
    return result


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"stream": False}, {"stream": False}),
        ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"tools": [TOOL]}, {"tools": [FUNCTION]}),
        (
            {"tools": [{**TOOL, "type": "custom"}], "tool_choice": {"type": "auto"}},
            {"tools": [FUNCTION], "tool_choice": "auto"},
        ),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}}, {"tools": [FUNCTION], "tool_choice": "required"}),
        ({"tools": [TOOL], "tool_choice": {"type": "none"}}, {"tools": [FUNCTION], "tool_choice": "none"}),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, {"tools": [FUNCTION], "tool_choice": "auto"}),
        (
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
            {
                "tools": [FUNCTION],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": False,
            },
        ),
        (
            {"tools": [{"name": "f", "input_schema": {}}]},
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
                ]
            },
        ),
        ({"thinking": {"type": "disabled"}}, {}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}},
                }
            },
        ),
    ],
)
def test_members_are_carried_over(body: dict[str, Any], expected: dict[str, Any]) -> None:
    request, dropped = translated(body)
    assert request == {"model": "gpt-4o", "messages": [USER], "max_completion_tokens": 100, **expected}
    assert dropped == []


def test_providers_that_only_know_max_tokens_get_that() -> None:
    request, dropped = translated({"stream": True}, "mistral", "mistral-large")
    assert request["max_tokens"] == 100
    assert "max_completion_tokens" not in request
    assert "stream_options" not in request
    assert dropped == []


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"top_k": 5}, ["top_k"]),
        ({"container": "c", "mcp_servers": [{"name": "x"}], "betas": []}, ["container", "mcp_servers"]),
        ({"stop_sequences": ["a", "b", "c", "d", "e"]}, ["stop_sequences[4]"]),
        ({"metadata": {"user_id": "u", "x": 1}}, ["metadata.x"]),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, ["thinking"]),
        ({"system": [{"type": "text", "text": "S", "cache_control": EPHEMERAL}]}, ["system[0].cache_control"]),
        ({"tools": [{**TOOL, "cache_control": EPHEMERAL}]}, ["tools[0].cache_control"]),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}, TOOL]}, ["tools[0]"]),
        (
            {"tools": [{"type": "bash_20250124", "name": "bash"}], "tool_choice": {"type": "any"}},
            ["tool_choice", "tools[0]"],
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]},
                    USER,
                ]
            },
            ["messages[0].content[0]"],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": EPHEMERAL}]}]},
            ["messages[0].content[0].cache_control"],
        ),
    ],
)
def test_what_cannot_be_carried_is_reported_by_its_path(body: dict[str, Any], dropped: list[str]) -> None:
    assert sorted(translated(body)[1]) == dropped


def test_top_k_goes_where_the_provider_knows_it() -> None:
    request, dropped = translated({"top_k": 5}, "openrouter", "llama")
    assert request["top_k"] == 5
    assert dropped == []


def test_a_user_id_longer_than_openai_takes_is_hashed_stably() -> None:
    users = {translated({"metadata": {"user_id": "u" * 65}})[0]["user"] for _ in range(2)}
    assert {len(user) for user in users} == {64}


@pytest.mark.parametrize(
    ("body", "model", "expected"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "o3", "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8000}}, "gpt-5", "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 32000}}, "gpt-5", "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "gpt-5.2", "max"),
        ({"thinking": {"type": "disabled"}}, "gpt-5", None),
        ({"thinking": {"type": "enabled", "budget_tokens": 32000}}, "gpt-4o", None),
    ],
)
def test_thinking_becomes_an_effort_for_models_that_reason(
    body: dict[str, Any], model: str, expected: str | None
) -> None:
    assert translated(body, model=model)[0].get("reasoning_effort") == expected


def test_web_search_goes_to_models_that_search() -> None:
    tool = {
        "type": "web_search_20250305",
        "name": "web_search",
        "user_location": {"type": "approximate", "city": "Köln"},
    }
    request, dropped = translated({"tools": [tool]}, model="gpt-4o-search-preview")
    location = {"type": "approximate", "approximate": {"city": "Köln"}}
    assert request["web_search_options"] == {"user_location": location}
    assert "tools" not in request
    assert dropped == []


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("S", "S"),
        ([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}], "A\nB"),
        ([], None),
    ],
)
def test_the_system_prompt_is_the_first_message(system: Any, expected: str | None) -> None:
    messages = translated({"system": system})[0]["messages"]
    assert messages == [*([{"role": "system", "content": expected}] if expected else []), USER]


def test_system_messages_inside_the_conversation_stay_there() -> None:
    messages = messages_of(USER, {"role": "system", "content": [{"type": "text", "text": "S"}]}, USER)
    assert messages == [USER, {"role": "system", "content": "S"}, USER]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "auto"}},
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://e.com/a"}},
            {"type": "image_url", "image_url": {"url": "https://e.com/a", "detail": "auto"}},
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
            {
                "type": "file",
                "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"},
            },
        ),
        (
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "file", "file": {"file_id": "file_1"}},
        ),
        (
            {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
            {"type": "text", "text": "T\nd"},
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "d"}},
            {"type": "text", "text": "d"},
        ),
        (
            {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "x"}]},
            {"type": "text", "text": "T\nS\nx"},
        ),
    ],
)
def test_blocks_become_parts(block: dict[str, Any], part: dict[str, Any]) -> None:
    content = messages_of({"role": "user", "content": [{"type": "text", "text": "See:"}, block]})[0]["content"]
    assert content == [{"type": "text", "text": "See:"}, part]


def test_a_coding_agents_turn_keeps_text_calls_and_results_apart() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
    messages = messages_of(
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me "},
                {"type": "text", "text": "see."},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": "ü"}},
                {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
                {"type": "tool_use", "id": "c3", "name": "g"},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Here."},
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "r1"}, image]},
                {"type": "tool_result", "tool_use_id": "c2", "content": "r2", "is_error": True},
                {"type": "tool_result", "tool_use_id": "c3"},
            ],
        },
    )
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":"ü"}'}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                {"id": "c3", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "r1"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: r2"},
        {"role": "tool", "tool_call_id": "c3", "content": ""},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Files from the result of f (c1):"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "auto"}},
                {"type": "text", "text": "Here."},
            ],
        },
    ]


def test_calls_without_text_have_no_content() -> None:
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    message = messages_of(USER, {"role": "assistant", "content": [call]})[1]
    assert message.keys() == {"role", "tool_calls"}


def test_tools_that_anthropic_ran_become_calls_with_results_in_their_order() -> None:
    messages = messages_of(
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Searching."},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s1",
                    "content": [
                        {"type": "web_search_result", "title": "T", "url": "u", "encrypted_content": "secret"},
                    ],
                },
                {"type": "text", "text": "Found."},
            ],
        },
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == "s1"
    assert messages[2]["content"] == '{"title":"T","url":"u"}'
    assert messages[3]["content"] == "Found."


def test_a_paused_server_tool_is_left_out_because_an_unanswered_call_is_refused() -> None:
    content = [
        {"type": "text", "text": "Searching."},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
    ]
    request, dropped = translated({"messages": [USER, {"role": "assistant", "content": content}, USER]})
    assert request["messages"][1] == {"role": "assistant", "content": "Searching."}
    assert dropped == ["messages[1].content[1]"]


THINKING_TURN = {
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ"},
        {"type": "text", "text": "x"},
    ],
}


def test_thinking_goes_back_to_providers_that_want_it() -> None:
    message = messages_of(USER, THINKING_TURN, USER, provider="deepseek", model="deepseek-v4")[1]
    assert message == {"role": "assistant", "content": "x", "reasoning_content": "Hm."}


def test_signed_thinking_goes_back_to_claude_through_openrouter() -> None:
    message = messages_of(USER, THINKING_TURN, USER, provider="openrouter", model="anthropic/claude-sonnet-4.5")[1]
    assert [detail["type"] for detail in message["reasoning_details"]] == ["reasoning.text", "reasoning.encrypted"]
    assert message["reasoning_details"][0]["signature"] == "c2ln"
    context = Context(PROVIDERS["anthropic"], "claude-sonnet-4-5")
    back = translator(Format.CHAT, Format.ANTHROPIC, context).request({"messages": [USER, message, USER]})
    assert back["messages"][1] == THINKING_TURN


def test_cache_marks_go_to_claude_through_gateways_that_hand_them_on() -> None:
    body = {
        "system": [{"type": "text", "text": "S", "cache_control": EPHEMERAL}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": EPHEMERAL}]}],
    }
    request, dropped = translated(body, "openrouter", "anthropic/claude-sonnet-4.5")
    assert [message["content"][0]["cache_control"] for message in request["messages"]] == [EPHEMERAL, EPHEMERAL]
    assert dropped == []


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ([{"type": "image", "source": {"type": "file", "file_id": "f"}}], "messages[0].content[0].source.type"),
        ([{"type": "document", "source": {"type": "url", "url": "u"}}], "messages[0].content[0].source.type"),
        ([{"type": "container_upload", "file_id": "f"}], "messages[0].content[0].type"),
        (
            [{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "tool_result"}]}],
            "messages[0].content[0].content[0].type",
        ),
    ],
)
def test_blocks_without_a_counterpart_are_refused_rather_than_left_out(content: Any, param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        messages_of({"role": "user", "content": content})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages[0].content[0].tool_use_id"),
        ({"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "t"}]}]}, "messages"),
        ({"tools": [{"name": 1}]}, "tools[0].name"),
        ({"tools": [TOOL], "tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"thinking": "yes"}, "thinking"),
    ],
)
def test_invalid_members_are_named_by_their_path(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(body)
    assert caught.value.param == param


def test_deep_nesting_is_refused_not_crashed_on() -> None:
    block: dict[str, Any] = {"type": "text", "text": "x"}
    for _ in range(400):
        block = {"type": "tool_result", "tool_use_id": "c", "content": [block]}
    with pytest.raises(InvalidRequest):
        messages_of({"role": "user", "content": [block]})
