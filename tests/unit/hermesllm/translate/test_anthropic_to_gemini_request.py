"""Messages requests on their way to Gemini: what arrives, what is reported as dropped, what is refused."""

from typing import Any

import pytest

from hermesllm.errors import InvalidRequest, Untranslatable
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.unit.hermesllm.translate.gemini_oracle import check_request

USER = {"role": "user", "content": "Hi"}
HI = {"role": "user", "parts": [{"text": "Hi"}]}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
TOOL = {"name": "f", "description": "F.", "input_schema": SCHEMA}
PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
INLINE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


def translated(
    messages: list[Any] | None = None, model: str = "gemini-2.5-flash", **body: Any
) -> tuple[dict[str, Any], list[str]]:
    context = Context(PROVIDERS["gemini"], model)
    body = {"messages": messages or [USER], **body}
    return check_request(translator(Format.ANTHROPIC, Format.GEMINI, context).request(body)), context.dropped


def contents(*messages: Any, **options: Any) -> Any:
    request, dropped = translated(list(messages), **options)
    assert dropped == []
    return request["contents"]


def parts(*blocks: Any) -> Any:
    return contents({"role": "user", "content": list(blocks)})[0]["parts"]


def test_a_plain_question() -> None:
    request, dropped = translated(max_tokens=5, system="Be brief.", stream=True)
    assert request == {
        "contents": [HI],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"maxOutputTokens": 5},
    }
    assert dropped == []


def test_system_prompts_in_the_conversation_join_the_first() -> None:
    request, dropped = translated(
        [USER, {"role": "system", "content": "Also."}],
        system=[{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
    )
    assert request["systemInstruction"] == {"parts": [{"text": "S"}, {"text": "Also."}]}
    assert dropped == ["system[0].cache_control"]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "image", "source": PNG}, [INLINE]),
        (
            {"type": "image", "source": {"type": "url", "url": "https://e.org/b.gif"}},
            [{"fileData": {"fileUri": "https://e.org/b.gif", "mimeType": "image/gif"}}],
        ),
        (
            {"type": "document", "title": "T", "source": {"type": "base64", "data": "JVBE"}},
            [{"text": "T"}, {"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}}],
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://e.org/a.pdf"}},
            [{"fileData": {"fileUri": "https://e.org/a.pdf", "mimeType": "application/pdf"}}],
        ),
        (
            {"type": "document", "context": "C", "source": {"type": "text", "data": "D"}},
            [{"text": "C"}, {"text": "D"}],
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": PNG}]}},
            [INLINE],
        ),
        (
            {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "x"}]},
            [{"text": "T\nS\nx"}],
        ),
    ],
)
def test_blocks_become_parts(block: dict[str, Any], expected: list[Any]) -> None:
    assert parts(block) == expected


def test_calls_and_results_find_each_other_by_id_and_name() -> None:
    failed = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "No.", "is_error": True}
    turns = contents(
        USER,
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, USE, {**USE, "id": "toolu_2"}]},
        {
            "role": "user",
            "content": [
                failed,
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": '{"b": 2}'}]},
                {"type": "text", "text": "And?"},
            ],
        },
    )
    assert turns[1]["parts"] == [
        {"text": "Let me see."},
        {"functionCall": {"id": "toolu_1", "name": "f", "args": {"a": 1}}},
        {"functionCall": {"id": "toolu_2", "name": "f", "args": {"a": 1}}},
    ]
    assert turns[2]["parts"] == [
        {"functionResponse": {"id": "toolu_1", "name": "f", "response": {"error": "No."}}},
        {"functionResponse": {"id": "toolu_2", "name": "f", "response": {"b": 2}}},
        {"text": "And?"},
    ]


def test_images_in_results_stand_inside_them_from_gemini_3_on_and_after_them_before() -> None:
    content = [{"type": "text", "text": "ok"}, {"type": "image", "source": PNG}]
    history = [
        USER,
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": content}]},
    ]
    answer = {"id": "toolu_1", "name": "f", "response": {"output": "ok"}}
    new = contents(*history, model="gemini-3-flash-preview")[2]["parts"]
    assert new == [{"functionResponse": {**answer, "parts": [INLINE]}}]
    old = contents(*history)[2]["parts"]
    assert old == [{"functionResponse": answer}, {"text": "Files from the result of f (toolu_1):"}, INLINE]


def test_searches_that_anthropic_ran_become_calls_with_results() -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
    page = {"type": "web_search_result", "title": "T", "url": "https://e.org", "encrypted_content": "x"}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [page]}
    turns = contents(USER, {"role": "assistant", "content": [search, result, {"type": "text", "text": "A"}]})
    response = {"title": "T", "url": "https://e.org"}
    assert [turn["role"] for turn in turns] == ["user", "model", "user", "model"]
    assert turns[1]["parts"] == [{"functionCall": {"id": "srvtoolu_1", "name": "web_search", "args": {"query": "q"}}}]
    assert turns[2]["parts"][0]["functionResponse"]["response"] == response
    assert turns[3]["parts"] == [{"text": "A"}]


def test_thinking_of_claude_is_dropped_and_reported() -> None:
    thinking = [
        {"type": "thinking", "thinking": "t", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "text", "text": "A"},
    ]
    request, dropped = translated([USER, {"role": "assistant", "content": thinking}])
    assert request["contents"][1]["parts"] == [{"text": "A"}]
    assert dropped == ["messages[1].content[0]", "messages[1].content[1]"]


def test_a_call_of_claude_gets_a_stand_in_for_a_signature_on_gemini_3() -> None:
    turns = contents(USER, {"role": "assistant", "content": [USE]}, model="gemini-3-pro-preview")
    assert turns[1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"tools": [TOOL]}, {"tools": [{"functionDeclarations": [
            {"name": "f", "description": "F.", "parametersJsonSchema": SCHEMA}]}]}),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "any"}}, {
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "tool", "name": "f"}}, {
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}}),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "none"}}, {
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, {"tools": [{"googleSearch": {}}]}),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, {"tools": [{"urlContext": {}}]}),
        ({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
         {"tools": [{"codeExecution": {}}]}),
    ],
)  # fmt: skip
def test_tools_and_choices(body: dict[str, Any], members: dict[str, Any]) -> None:
    request, dropped = translated(**body)
    assert request == {"contents": [HI], **members}
    assert dropped == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"temperature": 0.5, "top_p": 0.5, "top_k": 5}, {"temperature": 0.5, "topP": 0.5, "topK": 5}),
        ({"stop_sequences": ["a"]}, {"stopSequences": ["a"]}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"thinking": {"type": "disabled"}}, {"thinkingConfig": {"thinkingBudget": 0}}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 3000}},
            {"thinkingConfig": {"thinkingBudget": 3000, "includeThoughts": True}},
        ),
        ({"thinking": {"type": "adaptive"}}, {"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True}}),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
            {"thinkingConfig": {"thinkingBudget": 1024}},
        ),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, "model": "gemini-3-pro-preview"},
            {"thinkingConfig": {"thinkingLevel": "high", "includeThoughts": True}},
        ),
        (
            {"thinking": {"type": "adaptive"}, "model": "gemini-3-pro-preview"},
            {"thinkingConfig": {"includeThoughts": True}},
        ),
    ],
)
def test_settings_have_names_of_their_own(body: dict[str, Any], expected: dict[str, Any]) -> None:
    request, dropped = translated(**body)
    assert request["generationConfig"] == expected
    assert dropped == []


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"metadata": {"user_id": "u", "plano_preference_config": "x"}}, ["metadata.user_id"]),
        ({"service_tier": "standard_only"}, []),
        ({"mcp_servers": [{"name": "m"}], "container": "c"}, ["mcp_servers", "container"]),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, ["tools[0]"]),
        ({"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}, "strict": True}]},
         ["tools[0].cache_control", "tools[0].strict"]),
        (
            {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            ["tool_choice.disable_parallel_tool_use"],
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "w", "max_uses": 2}]}, ["tools[0].max_uses"]),
        ({"stop_sequences": list("abcdef")}, ["stop_sequences[5]"]),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}, "model": "gemini-2.0-flash"}, ["thinking"]),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "data": "D"}, "citations": {"enabled": True}}]}]},
            ["messages[0].content[0].citations"],
        ),
    ],
)  # fmt: skip
def test_what_gemini_has_no_place_for_is_reported(body: dict[str, Any], dropped: list[str]) -> None:
    assert translated(**body)[1] == dropped


@pytest.mark.parametrize(
    ("blocks", "param"),
    [
        ([{"type": "image", "source": {"type": "file", "file_id": "file_1"}}], "messages[0].content[0].source.type"),
        (
            [{"type": "document", "source": {"type": "url", "url": "https://e.org/a"}}],
            "messages[0].content[0].source.url",
        ),
        ([{"type": "container_upload", "file_id": "f"}], "messages[0].content[0].type"),
    ],
)
def test_files_that_gemini_cannot_reach_are_refused(blocks: list[Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        translated([{"role": "user", "content": blocks}])
    assert caught.value.param == param


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9"}]}])
    assert caught.value.param == "messages[0].content[0].tool_use_id"
