from typing import Any

import pytest

from hermesllm.errors import InvalidRequest, Untranslatable
from hermesllm.formats import Format
from tests.unit.hermesllm.translate.converse_requests import (
    ADAPTIVE_CLAUDE,
    CLAUDE,
    GPT_OSS,
    LLAMA,
    NOVA,
    NOVA_2,
    OLD_CLAUDE,
    USER,
    sent,
)

MARK = {"type": "ephemeral"}
POINT = {"cachePoint": {"type": "default"}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def translate(model: str = CLAUDE, **members: Any) -> tuple[dict[str, Any], list[str]]:
    return sent(Format.ANTHROPIC, {"model": "x", "max_tokens": 100, "messages": [USER], **members}, model)


def content(*blocks: dict[str, Any], role: str = "user", model: str = CLAUDE) -> tuple[list[dict[str, Any]], list[str]]:
    request, dropped = translate(model, messages=[USER, {"role": role, "content": list(blocks)}])
    made: list[dict[str, Any]] = request["messages"][-1]["content"]
    return [block for block in made if block != {"text": "Hi"}], dropped


def test_the_basic_request() -> None:
    request, dropped = translate(
        NOVA,
        stream=True,
        system="Be concise",
        messages=[USER, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye"}],
        temperature=0.7,
        top_p=0.9,
        stop_sequences=["STOP"],
    )
    assert request == {
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.7, "topP": 0.9, "stopSequences": ["STOP"]},
        "messages": [
            {"role": "user", "content": [{"text": "Hi"}]},
            {"role": "assistant", "content": [{"text": "Hello"}]},
            {"role": "user", "content": [{"text": "Bye"}]},
        ],
        "system": [{"text": "Be concise"}],
    }
    assert dropped == []


def test_system_blocks_keep_their_cache_marks_and_late_system_prompts_follow() -> None:
    request, _ = translate(
        system=[{"type": "text", "text": "A", "cache_control": MARK}, {"type": "text", "text": "B"}],
        messages=[USER, {"role": "system", "content": [{"type": "text", "text": "C", "cache_control": MARK}]}, USER],
    )
    assert request["system"] == [{"text": "A"}, POINT, {"text": "B"}, {"text": "C"}, POINT]
    assert request["messages"] == [{"role": "user", "content": [{"text": "Hi"}, {"text": "Hi"}]}]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}},
            {"image": {"format": "png", "source": {"bytes": "QQ=="}}},
        ),
        (
            {
                "type": "document",
                "title": "Report: 2024.pdf",
                "context": "Board paper",
                "citations": {"enabled": True},
                "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
            },
            {
                "document": {
                    "format": "pdf",
                    "source": {"bytes": "QQ=="},
                    "name": "Report- 2024",
                    "context": "Board paper",
                    "citations": {"enabled": True},
                }
            },
        ),
        (
            {
                "type": "document",
                "title": "n.md",
                "source": {"type": "text", "media_type": "text/plain", "data": "# A"},
            },
            {"document": {"format": "md", "source": {"text": "# A"}, "name": "n"}},
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
            {"document": {"source": {"content": [{"text": "a"}]}, "name": "document"}},
        ),
        (
            {
                "type": "search_result",
                "source": "https://a",
                "title": "T",
                "content": [{"type": "text", "text": "x"}],
                "citations": {"enabled": True},
            },
            {
                "searchResult": {
                    "source": "https://a",
                    "title": "T",
                    "content": [{"text": "x"}],
                    "citations": {"enabled": True},
                }
            },
        ),
    ],
)
def test_blocks_of_the_user(block: dict[str, Any], expected: dict[str, Any]) -> None:
    assert content({"type": "text", "text": "Hi"}, block)[0] == [expected]


def test_the_assistants_turn_comes_back_whole() -> None:
    citation = {
        "type": "char_location",
        "cited_text": "grass is green",
        "document_index": 0,
        "document_title": "T",
        "start_char_index": 4,
        "end_char_index": 18,
    }
    made, dropped = content(
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
        {"type": "text", "text": "Green.", "citations": [citation]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1]}},
        role="assistant",
    )
    place = {"documentChar": {"documentIndex": 0, "start": 4, "end": 18}}
    cited = {"title": "T", "sourceContent": [{"text": "grass is green"}], "location": place}
    assert made == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"citationsContent": {"content": [{"text": "Green."}], "citations": [cited]}},
        {"toolUse": {"toolUseId": "toolu_1", "name": "f", "input": {"a": [1]}}},
    ]
    assert dropped == []


@pytest.mark.parametrize(
    ("block", "expected", "status"),
    [
        ({"content": "ok"}, [{"text": "ok"}], "success"),
        ({"content": ""}, [{"text": " "}], "success"),
        ({}, [{"text": " "}], "success"),
        ({"content": "no", "is_error": True}, [{"text": "no"}], "error"),
        (
            {
                "content": [
                    {"type": "text", "text": "See"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "QQ=="}},
                    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="}},
                ]
            },
            [
                {"text": "See"},
                {"image": {"format": "gif", "source": {"bytes": "QQ=="}}},
                {"document": {"format": "pdf", "source": {"bytes": "QQ=="}, "name": "document"}},
            ],
            "success",
        ),
    ],
)
def test_tool_results(block: dict[str, Any], expected: list[Any], status: str) -> None:
    messages = [
        USER,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "so"}, {"type": "tool_result", "tool_use_id": "t", **block}],
        },
    ]
    request, _ = translate(messages=messages)
    assert request["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "t", "content": expected, "status": status}},
        {"text": "so"},
    ]


def test_every_cache_mark_becomes_a_cache_point_behind_its_block() -> None:
    messages = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "a", "cache_control": MARK}, {"type": "text", "text": "b"}],
        },
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}, "cache_control": MARK}],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "so"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "text", "text": "r", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                },
            ],
        },
    ]
    request, dropped = translate(
        messages=messages,
        tools=[{"name": "f", "input_schema": SCHEMA, "cache_control": MARK}],
        cache_control=MARK,
    )
    first, second, third = (message["content"] for message in request["messages"])
    assert first == [{"text": "a"}, POINT, {"text": "b"}]
    assert second[1] == POINT
    assert [next(iter(block)) for block in third] == ["toolResult", "cachePoint", "text", "cachePoint"]
    assert third[1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert request["toolConfig"]["tools"][1] == POINT
    assert dropped == []
    assert messages[2]["content"][1].keys() == {"type", "tool_use_id", "content"}  # translated again for a retry


def test_an_empty_text_with_a_cache_mark_marks_what_is_in_front_of_it() -> None:
    made, dropped = content({"type": "text", "text": "a"}, {"type": "text", "text": "", "cache_control": MARK})
    assert made == [{"text": "a"}, POINT]
    request, dropped = translate(
        messages=[{"role": "user", "content": [{"type": "text", "text": "", "cache_control": MARK}]}]
    )
    assert request["messages"] == [{"role": "user", "content": [{"text": " "}]}]
    assert dropped == ["messages[0].content[0].cache_control"]


def test_unsigned_thinking_is_dropped_and_the_turn_stays_well_formed() -> None:
    made, dropped = content({"type": "thinking", "thinking": "Hm", "signature": ""}, role="assistant")
    assert made == []
    assert dropped == ["messages[1].content[0]"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"auto": {}}),
        ({"type": "any"}, {"any": {}}),
        ({"type": "tool", "name": "f"}, {"tool": {"name": "f"}}),
        ({"type": "tool"}, {"auto": {}}),
    ],
)
def test_tool_choice(choice: dict[str, Any], expected: dict[str, Any]) -> None:
    tools = [{"name": "f", "description": "F", "input_schema": SCHEMA}]
    spec = {"toolSpec": {"name": "f", "description": "F", "inputSchema": {"json": SCHEMA}}}
    assert translate(tools=tools, tool_choice=choice)[0]["toolConfig"] == {"tools": [spec], "toolChoice": expected}
    assert translate(tools=tools)[0]["toolConfig"] == {"tools": [spec]}
    assert "toolConfig" not in translate(tools=tools, tool_choice={"type": "none"})[0]
    assert "toolConfig" not in translate(tools=[], tool_choice=choice)[0]


def test_one_call_at_a_time_of_a_certain_tool() -> None:
    choice = {"type": "tool", "name": "f", "disable_parallel_tool_use": True}
    request, _ = translate(tools=[{"name": "f", "input_schema": SCHEMA}], tool_choice=choice)
    assert "toolChoice" not in request["toolConfig"]
    assert request["additionalModelRequestFields"] == {"tool_choice": choice}


def test_tools_that_the_client_runs_go_to_claude_and_those_of_anthropics_servers_nowhere() -> None:
    computer = {"type": "computer_20250124", "name": "computer", "display_width_px": 1024, "display_height_px": 768}
    tools = [
        computer,
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "custom", "name": "f", "input_schema": {}},
    ]
    request, dropped = translate(tools=tools)
    assert request["additionalModelRequestFields"] == {
        "tools": [computer],
        "anthropic_beta": ["computer-use-2025-01-24"],
    }
    assert [tool["toolSpec"]["name"] for tool in request["toolConfig"]["tools"]] == ["f"]
    assert dropped == ["tools[1]"]
    assert translate(NOVA, tools=tools)[1] == ["tools[0]", "tools[1]"]


@pytest.mark.parametrize(
    ("model", "members", "extra", "output", "dropped"),
    [
        (CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 2048}},
         {"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, []),
        (ADAPTIVE_CLAUDE, {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
         {"thinking": {"type": "adaptive", "display": "omitted"}}, {"effort": "low"}, []),
        (CLAUDE, {"output_config": {"effort": "low"}}, None, None, ["output_config.effort"]),
        (NOVA_2, {"thinking": {"type": "enabled", "budget_tokens": 2048}},
         {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}, None, []),
        (GPT_OSS, {"thinking": {"type": "enabled", "budget_tokens": 20000}}, {"reasoning_effort": "high"}, None, []),
        (LLAMA, {"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, None, ["thinking"]),
        (LLAMA, {"thinking": {"type": "disabled"}}, None, None, []),
        (OLD_CLAUDE, {"top_k": 4}, {"top_k": 4}, None, []),
    ],
)  # fmt: skip
def test_thinking_and_sampling(
    model: str, members: dict[str, Any], extra: Any, output: Any, dropped: list[str]
) -> None:
    request, lost = translate(model, **members)
    assert request.get("additionalModelRequestFields") == extra
    assert request.get("outputConfig") == output
    assert lost == dropped


@pytest.mark.parametrize("member", ["output_config", "output_format"])
def test_structured_output(member: str) -> None:
    wanted = {"type": "json_schema", "schema": SCHEMA}
    members = {member: {"format": wanted} if member == "output_config" else wanted}
    structure = {"jsonSchema": {"schema": '{"type":"object","properties":{"n":{"type":"integer"}}}'}}
    assert translate(**members)[0]["outputConfig"] == {"textFormat": {"type": "json_schema", "structure": structure}}
    request, _ = translate(OLD_CLAUDE, **members)
    assert request["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}


def test_stop_sequences_are_asked_for_by_name() -> None:
    request, _ = translate(CLAUDE, stop_sequences=["END"])
    assert request["additionalModelResponseFieldPaths"] == ["/stop_sequence"]


def test_metadata_tier_betas_and_what_has_no_counterpart() -> None:
    request, dropped = translate(
        metadata={"user_id": "user_1_account__session_2"},
        service_tier="standard_only",
        anthropic_beta=["context-1m-2025-08-07", "advanced-tool-use-2025-11-20", "unheard-of-2030-01-01"],
        mcp_servers=[{"type": "url", "url": "https://x", "name": "x"}],
        container="c",
        guardrailConfig={"guardrailIdentifier": "abc", "guardrailVersion": "DRAFT"},
    )
    assert request["requestMetadata"] == {"user_id": "user_1_account__session_2"}
    assert request["serviceTier"] == {"type": "default"}
    assert request["additionalModelRequestFields"] == {
        "anthropic_beta": ["context-1m-2025-08-07", "tool-search-tool-2025-10-19"]
    }
    assert dropped == ["anthropic_beta[2]", "mcp_servers", "container"]
    assert translate(metadata={"user_id": '{"device_id": "x"}'})[1] == ["metadata.user_id"]


def test_what_anthropics_servers_ran_is_left_out_of_the_history() -> None:
    made, dropped = content(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "Found."},
        role="assistant",
    )
    assert made == [{"text": "Found."}]
    assert dropped == ["messages[1].content[0]", "messages[1].content[1]"]


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}, "source.type"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "source.type"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "Q"}}, "source.media_type"),
        ({"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}}, "source.type"),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "image"}]}},
            "source.content[0].type",
        ),
        ({"type": "container_upload", "file_id": "f"}, "type"),
    ],
)
def test_what_bedrock_cannot_take_is_refused_by_its_path(block: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        content({"type": "text", "text": "x"}, block)
    assert caught.value.param == f"messages[1].content[1].{param}"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": ""}]}, "messages"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"tools": [{"name": 5}]}, "tools[0].name"),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"stop_sequences": [5]}, "stop_sequences[0]"),
    ],
)
def test_wrong_requests_are_named_by_their_path(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translate(**members)
    assert caught.value.param == param
