from typing import Any

import pytest

from hermesllm.errors import InvalidRequest, Untranslatable
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator

OLD, MIDDLE, NEW = "claude-sonnet-4-20250514", "claude-sonnet-4-6", "claude-opus-4-8"
USER = {"role": "user", "content": "Hi"}
EPHEMERAL = {"type": "ephemeral"}
FUNCTION = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {}}}},
}
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {}}}}
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "additionalProperties": False}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "point", "schema": SCHEMA, "strict": True}}


def translated(body: dict[str, Any], model: str = OLD) -> tuple[dict[str, Any], list[str]]:
    context = Context(PROVIDERS["anthropic"], model)
    request = translator(Format.CHAT, Format.ANTHROPIC, context).request({"model": "alias", "messages": [USER], **body})
    return request, context.dropped


def messages_of(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = translated({"messages": list(messages)})[0]["messages"]
    return result


def call(call_id: str, name: str = "f", arguments: str = '{"a": 1}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id: str, content: Any = "r") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"max_tokens": 4096}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": 7, "max_completion_tokens": 8}, {"max_tokens": 8}),
        ({"temperature": 0.7, "stream": True}, {"temperature": 0.7, "stream": True}),
        ({"temperature": 1.7}, {"temperature": 1}),
        ({"top_p": 0.9, "top_k": 5}, {"top_p": 0.9, "top_k": 5}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["END", "\n", " "]}, {"stop_sequences": ["END"]}),
        ({"stop": None}, {}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"metadata": {"user_id": "u"}}, {"metadata": {"user_id": "u"}}),
        ({"safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        ({"n": 1, "logprobs": False, "store": None, "logit_bias": {}, "presence_penalty": 0}, {}),
        # tools
        ({"tools": [FUNCTION]}, {"tools": [TOOL]}),
        ({"functions": [FUNCTION["function"]]}, {"tools": [TOOL]}),
        ({"functions": [FUNCTION]}, {"tools": [TOOL]}),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True}, "cache_control": EPHEMERAL}]},
            {
                "tools": [
                    {
                        "name": "f",
                        "input_schema": {"type": "object", "properties": {}},
                        "strict": True,
                        "cache_control": EPHEMERAL,
                    }
                ]
            },
        ),
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]},
            {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]},
        ),
        (
            {"web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Köln"}}}},
            {
                "tools": [
                    {
                        "type": "web_search_20250305",
                        "name": "web_search",
                        "user_location": {"type": "approximate", "city": "Köln"},
                    }
                ]
            },
        ),
        # tool choice
        ({"tools": [FUNCTION], "tool_choice": "auto"}, {"tools": [TOOL], "tool_choice": {"type": "auto"}}),
        ({"tools": [FUNCTION], "tool_choice": "required"}, {"tools": [TOOL], "tool_choice": {"type": "any"}}),
        ({"tools": [FUNCTION], "tool_choice": "none"}, {"tools": [TOOL], "tool_choice": {"type": "none"}}),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}},
        ),
        (
            {"functions": [FUNCTION["function"]], "function_call": {"name": "f"}},
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}},
        ),
        (
            {
                "tools": [FUNCTION, {"type": "function", "function": {"name": "g"}}],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
                },
            },
            {"tools": [TOOL], "tool_choice": {"type": "any"}},
        ),
        ({"tool_choice": "required"}, {}),
        (
            {"tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
            {"tools": [TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        ),
        (
            {"tools": [FUNCTION], "parallel_tool_calls": False},
            {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        ({"tools": [FUNCTION], "parallel_tool_calls": True}, {"tools": [TOOL]}),
        (
            {"tools": [FUNCTION], "tool_choice": "none", "parallel_tool_calls": False},
            {"tools": [TOOL], "tool_choice": {"type": "none"}},
        ),
    ],
)
def test_members_are_carried_over(body: dict[str, Any], expected: dict[str, Any]) -> None:
    request, dropped = translated(body)
    assert request == {"model": OLD, "messages": [USER], "max_tokens": 4096, **expected}
    assert dropped == []


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"logit_bias": {"1": 1}, "seed": 3}, ["logit_bias", "seed"]),
        ({"logprobs": True, "top_logprobs": 2}, ["logprobs", "top_logprobs"]),
        ({"frequency_penalty": 0.1, "store": True}, ["frequency_penalty", "store"]),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x"}}, ["audio", "modalities"]),
        ({"metadata": {"user_id": "u", "a": 1}}, ["metadata.a"]),
        ({"service_tier": "flex"}, ["service_tier"]),
        (
            {"stream_options": {"include_usage": True, "include_obfuscation": False}},
            ["stream_options.include_obfuscation"],
        ),
        ({"web_search_options": {"search_context_size": "low"}}, ["web_search_options.search_context_size"]),
        ({"future_member": 1, "verbosity": "low"}, ["future_member", "verbosity"]),
        ({"messages": [{**USER, "name": "Ann"}]}, ["messages[0].name"]),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]}
                ]
            },
            ["messages[0].content[0].image_url.detail"],
        ),
        (
            {"messages": [USER, {"role": "assistant", "content": "x", "reasoning_content": "t"}]},
            ["messages[1].reasoning_content"],
        ),
        ({"messages": [USER, {"role": "assistant", "content": "x", "refusal": None, "annotations": []}]}, []),
    ],
)
def test_what_cannot_be_carried_is_reported_by_its_path(body: dict[str, Any], dropped: list[str]) -> None:
    assert sorted(translated(body)[1]) == dropped


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"role": "system", "content": "A"}, USER], "A"),
        ([{"role": "system", "content": "A"}, {"role": "developer", "content": "B"}, USER], "A\n\nB"),
        (
            [{"role": "system", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}, USER],
            "A\n\nB",
        ),
        ([USER, {"role": "system", "content": "late"}], "late"),
        ([{"role": "system", "content": ""}, USER], None),
        (
            [
                {"role": "system", "content": [{"type": "text", "text": "A", "cache_control": EPHEMERAL}]},
                {"role": "system", "content": "B"},
                USER,
            ],
            [{"type": "text", "text": "A", "cache_control": EPHEMERAL}, {"type": "text", "text": "B"}],
        ),
    ],
)
def test_system_prompts_are_joined_unless_they_carry_cache_marks(messages: list[Any], expected: Any) -> None:
    request, _ = translated({"messages": messages})
    assert request.get("system") == expected
    assert request["messages"] == [USER]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "text", "text": "x", "cache_control": EPHEMERAL},
            {"type": "text", "text": "x", "cache_control": EPHEMERAL},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:;base64,iVBO"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "iVBO"}},
        ),
        (
            {"type": "image_url", "image_url": "https://example.com/a.png"},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:application/pdf;base64,JVBE"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.PDF?x=1"}},
            {"type": "document", "source": {"type": "url", "url": "https://example.com/a.PDF?x=1"}},
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                "title": "a.pdf",
            },
        ),
        (
            {"type": "file", "file": {"filename": "a.txt", "file_data": "R3LDvMOfZQ=="}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
                "title": "a.txt",
            },
        ),
        (
            {"type": "file", "file": {"file_id": "file_1"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "u"}, "title": "native"},
            {"type": "document", "source": {"type": "url", "url": "u"}, "title": "native"},
        ),
    ],
)
def test_content_parts_become_blocks(part: dict[str, Any], block: dict[str, Any]) -> None:
    blocks = messages_of({"role": "user", "content": [part, {"type": "text", "text": ""}]})[0]["content"]
    assert blocks == [block]


@pytest.mark.parametrize("kind", ["input_audio", "video_url", "something"])
def test_parts_without_a_counterpart_are_refused_rather_than_left_out(kind: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        messages_of({"role": "user", "content": [{"type": "text", "text": "x"}, {"type": kind, kind: {}}]})
    assert caught.value.param == "messages[0].content[1].type"


def test_tool_results_come_first_in_one_user_turn() -> None:
    messages = messages_of(
        USER,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call("c1"), call("c2", "g", "")]},
        result("c1", "20°"),
        result("c2", [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]),
        {"role": "user", "content": "And?"},
        {"role": "user", "content": [{"type": "text", "text": "Well?"}]},
    )
    assert messages == [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "20°"},
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": [
                        {"type": "text", "text": "a"},
                        {"type": "image", "source": {"type": "url", "url": "u"}},
                    ],
                },
                {"type": "text", "text": "And?"},
                {"type": "text", "text": "Well?"},
            ],
        },
    ]


def test_turns_of_the_same_role_are_merged_and_empty_ones_dropped() -> None:
    messages = messages_of(
        USER,
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "again"},
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": None, "tool_calls": [call("c")]},
    )
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert [block["type"] for block in messages[1]["content"]] == ["text", "tool_use"]


@pytest.mark.parametrize(
    ("message", "is_error"),
    [
        (result("c", '{"error": "no such city"}'), True),
        (result("c", '{"error": null, "x": 1}'), None),
        (result("c", 'the word "error"'), None),
        ({**result("c"), "is_error": True}, True),
        ({**result("c"), "is_error": False}, None),
    ],
)
def test_failed_tool_results_are_marked(message: dict[str, Any], is_error: bool | None) -> None:
    block = messages_of(USER, {"role": "assistant", "tool_calls": [call("c")]}, message)[2]["content"][0]
    assert block.get("is_error") is is_error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": {"b": [1]}}', {"a": {"b": [1]}}),
        ("", {}),
        ("{}", {}),
        ('{"a": ', {"_raw": '{"a": '}),
        ("[1]", {"_raw": "[1]"}),
    ],
)
def test_arguments_that_are_no_json_object_do_not_fail_the_conversation(arguments: str, expected: Any) -> None:
    block = messages_of(USER, {"role": "assistant", "tool_calls": [call("c", arguments=arguments)]})[1]["content"][0]
    assert block["input"] == expected


def test_ids_with_characters_anthropic_refuses_still_match() -> None:
    messages = messages_of(USER, {"role": "assistant", "tool_calls": [call("functions.f:0")]}, result("functions.f:0"))
    assert messages[1]["content"][0]["id"] == messages[2]["content"][0]["tool_use_id"] == "functions_f_0"


def test_a_history_of_calls_without_tools_still_declares_them() -> None:
    history = [USER, {"role": "assistant", "tool_calls": [call("c")]}, result("c")]
    request, _ = translated({"messages": history})
    assert request["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert request["tool_choice"] == {"type": "none"}


def test_calls_of_the_old_kind_find_their_results() -> None:
    messages = messages_of(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    )
    assert messages[1]["content"][0]["id"] == messages[2]["content"][0]["tool_use_id"]


SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "ZGF0YQ"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"reasoning_content": "Hm.", "thinking_blocks": [SIGNED, REDACTED]}, [SIGNED, REDACTED]),
        ({"thinking_blocks": [{**SIGNED, "index": 0}]}, [SIGNED]),
        (
            {
                "reasoning": "Hm.",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"},
                    {"type": "reasoning.encrypted", "data": "ZGF0YQ", "format": "anthropic-claude-v1"},
                ],
            },
            [SIGNED, REDACTED],
        ),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}]}, []),
        ({"thinking_blocks": [{"type": "thinking", "thinking": "unsigned"}]}, []),
    ],
)
def test_signed_thinking_goes_back_in_front_of_the_turn(members: dict[str, Any], expected: list[Any]) -> None:
    turn = {"role": "assistant", "content": "x", "tool_calls": [call("c")], **members}
    content = messages_of(USER, turn, result("c"))[1]["content"]
    assert content[: len(expected)] == expected
    assert [block["type"] for block in content[len(expected) :]] == ["text", "tool_use"]


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        (OLD, {"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (OLD, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (OLD, {"reasoning_effort": "minimal"}, {"thinking": {"type": "disabled"}}),
        (
            OLD,
            {"reasoning_effort": "medium"},
            {"thinking": {"type": "enabled", "budget_tokens": 8192}, "max_tokens": 4096 + 8192},
        ),
        (
            OLD,
            {"reasoning_effort": "high", "max_tokens": 20000},
            {"thinking": {"type": "enabled", "budget_tokens": 16384}, "max_tokens": 20000},
        ),
        (
            OLD,
            {"reasoning": {"max_tokens": 2000}},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        ),
        (
            "claude-opus-4-5",
            {"reasoning_effort": "low"},
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "low"}},
        ),
        (
            MIDDLE,
            {"reasoning_effort": "xhigh"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        ),
        (NEW, {"reasoning_effort": "xhigh"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        (NEW, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ("claude-fable-5", {"reasoning_effort": "none"}, {"output_config": {"effort": "low"}}),
        ("claude-fable-5", {"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        (
            NEW,
            {"thinking": {"type": "adaptive"}, "reasoning_effort": "low"},
            {"thinking": {"type": "adaptive"}},
        ),
    ],
)
def test_reasoning_effort_becomes_what_the_model_generation_knows(
    model: str, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    request, dropped = translated(body, model)
    assert request == {"model": model, "messages": [USER], "max_tokens": 4096, **expected}
    assert dropped == []


def test_what_anthropic_refuses_beside_thinking_is_left_out_and_reported() -> None:
    request, dropped = translated(
        {"reasoning_effort": "low", "temperature": 0.5, "top_k": 3, "tools": [FUNCTION], "tool_choice": "required"}
    )
    assert request["tool_choice"] == {"type": "auto"}
    assert not {"temperature", "top_k"} & request.keys()
    assert sorted(dropped) == ["temperature", "tool_choice", "top_k"]


def test_sampling_members_are_left_out_where_the_model_refuses_them() -> None:
    assert translated({"temperature": 0.5, "top_p": 0.5}, NEW)[1] == ["temperature", "top_p"]
    assert translated({"temperature": 0.5, "top_p": 0.5}, "claude-sonnet-4-5")[1] == ["top_p"]
    assert translated({"temperature": 0.5, "top_p": 0.5}, OLD)[1] == []


def test_models_that_cannot_think_are_not_asked_to() -> None:
    request, dropped = translated({"reasoning_effort": "high"}, "claude-3-5-haiku-latest")
    assert "thinking" not in request
    assert dropped == ["reasoning_effort"]


def test_a_tool_round_that_lost_its_thinking_goes_on_without() -> None:
    history = [USER, {"role": "assistant", "tool_calls": [call("c")]}, result("c")]
    request, dropped = translated({"messages": history, "tools": [FUNCTION], "reasoning_effort": "high"})
    assert "thinking" not in request
    assert dropped == ["reasoning_effort"]


def test_structured_output_uses_the_models_own_feature() -> None:
    request, _ = translated({"response_format": JSON_SCHEMA, "reasoning_effort": "low"}, MIDDLE)
    assert request["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert "tools" not in request


def test_structured_output_of_older_models_is_a_forced_tool() -> None:
    request, _ = translated({"response_format": JSON_SCHEMA})
    assert [tool["name"] for tool in request["tools"]] == ["point"]
    assert request["tools"][0]["input_schema"] == SCHEMA
    assert request["tool_choice"] == {"type": "tool", "name": "point"}
    assert "point" in request["system"]


def test_structured_output_beside_tools_lets_the_model_choose_among_them() -> None:
    tools = [{"type": "function", "function": {"name": "point"}}]
    request, _ = translated({"response_format": JSON_SCHEMA, "tools": tools})
    assert [tool["name"] for tool in request["tools"]] == ["point", "point_"]
    assert request["tool_choice"] == {"type": "any"}


def test_json_mode_is_asked_for_in_the_system_prompt() -> None:
    body = {"response_format": {"type": "json_object"}, "messages": [{"role": "system", "content": "S"}, USER]}
    assert translated(body)[0]["system"].startswith("S\n\n")
    assert "JSON" in translated(body)[0]["system"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"messages": [{"role": "system", "content": "only"}]}, "messages"),
        ({"messages": [USER, {"role": "tool", "content": "r"}]}, "messages[1].tool_call_id"),
        (
            {"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "c"}]}]},
            "messages[1].tool_calls[0].function",
        ),
        ({"tools": [FUNCTION], "tool_choice": "invalid"}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": "f"}, "tools"),
        ({"stop": 3}, "stop"),
        ({"reasoning_effort": "turbo"}, "reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
    ],
)
def test_what_would_change_the_meaning_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(body)
    assert caught.value.param == param
