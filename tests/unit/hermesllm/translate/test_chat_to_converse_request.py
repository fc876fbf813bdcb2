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
    PROFILE,
    THINKING_CLAUDE,
    USER,
    sent,
)

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather", "parameters": {"type": "object"}},
}
SPEC = {"toolSpec": {"name": "get_weather", "description": "Weather", "inputSchema": {"json": {"type": "object"}}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


def translate(model: str = CLAUDE, **members: Any) -> tuple[dict[str, Any], list[str]]:
    return sent(Format.CHAT, {"model": "x", "messages": [USER], **members}, model)


def content(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    request, _ = translate(messages=[{"role": "user", "content": list(parts)}])
    blocks: list[dict[str, Any]] = request["messages"][0]["content"]
    return blocks


def call(call_id: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def use(call_id: str, name: str = "f", value: Any = None) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": value or {}}}


def result(call_id: str, *parts: dict[str, Any], status: str = "success") -> dict[str, Any]:
    return {"toolResult": {"toolUseId": call_id, "content": list(parts), "status": status}}


def test_the_basic_request_has_neither_model_nor_stream() -> None:
    request, dropped = translate(
        NOVA,
        stream=True,
        stream_options={"include_usage": True},
        messages=[{"role": "system", "content": "Be brief"}, USER],
        temperature=0.7,
        top_p=0.9,
        max_completion_tokens=1000,
        stop=["STOP"],
    )
    assert request == {
        "inferenceConfig": {"maxTokens": 1000, "temperature": 0.7, "topP": 0.9, "stopSequences": ["STOP"]},
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "system": [{"text": "Be brief"}],
    }
    assert dropped == []


def test_a_conversation_keeps_its_turns_and_each_system_prompt_is_a_block() -> None:
    request, _ = translate(
        messages=[
            {"role": "system", "content": "A"},
            {"role": "user", "content": "1"},
            {"role": "assistant", "content": "2"},
            {"role": "developer", "content": "B"},
            {"role": "system", "content": ""},
            {"role": "user", "content": "3"},
        ]
    )
    assert request["system"] == [{"text": "A"}, {"text": "B"}]
    assert [message["role"] for message in request["messages"]] == ["user", "assistant", "user"]
    assert "inferenceConfig" not in request


def test_neighbours_of_one_role_become_one_turn_and_all_results_come_together_in_front() -> None:
    request, _ = translate(
        tools=[TOOL],
        messages=[
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": "Let me see", "tool_calls": [call("c1"), call("c2", "g", '{"x":1}')]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            {"role": "user", "content": "and?"},
        ],
    )
    assert request["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "Let me see"}, use("c1"), use("c2", "g", {"x": 1})]},
        {"role": "user", "content": [result("c1", {"text": "one"}), result("c2", {"text": " "}), {"text": "and?"}]},
    ]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"role": "user", "content": ""}], [{"role": "user", "content": [{"text": " "}]}]),
        ([USER, {"role": "assistant", "content": ""}], [{"role": "user", "content": [{"text": "Hi"}]}]),
        (
            [USER, {"role": "assistant", "content": None}, {"role": "user", "content": "again"}],
            [{"role": "user", "content": [{"text": "Hi"}, {"text": "again"}]}],
        ),
    ],
)
def test_turns_without_a_word_do_not_reach_bedrock_empty(messages: list[Any], expected: list[Any]) -> None:
    assert translate(messages=messages)[0]["messages"] == expected


@pytest.mark.parametrize(
    ("tool_message", "expected"),
    [
        ({"content": "x", "is_error": True}, result("c1", {"text": "x"}, status="error")),
        ({"content": '{"error": "no"}'}, result("c1", {"text": '{"error": "no"}'}, status="error")),
        ({"content": '{"ok": 1}'}, result("c1", {"text": '{"ok": 1}'})),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            result("c1", {"text": "a"}, {"text": "b"}),
        ),
        (
            {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}]},
            result("c1", {"image": {"format": "png", "source": {"bytes": "QQ=="}}}),
        ),
    ],
)
def test_tool_results(tool_message: dict[str, Any], expected: dict[str, Any]) -> None:
    history = [USER, {"role": "assistant", "tool_calls": [call("c1")]}]
    request, _ = translate(messages=[*history, {"role": "tool", "tool_call_id": "c1", **tool_message}])
    assert request["messages"][-1]["content"] == [expected]
    assert [tool["toolSpec"]["name"] for tool in request["toolConfig"]["tools"]] == ["f"]


@pytest.mark.parametrize(("given", "expected"), [("functions.f:0", "functions_f_0"), ("x" * 80, None)])
def test_call_ids_that_bedrock_refuses_are_replaced_alike_in_call_and_result(given: str, expected: str | None) -> None:
    history = [USER, {"role": "assistant", "tool_calls": [call(given)]}]
    request, _ = translate(messages=[*history, {"role": "tool", "tool_call_id": given, "content": "r"}])
    used = request["messages"][1]["content"][0]["toolUse"]["toolUseId"]
    assert used == request["messages"][2]["content"][0]["toolResult"]["toolUseId"]
    assert len(used) <= 64
    assert expected is None or used == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QQ==", "detail": "auto"}},
            {"image": {"format": "jpeg", "source": {"bytes": "QQ=="}}},
        ),
        (
            {"type": "image_url", "image_url": "data:image/webp;base64,QQ=="},
            {"image": {"format": "webp", "source": {"bytes": "QQ=="}}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "s3://my-bucket/cat.JPG"}},
            {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://my-bucket/cat.JPG"}}}},
        ),
        (
            {"type": "file", "file": {"filename": "Q3 report_v2.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
            {"document": {"format": "pdf", "source": {"bytes": "QQ=="}, "name": "Q3 report-v2"}},
        ),
        (
            {"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,YSxi"}},
            {"document": {"format": "csv", "source": {"text": "a,b"}, "name": "a"}},
        ),
        (
            {"type": "guarded_text", "text": "check me"},
            {"guardContent": {"text": {"text": "check me"}}},
        ),
    ],
)
def test_parts(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert content({"type": "text", "text": "Look"}, part) == [{"text": "Look"}, expected]


def test_text_documents_go_as_bytes_to_models_that_know_no_text_source() -> None:
    part = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,SGk="}}
    request, _ = translate(NOVA, messages=[{"role": "user", "content": [part]}])
    document = {"document": {"format": "txt", "source": {"bytes": "SGk="}, "name": "a"}}
    assert request["messages"][0]["content"] == [document, {"text": "."}]


def test_documents_of_one_name_get_different_ones() -> None:
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": "QQ=="}}
    blocks = content({"type": "text", "text": "Compare"}, part, part)
    assert [block["document"]["name"] for block in blocks[1:]] == ["a", "a (2)"]


@pytest.mark.parametrize(
    ("part", "remedy"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}, "as base64 data"),
        ({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,QQ=="}}, "Convert the image"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "as base64 data"),
        ({"type": "file", "file": {"file_data": "data:application/zip;base64,QQ=="}}, "PDF, CSV"),
        ({"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}, "text, image_url or file"),
    ],
)
def test_what_bedrock_cannot_take_is_refused_with_a_remedy(part: dict[str, Any], remedy: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        content({"type": "text", "text": "x"}, part)
    assert remedy in str(caught.value.remedy)
    assert str(caught.value.param).startswith("messages[0].content[1]")
    assert "QQ==" not in caught.value.message


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"auto": {}}),
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "get_weather"}}, {"tool": {"name": "get_weather"}}),
    ],
)
def test_tools_and_the_choice_among_them(choice: Any, expected: dict[str, Any]) -> None:
    request, _ = translate(tools=[TOOL], tool_choice=choice)
    assert request["toolConfig"] == {"tools": [SPEC], "toolChoice": expected}


def test_no_tools_are_declared_where_none_may_be_called() -> None:
    assert "toolConfig" not in translate(tools=[TOOL], tool_choice="none")[0]
    assert "toolConfig" not in translate(tool_choice="auto")[0]


def test_tools_stay_declared_for_a_history_of_calls() -> None:
    history = [
        USER,
        {"role": "assistant", "tool_calls": [call("c")]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
    ]
    request, dropped = translate(tools=[TOOL], tool_choice="none", messages=history)
    assert request["toolConfig"] == {"tools": [SPEC]}
    assert dropped == ["tool_choice"]


def test_members_of_a_tool() -> None:
    function = {"name": "f", "description": "", "parameters": None, "strict": True}
    tool = {"type": "function", "function": function, "cache_control": {"type": "ephemeral"}}
    spec = {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    point = {"cachePoint": {"type": "default"}}
    assert translate(tools=[tool])[0]["toolConfig"]["tools"] == [{"toolSpec": {**spec, "strict": True}}, point]
    request, dropped = translate(LLAMA, tools=[tool])
    assert request["toolConfig"]["tools"] == [{"toolSpec": spec}]
    assert dropped == ["tools[0].strict", "tools[0].cache_control"]


def test_one_call_at_a_time_is_for_claude_to_say() -> None:
    request, dropped = translate(tools=[TOOL], parallel_tool_calls=False)
    assert request["toolConfig"] == {"tools": [SPEC]}
    assert request["additionalModelRequestFields"] == {
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}
    }
    assert dropped == []
    request, dropped = translate(NOVA, tools=[TOOL], parallel_tool_calls=False)
    assert request["toolConfig"] == {"tools": [SPEC], "toolChoice": {"auto": {}}}
    assert dropped == ["parallel_tool_calls"]
    assert translate(NOVA, tools=[TOOL], parallel_tool_calls=True)[1] == []


def test_names_that_bedrock_refuses_are_shortened_alike_in_tools_choice_and_history() -> None:
    name = "mcp__" + "long_server_name__" * 5
    tool = {"type": "function", "function": {"name": name}}
    history = [
        USER,
        {"role": "assistant", "tool_calls": [call("c", name)]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
    ]
    choice = {"type": "function", "function": {"name": name}}
    request, _ = translate(tools=[tool], tool_choice=choice, messages=history)
    short = request["toolConfig"]["tools"][0]["toolSpec"]["name"]
    assert len(short) == 64
    assert request["toolConfig"]["toolChoice"] == {"tool": {"name": short}}
    assert request["messages"][1]["content"][0]["toolUse"]["name"] == short


@pytest.mark.parametrize(
    ("model", "members", "extra", "output", "inference", "dropped"),
    [
        (THINKING_CLAUDE, {"reasoning_effort": "low", "max_tokens": 2000, "temperature": 0.5},
         {"thinking": {"type": "enabled", "budget_tokens": 1024}}, None, {"maxTokens": 2000}, ["temperature"]),
        (THINKING_CLAUDE, {"reasoning_effort": "high", "max_tokens": 2000},
         {"thinking": {"type": "enabled", "budget_tokens": 16384}}, None, {"maxTokens": 18384}, []),
        (THINKING_CLAUDE, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, None, None, []),
        (ADAPTIVE_CLAUDE, {"reasoning_effort": "medium"}, {"thinking": {"type": "adaptive"}}, {"effort": "medium"},
         None, []),
        (CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 5000}},
         {"thinking": {"type": "enabled", "budget_tokens": 5000}}, None, None, []),
        (OLD_CLAUDE, {"reasoning_effort": "low"}, None, None, None, ["reasoning_effort"]),
        (NOVA_2, {"reasoning_effort": "low"},
         {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}, None, None, []),
        (NOVA, {"reasoning_effort": "low"}, None, None, None, ["reasoning_effort"]),
        (NOVA, {"reasoning_effort": "none"}, None, None, None, []),
        (GPT_OSS, {"reasoning_effort": "high"}, {"reasoning_effort": "high"}, None, None, []),
        (LLAMA, {"reasoning": {"effort": "high"}}, None, None, None, ["reasoning"]),
        (PROFILE, {"reasoning_effort": "low"}, None, None, None, ["reasoning_effort"]),
    ],
)  # fmt: skip
def test_reasoning(
    model: str, members: dict[str, Any], extra: Any, output: Any, inference: Any, dropped: list[str]
) -> None:
    request, lost = translate(model, **members)
    assert request.get("additionalModelRequestFields") == extra
    assert request.get("outputConfig") == output
    assert request.get("inferenceConfig") == inference
    assert lost == dropped


@pytest.mark.parametrize(
    ("model", "extra", "dropped"),
    [
        (OLD_CLAUDE, {"top_k": 5}, []),
        (NOVA, {"inferenceConfig": {"topK": 5}}, []),
        ("mistral.mistral-large-2407-v1:0", {"top_k": 5}, []),
        ("cohere.command-r-plus-v1:0", {"k": 5}, []),
        (LLAMA, None, ["top_k"]),
        (PROFILE, {"top_k": 5}, []),
    ],
)
def test_top_k_goes_to_the_model_as_its_family_spells_it(model: str, extra: Any, dropped: list[str]) -> None:
    request, lost = translate(model, top_k=5)
    assert (request.get("additionalModelRequestFields"), lost) == (extra, dropped)


def test_sampling_is_cut_to_what_the_model_takes() -> None:
    request, dropped = translate(NOVA, temperature=1.7, top_p=0.2)
    assert (request["inferenceConfig"], dropped) == ({"temperature": 1, "topP": 0.2}, [])
    request, dropped = translate(CLAUDE, temperature=0.2, top_p=0.2, stop=["\n", "END", ""])
    assert (request["inferenceConfig"], dropped) == ({"temperature": 0.2, "stopSequences": ["END"]}, ["top_p"])
    assert translate(NOVA, stop="\n")[0]["inferenceConfig"] == {"stopSequences": ["\n"]}


def test_structured_output_is_bedrocks_own_where_the_model_has_it() -> None:
    request, _ = translate(CLAUDE, response_format=FORMAT)
    structure = {
        "jsonSchema": {
            "schema": '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}',
            "name": "answer",
        }
    }
    assert request["outputConfig"] == {"textFormat": {"type": "json_schema", "structure": structure}}
    assert "toolConfig" not in request


def test_structured_output_is_a_forced_tool_elsewhere() -> None:
    request, _ = translate(NOVA, response_format=FORMAT)
    (tool,) = request["toolConfig"]["tools"]
    assert tool["toolSpec"]["inputSchema"] == {"json": SCHEMA}
    assert request["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}
    assert request["system"] == [{"text": "Give the final answer by calling the tool answer."}]
    request, _ = translate(NOVA, response_format=FORMAT, tools=[TOOL])
    assert request["toolConfig"]["toolChoice"] == {"any": {}}
    request, _ = translate(THINKING_CLAUDE, response_format=FORMAT, reasoning_effort="low")
    assert "toolChoice" not in request["toolConfig"]  # Claude does not think before a forced call


def test_a_json_object_is_asked_for_in_words() -> None:
    request, _ = translate(response_format={"type": "json_object"})
    assert "JSON object" in request["system"][0]["text"]


def test_cache_marks_become_cache_points_where_the_model_has_them() -> None:
    mark = {"type": "ephemeral"}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "S", "cache_control": mark}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "text", "text": "b"},
            ],
        },
    ]
    request, dropped = translate(CLAUDE, messages=messages)
    assert request["system"] == [{"text": "S"}, {"cachePoint": {"type": "default"}}]
    assert request["messages"][0]["content"] == [
        {"text": "a"},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"text": "b"},
    ]
    assert dropped == []
    request, dropped = translate(NOVA, messages=messages)
    assert request["messages"][0]["content"][1] == {"cachePoint": {"type": "default"}}
    assert dropped == ["messages[1].content[0].cache_control.ttl"]
    request, dropped = translate(LLAMA, messages=messages)
    assert request["messages"][0]["content"] == [{"text": "a"}, {"text": "b"}]
    assert dropped == ["messages[0].content[0].cache_control", "messages[1].content[0].cache_control"]


def test_signed_thinking_goes_back_to_claude_and_to_nobody_else() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
    ]
    messages = [USER, {"role": "assistant", "content": "x", "thinking_blocks": blocks}, USER]
    request, _ = translate(CLAUDE, messages=messages)
    assert request["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"text": "x"},
    ]
    request, dropped = translate(LLAMA, messages=messages)
    assert request["messages"][1]["content"] == [{"text": "x"}]
    assert dropped == ["messages[1]", "messages[1]"]


def test_metadata_tier_and_bedrocks_own_members() -> None:
    request, dropped = translate(
        metadata={"team": "blue", "bad": "{}", "plano_preference_config": "{}"},
        user="u-1",
        service_tier="flex",
        guardrailConfig={"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled"},
        performanceConfig={"latency": "optimized"},
        additionalModelRequestFields={"anthropic_beta": ["context-1m-2025-08-07"]},
        additionalModelResponseFieldPaths=["/stop_sequence"],
        seed=1,
        logprobs=False,
    )
    assert request["requestMetadata"] == {"team": "blue", "user": "u-1"}
    assert request["serviceTier"] == {"type": "flex"}
    assert request["guardrailConfig"]["guardrailIdentifier"] == "abc"
    assert request["performanceConfig"] == {"latency": "optimized"}
    assert request["additionalModelRequestFields"] == {"anthropic_beta": ["context-1m-2025-08-07"]}
    assert request["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert dropped == ["metadata.bad", "seed"]
    assert "requestMetadata" not in translate(metadata={"bad": "{}"})[0]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"n": 2}, "n"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"guardrailConfig": 5}, "guardrailConfig"),
        ({"messages": [{"role": "system", "content": "only"}]}, "messages"),
    ],
)
def test_wrong_requests_are_named_by_their_path(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translate(NOVA, **members)
    assert caught.value.param == param
