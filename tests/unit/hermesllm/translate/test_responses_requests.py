"""Requests of every cell with a Responses side: what is passed, mapped, refused and told as dropped."""

import copy
from typing import Any

import pytest

from hermesllm.errors import InvalidRequest, InvalidUpstreamResponse, Untranslatable
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from hermesllm.translate.responses_aggregate import response_in_stream
from tests.unit.hermesllm.translate.recorded_responses_streams import RESPONSES_STREAMS, USAGE

USER = {"role": "user", "content": "Hi"}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "ZGF0YQ"}
CODEX = "You are Codex, based on GPT-5. You are running as a coding agent in the Codex CLI on a user's computer."


def made(client: Format, upstream: Format, provider: str, model: str) -> tuple[Translator, Context]:
    context = Context(PROVIDERS[provider], model)
    return translator(client, upstream, context), context


def to_chat(body: dict[str, Any], provider: str = "groq", model: str = "m") -> tuple[dict[str, Any], list[str]]:
    cell, context = made(Format.RESPONSES, Format.CHAT, provider, model)
    return cell.request({"input": "Hi", **copy.deepcopy(body)}), context.dropped


def to_claude(body: dict[str, Any], model: str = "claude-opus-4-1") -> tuple[dict[str, Any], list[str]]:
    cell, context = made(Format.RESPONSES, Format.ANTHROPIC, "anthropic", model)
    return cell.request({"input": "Hi", **copy.deepcopy(body)}), context.dropped


def to_openai(client: Format, body: dict[str, Any], model: str = "gpt-5") -> tuple[dict[str, Any], list[str]]:
    cell, context = made(client, Format.RESPONSES, "openai", model)
    least: dict[str, Any] = {"input": "Hi"} if client is Format.RESPONSES else {"messages": [USER]}
    return cell.request({**least, **copy.deepcopy(body)}), context.dropped


FUNCTION_CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "r"}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "r"}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ("Hi", [USER]),
        (USER, [USER]),
        ([{"type": "message", **USER}], [USER]),
        ([{"role": "tool", "content": "x"}], [{"role": "user", "content": "x"}]),
        (
            [USER, {"type": "reasoning", "id": "rs_1", "summary": []}, FUNCTION_CALL, OUTPUT],
            [USER, {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}, RESULT],
        ),
        (
            [FUNCTION_CALL, {**FUNCTION_CALL, "call_id": "call_2"}, OUTPUT, {**OUTPUT, "call_id": "call_2"}],
            [
                {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL, {**CHAT_CALL, "id": "call_2"}]},
                RESULT,
                {**RESULT, "tool_call_id": "call_2"},
            ],
        ),
        # Text after calls belongs to the message whose results are still to come.
        (
            [FUNCTION_CALL, {"role": "assistant", "content": "Wait."}, OUTPUT],
            [{"role": "assistant", "content": "Wait.", "tool_calls": [CHAT_CALL]}, RESULT],
        ),
        (
            [
                USER,
                {"type": "custom_tool_call", "call_id": "call_1", "name": "shell", "input": "cargo test"},
                {"type": "custom_tool_call_output", "call_id": "call_1", "output": "r"},
            ],
            [
                USER,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "shell", "arguments": '{"input":"cargo test"}'},
                        }
                    ],
                },
                RESULT,
            ],
        ),
        (
            [
                {
                    "type": "local_shell_call",
                    "call_id": "call_1",
                    "status": "completed",
                    "action": {"type": "exec", "command": ["ls"]},
                },
                {"type": "local_shell_call_output", "id": "call_1", "output": "r"},
            ],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "local_shell", "arguments": '{"type":"exec","command":["ls"]}'},
                        }
                    ],
                },
                RESULT,
            ],
        ),
        (
            [USER, {"type": "function_call", "call_id": "call_1", "name": "f"}, OUTPUT],
            [USER, RESULT],
        ),
        ([{**OUTPUT, "output": {"a": 1}}], [{**RESULT, "content": '{"a":1}'}]),
    ],
)
def test_input_items_become_chat_messages(items: Any, messages: list[dict[str, Any]]) -> None:
    assert to_chat({"input": items})[0]["messages"] == messages


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"type": 7}]}, "input[0].type"),
        ({"input": [{"role": "oracle", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 7}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "input[0].content[0].type"),
        ({"input": [OUTPUT | {"call_id": 1}]}, "input[0].call_id"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "image_generation"}]}, "tools[0].type"),
        ({"tools": [{"type": "computer_use_preview"}]}, "tools[0].type"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "namespace"}]}]}, "tools[0].tools[0].type"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
    ],
)
@pytest.mark.parametrize("send", [to_chat, to_claude])
def test_what_cannot_be_sent_is_refused_with_its_path(send: Any, body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        send(body)
    assert caught.value.param == param
    assert caught.value.status == 400
    if isinstance(caught.value, Untranslatable):
        assert caught.value.remedy


def test_errors_behind_the_chat_shape_are_told_in_the_clients_paths() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}
    with pytest.raises(Untranslatable, match=r"^input\[1\]\.content\[0\]: ") as caught:
        to_claude({"instructions": "S", "input": [USER, {"role": "user", "content": [audio]}]})
    assert caught.value.param == "input[1].content[0].type"


def test_a_conversation_with_claude_survives_the_trip_through_a_responses_client() -> None:
    """What Claude answered comes back to it block by block: order, signatures, redacted thinking."""
    content = [
        THINKING,
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        REDACTED,
        {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
    ]
    cell, _ = made(Format.RESPONSES, Format.ANTHROPIC, "anthropic", "claude-opus-4-1")
    cell.request({"input": "Hi"})
    answer = cell.response({"content": content, "stop_reason": "tool_use", "usage": {}})
    request, dropped = to_claude({"input": [USER, *answer["output"], {**OUTPUT, "call_id": "toolu_1"}]})
    assert request["messages"][1] == {"role": "assistant", "content": content}
    assert dropped == []


def test_reasoning_of_openai_survives_the_trip_through_a_messages_client() -> None:
    reasoning = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAA:B=",
    }
    output = [reasoning, {**FUNCTION_CALL, "arguments": '{"a":1}'}]
    for client, replies in (
        (Format.ANTHROPIC, lambda answer: [{"role": "assistant", "content": answer["content"]}]),
        (Format.CHAT, lambda answer: [answer["choices"][0]["message"]]),
    ):
        cell, _ = made(client, Format.RESPONSES, "openai", "gpt-5")
        answer = cell.response({"output": output, "status": "completed", "usage": USAGE})
        request, dropped = to_openai(client, {"messages": [USER, *replies(answer)], "max_tokens": 99})
        call = {name: value for name, value in output[1].items() if name != "id"}
        assert request["input"][1:] == [reasoning, call]
        assert dropped == []


@pytest.mark.parametrize("secret", ["thinking.v1:c2ln", "redacted.v1:ZGF0YQ"])
def test_thinking_of_claude_is_not_sent_to_openai(secret: str) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": secret}
    request, dropped = to_openai(Format.RESPONSES, {"input": [USER, item]})
    assert request["input"] == [USER]
    assert dropped == ["input[1]"]


def test_signed_thinking_goes_back_to_claude_behind_openrouter() -> None:
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "thinking.v1:c2ln",
    }
    request, _ = to_chat({"input": [USER, item, FUNCTION_CALL]}, "openrouter", "anthropic/claude-sonnet-4.5")
    (detail,) = request["messages"][1]["reasoning_details"]
    assert (detail["type"], detail["text"], detail["signature"]) == ("reasoning.text", "Hm.", "c2ln")


@pytest.mark.parametrize("input_", ["Hi", USER, [USER]])
@pytest.mark.parametrize(
    ("instructions", "expected"), [(None, CODEX), ("Be brief.", f"{CODEX}\n\nBe brief."), (f"{CODEX} X", f"{CODEX} X")]
)
def test_a_chatgpt_subscription_gets_what_its_backend_wants(
    input_: Any, instructions: str | None, expected: str
) -> None:
    cell, _ = made(Format.RESPONSES, Format.RESPONSES, "chatgpt", "gpt-5.1-codex")
    body = {"input": input_, "instructions": instructions, "store": True, "stream": False, "max_output_tokens": 9}
    request = cell.request(dict(body))
    assert request.pop("instructions") == expected
    assert request == {"input": [USER], "store": False, "stream": True, "model": "gpt-5.1-codex"}
    again = cell.request({**request, "instructions": expected})
    assert again["instructions"] == expected


@pytest.mark.parametrize("name", ["text", "reasoning, then text", "interleaved calls", "empty output at the end"])
def test_a_stream_becomes_the_answer_it_gave(name: str) -> None:
    response = response_in_stream(RESPONSES_STREAMS[name])
    assert response["status"] == "completed"
    assert response["output"]
    assert response["usage"] == USAGE


@pytest.mark.parametrize(
    ("name", "status"), [("failed", 429), ("error event", 500), ("error at once", 400), ("cut", 502), ("nothing", 502)]
)
def test_a_stream_without_an_answer_is_an_error(name: str, status: int) -> None:
    with pytest.raises(InvalidUpstreamResponse) as caught:
        response_in_stream(RESPONSES_STREAMS[name])
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("client", "body", "dropped"),
    [
        (Format.CHAT, {"stop": "x", "seed": 1}, ["stop", "seed"]),
        (Format.ANTHROPIC, {"stop_sequences": ["a", "b"]}, ["stop_sequences[0]", "stop_sequences[1]"]),
        (
            Format.ANTHROPIC,
            {"messages": [USER, {"role": "assistant", "content": [THINKING]}]},
            ["messages[1].content[0]"],
        ),
    ],
)
def test_what_responses_has_no_word_for_is_told(client: Format, body: dict[str, Any], dropped: list[str]) -> None:
    assert to_openai(client, body)[1] == dropped


def test_the_smallest_limit_of_the_responses_api_is_kept() -> None:
    assert to_openai(Format.ANTHROPIC, {"max_tokens": 1})[0]["max_output_tokens"] == 16
    assert to_openai(Format.CHAT, {"max_tokens": 500})[0]["max_output_tokens"] == 500


@pytest.mark.parametrize(
    ("model", "asked"), [("gpt-5", True), ("o3", True), ("gpt-4o", False), ("gpt-5-chat-latest", False)]
)
def test_only_reasoning_models_are_asked_for_their_secret(model: str, asked: bool) -> None:
    request, _ = to_openai(Format.CHAT, {}, model)
    assert ("include" in request) is asked
    assert request["store"] is False
