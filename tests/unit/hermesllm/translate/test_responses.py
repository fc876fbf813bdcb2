"""JSON answers, both ways, and what of a conversation survives a trip through the other format."""

from typing import Any

import pytest

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator

USER = {"role": "user", "content": "Hi"}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "ZGF0YQ"}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def cell(client: Format, upstream: Format, model: str = "m", **body: Any) -> Translator:
    made = translator(client, upstream, Context(PROVIDERS["openrouter"], model))
    made.request({"messages": [USER], "max_tokens": 5, **body})
    return made


def to_chat(content: list[Any], members: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 25},
        **(members or {}),
    }
    return cell(Format.CHAT, Format.ANTHROPIC, "claude-opus-4-1", **body).response(message)


def to_messages(message: dict[str, Any], choice: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **(choice or {})}
        ],
        "usage": {"prompt_tokens": 30, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 10}},
    }
    return cell(Format.ANTHROPIC, Format.CHAT, **body).response(answer)


def test_an_anthropic_message_becomes_a_whole_chat_completion() -> None:
    answer = to_chat(
        [{"type": "text", "text": "Hello"}],
        {"usage": {"input_tokens": 3, "output_tokens": 4, "service_tier": "standard"}},
    )
    assert isinstance(answer.pop("created"), int)
    assert answer == {
        "id": "msg_1",
        "object": "chat.completion",
        "model": "claude-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        "service_tier": "default",
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], {"content": ""}),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {"content": "ab"}),
        (
            [TOOL_USE],
            {"content": None, "tool_calls": [{**CALL, "id": "toolu_1"}]},
        ),
        (
            [THINKING, REDACTED, {"type": "text", "text": "x"}],
            {"content": "x", "reasoning_content": "Hm.", "thinking_blocks": [THINKING, REDACTED]},
        ),
        (
            [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                {"type": "text", "text": "It is "},
                {
                    "type": "text",
                    "text": "so.",
                    "citations": [
                        {"type": "web_search_result_location", "url": "u", "title": "T", "cited_text": "c"},
                        {"type": "char_location", "document_index": 0},
                    ],
                },
            ],
            {
                "content": "It is so.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "u", "title": "T", "start_index": 6, "end_index": 9},
                    }
                ],
                "citations": [
                    {"start_index": 6, "end_index": 9, "citation": {"type": "char_location", "document_index": 0}}
                ],
            },
        ),
    ],
)
def test_blocks_become_a_chat_message(content: list[Any], expected: dict[str, Any]) -> None:
    message = to_chat(content)["choices"][0]["message"]
    assert message == {"role": "assistant", "refusal": None, **expected}


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_stop_reasons_become_finish_reasons(stop_reason: str | None, finish_reason: str) -> None:
    answer = to_chat([{"type": "text", "text": "x"}], {"stop_reason": stop_reason})
    assert answer["choices"][0]["finish_reason"] == finish_reason


def test_a_tool_call_finishes_with_tool_calls() -> None:
    assert to_chat([TOOL_USE], {"stop_reason": "tool_use"})["choices"][0]["finish_reason"] == "tool_calls"


def test_the_matched_stop_sequence_and_the_reason_of_a_refusal_are_kept() -> None:
    choice = to_chat([], {"stop_reason": "stop_sequence", "stop_sequence": "END"})["choices"][0]
    assert choice["stop_reason"] == "END"
    choice = to_chat([], {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "No."}})[
        "choices"
    ][0]
    assert choice["message"]["refusal"] == "No."


def test_clients_of_the_old_kind_get_a_function_call() -> None:
    choice = to_chat([TOOL_USE], {"stop_reason": "tool_use"}, functions=[{"name": "f"}])["choices"][0]
    assert choice["message"]["function_call"] == CALL["function"]
    assert choice["finish_reason"] == "function_call"


def test_structured_output_of_older_models_arrives_as_text() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "f", "schema": {"type": "object"}}}
    choice = to_chat([TOOL_USE], {"stop_reason": "tool_use"}, response_format=schema)["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": '{"a":1}', "refusal": None}
    assert choice["finish_reason"] == "stop"


def test_a_chat_completion_becomes_a_whole_anthropic_message() -> None:
    assert to_messages({"content": "Hello"}) == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-x",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "output_tokens": 12,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 10,
        },
    }


TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": None}, [{"type": "text", "text": ""}]),
        (
            {"content": "x", "reasoning_content": "Hm."},
            [{"type": "thinking", "thinking": "Hm.", "signature": ""}, TEXT],
        ),
        ({"content": "x", "reasoning": "Hm."}, [{"type": "thinking", "thinking": "Hm.", "signature": ""}, TEXT]),
        (
            {"content": "x", "reasoning_content": "Hm.", "thinking_blocks": [THINKING, REDACTED]},
            [THINKING, REDACTED, TEXT],
        ),
        (
            {
                "content": "x",
                "reasoning": "Hm.",
                "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "c2ln"}],
            },
            [THINKING, TEXT],
        ),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "x"},
                ]
            },
            [{"type": "thinking", "thinking": "Hm.", "signature": ""}, TEXT],
        ),
        ({"content": "x", "tool_calls": [CALL]}, [TEXT, {**TOOL_USE, "id": "call_1"}]),
        (
            {"tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{broken"}}]},
            [{**TOOL_USE, "id": "call_1", "input": {}}],
        ),
        (
            {"tool_calls": [{**CALL, "function": {"name": "f", "arguments": {"a": 1}}}]},
            [{**TOOL_USE, "id": "call_1"}],
        ),
        ({"content": None, "refusal": "No."}, [{"type": "text", "text": "No."}]),
        (
            {
                "content": "It is so.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "u", "title": "T", "start_index": 6, "end_index": 9},
                    },
                    {"type": "other"},
                ],
            },
            [
                {
                    "type": "text",
                    "text": "It is so.",
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "url": "u",
                            "title": "T",
                            "cited_text": "so.",
                            "encrypted_index": "",
                        }
                    ],
                }
            ],
        ),
    ],
)
def test_a_chat_message_becomes_blocks(message: dict[str, Any], content: list[Any]) -> None:
    assert to_messages(message)["content"] == content


@pytest.mark.parametrize(
    ("message", "choice", "expected"),
    [
        ({"content": "x"}, {"finish_reason": "stop"}, ("end_turn", None)),
        ({"content": "x"}, {"finish_reason": "length"}, ("max_tokens", None)),
        ({"content": "x"}, {"finish_reason": "content_filter"}, ("refusal", None)),
        ({"content": "x"}, {"finish_reason": None}, ("end_turn", None)),
        ({"content": "x"}, {"finish_reason": "eos"}, ("end_turn", None)),
        ({"tool_calls": [CALL]}, {"finish_reason": "tool_calls"}, ("tool_use", None)),
        ({"tool_calls": [CALL]}, {"finish_reason": "stop"}, ("tool_use", None)),
        ({"function_call": CALL["function"]}, {"finish_reason": "function_call"}, ("tool_use", None)),
        ({"refusal": "No."}, {"finish_reason": "stop"}, ("refusal", None)),
        ({"content": "x"}, {"finish_reason": "stop", "stop_reason": "END"}, ("stop_sequence", "END")),
        ({"content": "x"}, {"finish_reason": "stop", "stop_reason": 128001}, ("end_turn", None)),
    ],
)
def test_finish_reasons_become_stop_reasons(
    message: dict[str, Any], choice: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    answer = to_messages(message, choice, stop_sequences=["END"])
    assert (answer["stop_reason"], answer["stop_sequence"]) == expected


def test_an_answer_without_id_model_and_usage_is_still_a_good_answer() -> None:
    answer = cell(Format.ANTHROPIC, Format.CHAT, "asked-for").response({"choices": [{"message": {"content": "x"}}]})
    assert answer["id"].startswith("msg_")
    assert answer["model"] == "asked-for"
    assert answer["usage"]["output_tokens"] == 0


def test_thinking_survives_a_trip_through_a_chat_client() -> None:
    content = [THINKING, REDACTED, {"type": "text", "text": "x"}, TOOL_USE]
    message = to_chat(content, {"stop_reason": "tool_use"})["choices"][0]["message"]
    history = [USER, message, {"role": "tool", "tool_call_id": "toolu_1", "content": "r"}]
    body = {"messages": history, "tools": [{"type": "function", "function": {"name": "f"}}], "reasoning_effort": "low"}
    context = Context(PROVIDERS["anthropic"], "claude-opus-4-1")
    request = translator(Format.CHAT, Format.ANTHROPIC, context).request(body)
    assert request["messages"][1] == {"role": "assistant", "content": content}
    assert request["thinking"]["type"] == "enabled"
    assert context.dropped == []


def test_a_messages_request_survives_a_trip_through_chat() -> None:
    body = {
        "model": "m",
        "system": "S",
        "messages": [{"role": "user", "content": "Hello!"}],
        "max_tokens": 128,
        "temperature": 0.7,
        "stop_sequences": ["END"],
    }
    there = translator(Format.ANTHROPIC, Format.CHAT, Context(PROVIDERS["openai"], "m")).request(body)
    assert there["max_completion_tokens"] == 128
    assert translator(Format.CHAT, Format.ANTHROPIC, Context(PROVIDERS["anthropic"], "m")).request(there) == body
