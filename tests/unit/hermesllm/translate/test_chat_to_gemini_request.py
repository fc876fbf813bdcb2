"""Chat requests on their way to Gemini: what arrives, what is reported as dropped, what is refused."""

from typing import Any

import pytest

from hermesllm.errors import InvalidRequest, Untranslatable
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.unit.hermesllm.translate.gemini_oracle import check_request

USER = {"role": "user", "content": "Hi"}
HI = {"role": "user", "parts": [{"text": "Hi"}]}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
SCHEMA = {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}, "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "f", "description": "F.", "parameters": SCHEMA}}
OTHER = {"type": "function", "function": {"name": "g"}}
DECLARED = {"name": "f", "description": "F.", "parametersJsonSchema": SCHEMA}


def translated(
    messages: list[Any] | None = None, model: str = "gemini-2.5-flash", provider: str = "vertex", **body: Any
) -> tuple[dict[str, Any], list[str]]:
    context = Context(PROVIDERS[provider], model)
    request = translator(Format.CHAT, Format.GEMINI, context).request({"messages": messages or [USER], **body})
    return check_request(request), context.dropped


def contents(*messages: Any, **options: Any) -> Any:
    request, dropped = translated(list(messages), **options)
    assert dropped == []
    return request["contents"]


def settings(**body: Any) -> Any:
    request, dropped = translated(**body)
    assert dropped == []
    return request.get("generationConfig")


def parts(*content: Any, model: str = "gemini-2.5-flash") -> Any:
    return contents({"role": "user", "content": list(content)}, model=model)[0]["parts"]


def test_a_plain_question_is_one_user_turn_and_nothing_else() -> None:
    assert translated(stream=True) == ({"contents": [HI]}, [])


def test_system_prompts_are_gathered_in_the_system_instruction() -> None:
    developer = {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]}
    request, _ = translated([{"role": "system", "content": "Be brief."}, USER, developer])
    assert request == {"contents": [HI], "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}}


def test_turns_of_one_role_are_merged_and_empty_ones_left_out() -> None:
    assert contents(
        USER, {"role": "user", "content": ""}, USER, {"role": "assistant", "content": ""}, USER,
        {"role": "assistant", "content": "A"},
    ) == [
        {"role": "user", "parts": [{"text": "Hi"}, {"text": "Hi"}, {"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "A"}]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "auto"}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "image_url", "image_url": "https://e.org/a/b.JPG?x=1"},
            {"fileData": {"fileUri": "https://e.org/a/b.JPG?x=1", "mimeType": "image/jpeg"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "gs://bucket/b.webp"}},
            {"fileData": {"fileUri": "gs://bucket/b.webp", "mimeType": "image/webp"}},
        ),
        (
            {"type": "video_url", "video_url": {"url": "https://www.youtube.com/watch?v=1"}},
            {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        ),
        (
            {"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
        ),
    ],
)
def test_media_become_inline_or_file_data(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parts({"type": "text", "text": "See:"}, part) == [{"text": "See:"}, expected]


def test_the_detail_of_an_image_is_a_resolution_from_gemini_3_on() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    (part,) = parts(image, model="gemini-3-flash-preview")
    assert part["mediaResolution"] == {"level": "MEDIA_RESOLUTION_LOW"}
    _, dropped = translated([{"role": "user", "content": [image]}])
    assert dropped == ["messages[0].content[0].image_url.detail"]


@pytest.mark.parametrize(
    ("content", "param", "remedy"),
    [
        ({"type": "image_url", "image_url": {"url": "https://e.org/image"}}, "image_url.url", "extension"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,raw"}}, "image_url.url", "base64"),
        ({"type": "file", "file": {"file_id": "file-123"}}, "file.file_id", "base64"),
        ({"type": "hologram"}, "type", "Use text"),
    ],
)
def test_media_that_gemini_cannot_take_are_refused_with_a_remedy(
    content: dict[str, Any], param: str, remedy: str
) -> None:
    with pytest.raises(Untranslatable) as caught:
        translated([{"role": "user", "content": [content]}])
    assert caught.value.param == f"messages[0].content[0].{param}"
    assert remedy in str(caught.value.remedy)


def test_calls_and_results_find_each_other_by_id_and_name() -> None:
    second = {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": ""}}
    turns = contents(
        USER,
        {"role": "assistant", "content": None, "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_2", "content": '{"temperature": 20}'},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "user", "content": "And?"},
    )
    assert turns[1:] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "call_1", "name": "f", "args": {"a": 1}}},
                {"functionCall": {"id": "call_2", "name": "g", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "call_2", "name": "g", "response": {"temperature": 20}}},
                {"functionResponse": {"id": "call_1", "name": "f", "response": {"output": "sunny"}}},
                {"text": "And?"},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("message", "response"),
    [
        ({"content": "[1, 2]"}, {"output": "[1, 2]"}),
        ({"content": None}, {"output": ""}),
        ({"content": "{broken"}, {"output": "{broken"}),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, {"output": "a\nb"}),
        ({"content": "No such city", "is_error": True}, {"error": "No such city"}),
        ({"content": '{"error": {"code": 4}}'}, {"error": {"code": 4}}),
        ({"content": '{"code": 4}', "is_error": True}, {"error": {"code": 4}}),
    ],
)
def test_results_are_objects(message: dict[str, Any], response: dict[str, Any]) -> None:
    history = [USER, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call_1", **message}]
    assert contents(*history)[2]["parts"][0]["functionResponse"]["response"] == response


def test_images_in_results_stand_inside_them_from_gemini_3_on_and_after_them_before() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    history = [
        USER,
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": content},
    ]
    answer = {"id": "call_1", "name": "f", "response": {"output": ""}}
    new = contents(*history, model="gemini-3-pro-preview")[2]["parts"]
    assert new == [{"functionResponse": {**answer, "parts": [image]}}]
    old = contents(*history)[2]["parts"]
    assert old == [{"functionResponse": answer}, {"text": "Files from the result of f:"}, image]


def test_the_old_function_role_needs_no_id() -> None:
    turns = contents(
        USER,
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    )
    assert turns[1]["parts"] == [{"functionCall": {"name": "f", "args": {}}}]
    assert turns[2]["parts"] == [{"functionResponse": {"name": "f", "response": {"output": "r"}}}]


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated([USER, {"role": "tool", "tool_call_id": "call_9", "content": "r"}])
    assert caught.value.param == "messages[1].tool_call_id"


def test_signatures_return_where_they_came_from() -> None:
    message = {
        "role": "assistant",
        "content": "Let me see.",
        "reasoning_content": "Hm.",
        "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "gemini.thought.v1:dGg="}],
        "extra_content": {"google": {"thought_signature": "dHh0"}},
        "tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}],
    }
    assert contents(USER, message, model="gemini-3-pro-preview")[1]["parts"] == [
        {"text": "Hm.", "thought": True, "thoughtSignature": "dGg="},
        {"text": "Let me see.", "thoughtSignature": "dHh0"},
        {"functionCall": {"id": "call_1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
    ]


@pytest.mark.parametrize(
    ("model", "signed"), [("gemini-3-pro-preview", [True, False]), ("gemini-2.5-pro", [False] * 2)]
)
def test_the_first_call_of_another_model_gets_a_stand_in_for_a_signature(model: str, signed: list[bool]) -> None:
    calls = [CALL, {**CALL, "id": "call_2"}]
    found = contents(USER, {"role": "assistant", "tool_calls": calls}, model=model)[1]["parts"]
    assert [part.get("thoughtSignature") == "skip_thought_signature_validator" for part in found] == signed


def test_thinking_of_other_vendors_is_dropped_and_reported() -> None:
    blocks = [{"type": "thinking", "thinking": "t", "signature": "EqQB"}]
    message = {"role": "assistant", "content": "A", "reasoning_content": "t", "thinking_blocks": blocks}
    request, dropped = translated([USER, message])
    assert request["contents"][1]["parts"] == [{"text": "A"}]
    assert dropped == ["messages[1].reasoning_content", "messages[1].thinking_blocks[0]"]


def test_schemas_pass_unharmed() -> None:
    request, dropped = translated(tools=[TOOL, OTHER])
    assert request["tools"] == [{"functionDeclarations": [DECLARED, {"name": "g"}]}]
    assert "toolConfig" not in request
    assert dropped == []


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "g"}}, {"mode": "ANY", "allowedFunctionNames": ["g"]}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}},
            {"mode": "ANY", "allowedFunctionNames": ["g"]},
        ),
    ],
)
def test_tool_choices_are_modes(choice: Any, config: dict[str, Any]) -> None:
    request, _ = translated(tools=[TOOL, OTHER], tool_choice=choice)
    assert request["toolConfig"] == {"functionCallingConfig": config}


def test_a_free_choice_among_some_tools_declares_only_those() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [OTHER]}}
    request, _ = translated(tools=[TOOL, OTHER], tool_choice=choice)
    assert request["tools"] == [{"functionDeclarations": [{"name": "g"}]}]
    assert request["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}


@pytest.mark.parametrize(
    "tool", [{"type": "web_search"}, {"type": "google_search"}, {"googleSearch": {}}, {"type": "web_search_preview"}]
)
def test_web_search_is_googles(tool: dict[str, Any]) -> None:
    assert translated(tools=[tool])[0]["tools"] == [{"googleSearch": {}}]


def test_web_search_options_are_googles_search_without_its_details() -> None:
    request, dropped = translated(web_search_options={"search_context_size": "low"}, tools=[TOOL])
    assert request["tools"] == [{"functionDeclarations": [DECLARED]}, {"googleSearch": {}}]
    assert dropped == ["web_search_options.search_context_size"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"temperature": 1.5, "top_p": 0.5, "top_k": 5}, {"temperature": 1.5, "topP": 0.5, "topK": 5}),
        ({"max_tokens": 7}, {"maxOutputTokens": 7}),
        ({"max_completion_tokens": 8, "max_tokens": 7}, {"maxOutputTokens": 8}),
        ({"stop": "END"}, {"stopSequences": ["END"]}),
        ({"stop": ["a", "b"], "seed": 1, "n": 3}, {"stopSequences": ["a", "b"], "seed": 1, "candidateCount": 3}),
        ({"presence_penalty": 0.5, "frequency_penalty": -1}, {"presencePenalty": 0.5, "frequencyPenalty": -1}),
        ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
        ({"logprobs": False}, None),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "strict": True, "schema": SCHEMA},
                }
            },
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"modalities": ["text"]}, None),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        ({"reasoning_effort": "low"}, {"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True}}),
        ({"reasoning_effort": "none"}, {"thinkingConfig": {"thinkingBudget": 0}}),
        ({"reasoning": {"max_tokens": 2000}}, {"thinkingConfig": {"thinkingBudget": 2000, "includeThoughts": True}}),
        ({"reasoning": {"effort": "high", "exclude": True}}, {"thinkingConfig": {"thinkingBudget": 16384}}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 4000}},
            {"thinkingConfig": {"thinkingBudget": 4000, "includeThoughts": True}},
        ),
        (
            {"extra_body": {"google": {"thinking_config": {"include_thoughts": True, "thinking_budget": 5}}}},
            {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 5}},
        ),
        (
            {"reasoning_effort": "medium", "model": "gemini-3-pro-preview"},
            {"thinkingConfig": {"thinkingLevel": "high", "includeThoughts": True}},
        ),
    ],
)
def test_settings_have_names_of_their_own(body: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert settings(**body) == expected


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"user": "u", "logit_bias": {"1": 1}, "store": True}, ["user", "logit_bias", "store"]),
        ({"store": False, "logit_bias": {}, "service_tier": "auto", "parallel_tool_calls": True}, []),
        ({"metadata": {"a": "b", "plano_preference_config": "x"}}, ["metadata.a"]),
        ({"stop": list("abcdefg")}, ["stop[5]", "stop[6]"]),
        ({"tools": [TOOL], "parallel_tool_calls": False}, ["parallel_tool_calls"]),
        ({"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, ["tools[0].function.strict"]),
        ({"reasoning_effort": "high", "model": "gemini-2.0-flash"}, ["reasoning_effort"]),
        ({"service_tier": "flex"}, ["service_tier"]),
        (
            {"stream_options": {"include_usage": True, "include_obfuscation": False}},
            ["stream_options.include_obfuscation"],
        ),
        ({"unheard_of": 1}, ["unheard_of"]),
    ],
)
def test_what_gemini_has_no_place_for_is_reported(body: dict[str, Any], dropped: list[str]) -> None:
    assert translated(**body)[1] == dropped


def test_members_of_gemini_itself_pass_through() -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    request, dropped = translated(safety_settings=safety, cached_content="cachedContents/1", labels={"team": "a"})
    assert request["safetySettings"] == safety
    assert request["cachedContent"] == "cachedContents/1"
    assert request["labels"] == {"team": "a"}
    assert dropped == []


def test_service_tiers_are_google_ai_studios() -> None:
    assert translated(provider="gemini", service_tier="flex")[0]["serviceTier"] == "flex"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "system", "content": "S"}]}, "messages"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice"),
        ({"stop": [1]}, "stop[0]"),
    ],
)
def test_what_cannot_be_asked_of_gemini_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translated(**body)
    assert caught.value.param == param
