"""JSON answers of Amazon Bedrock, for both clients."""

from typing import Any

import orjson
import pytest

from hermesllm.errors import GatewayError, InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from tests.unit.hermesllm.translate.converse_answers import CITATION, USAGE, WEB_CITATION, answer, tool_use
from tests.unit.hermesllm.translate.converse_requests import CLAUDE, NOVA, USER

HELLO = {"text": "Hello"}


def cell(client: Format, *, model: str = CLAUDE, **members: Any) -> Translator:
    made = translator(client, Format.CONVERSE, Context(PROVIDERS["amazon_bedrock"], model))
    made.request({"model": "x", "max_tokens": 9, "messages": [USER], **members})
    return made


def message(body: Any, **members: Any) -> dict[str, Any]:
    return cell(Format.ANTHROPIC, **members).response(body)


def completion(body: Any, **members: Any) -> dict[str, Any]:
    return cell(Format.CHAT, **members).response(body)


def said(body: Any, **members: Any) -> dict[str, Any]:
    found: dict[str, Any] = completion(body, **members)["choices"][0]["message"]
    return found


def test_a_plain_answer_for_a_messages_client() -> None:
    made = message(answer(HELLO))
    assert made.pop("id").startswith("msg_")
    assert made == {
        "type": "message",
        "role": "assistant",
        "model": CLAUDE,
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 30,
            "output_tokens": 12,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 20,
        },
    }


def test_a_plain_answer_for_a_chat_client() -> None:
    made = completion(answer(HELLO))
    assert made.pop("id").startswith("chatcmpl-")
    assert made.pop("created") > 1_700_000_000
    assert made == {
        "object": "chat.completion",
        "model": CLAUDE,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 55,
            "completion_tokens": 12,
            "total_tokens": 67,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5},
            "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 5,
        },
    }


@pytest.mark.parametrize(
    ("reason", "for_messages", "for_chat"),
    [
        ("end_turn", "end_turn", "stop"),
        ("tool_use", "tool_use", "tool_calls"),
        ("max_tokens", "max_tokens", "length"),
        ("stop_sequence", "stop_sequence", "stop"),
        ("guardrail_intervened", "refusal", "content_filter"),
        ("content_filtered", "refusal", "content_filter"),
        ("model_context_window_exceeded", "max_tokens", "length"),
        ("malformed_tool_use", "end_turn", "stop"),
        ("something_new", "end_turn", "stop"),
    ],
)
def test_stop_reasons(reason: str, for_messages: str, for_chat: str) -> None:
    content = [HELLO, tool_use("t", "f")] if reason == "tool_use" else [HELLO]
    assert message(answer(*content, stop=reason))["stop_reason"] == for_messages
    assert completion(answer(*content, stop=reason))["choices"][0]["finish_reason"] == for_chat


def test_the_stop_sequence_is_told_where_the_model_tells_it() -> None:
    body = answer(HELLO, stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})
    assert message(body)["stop_sequence"] == "END"
    assert completion(body)["choices"][0]["stop_reason"] == "END"


def test_calls_keep_order_ids_names_and_arguments() -> None:
    body = answer({"text": "First. "}, tool_use("a", "f", {"city": "Köln"}), {"text": "Second."}, tool_use("b", "g"))
    assert message(body)["stop_reason"] == "tool_use"
    assert message(body)["content"] == [
        {"type": "text", "text": "First. "},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"city": "Köln"}},
        {"type": "text", "text": "Second."},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    made = said(body)
    assert made["content"] == "First. Second."
    assert [call["id"] for call in made["tool_calls"]] == ["a", "b"]
    assert orjson.loads(made["tool_calls"][0]["function"]["arguments"]) == {"city": "Köln"}
    assert said(answer(tool_use("a", "f"), stop="tool_use"))["content"] is None


def test_a_shortened_name_is_the_clients_again() -> None:
    name = "mcp__" + "long_server_name__" * 5
    made = cell(Format.ANTHROPIC, tools=[{"name": name, "input_schema": {}}])
    request = cell(Format.ANTHROPIC, tools=[{"name": name, "input_schema": {}}]).request(
        {"messages": [USER], "tools": [{"name": name, "input_schema": {}}]}
    )
    short = request["toolConfig"]["tools"][0]["toolSpec"]["name"]
    assert short != name
    assert made.response(answer(tool_use("a", short)))["content"][0]["name"] == name


def test_thinking_comes_with_its_signature() -> None:
    body = answer(
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        HELLO,
    )
    thinking = [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
    ]
    assert message(body)["content"][:2] == thinking
    made = said(body)
    assert (made["content"], made["reasoning_content"], made["thinking_blocks"]) == ("Hello", "Hm", thinking)


def test_an_answer_that_goes_back_as_history_is_what_bedrock_said() -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"citationsContent": {"content": [{"text": "Green"}], "citations": [CITATION]}},
        HELLO,
        tool_use("a", "f", {"x": [1, {"y": None}]}),
    ]
    made = message(answer(*content))
    turn = {"role": "assistant", "content": made["content"]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "r"}]}
    request = cell(Format.ANTHROPIC).request({"max_tokens": 9, "messages": [USER, turn, result]})
    assert request["messages"][1]["content"] == content
    plain = [content[0], content[1], HELLO, content[4]]
    turn = completion(answer(*plain))["choices"][0]["message"]
    history = [USER, turn, {"role": "tool", "tool_call_id": "a", "content": "r"}]
    assert cell(Format.CHAT).request({"messages": history})["messages"][1]["content"] == plain


def test_citations() -> None:
    body = answer({"citationsContent": {"content": [{"text": "Green"}], "citations": [CITATION, WEB_CITATION]}})
    assert message(body)["content"] == [
        {
            "type": "text",
            "text": "Green",
            "citations": [
                {
                    "type": "char_location",
                    "cited_text": "green",
                    "document_index": 0,
                    "document_title": "T",
                    "start_char_index": 1,
                    "end_char_index": 6,
                },
                {
                    "type": "web_search_result_location",
                    "cited_text": "x",
                    "url": "https://a/b",
                    "title": "W",
                    "encrypted_index": "",
                },
            ],
        }
    ]
    made = said(body)
    assert made["annotations"][0]["url_citation"]["url"] == "https://a/b"
    assert made["citations"][0]["citation"]["type"] == "char_location"


def test_what_bedrocks_own_tools_found_and_other_blocks() -> None:
    body = answer(
        {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "s", "content": [{"text": "72°F"}, {"json": {"a": 1}}], "status": "success"}},
        {"guardContent": {"text": {"text": "Guarded."}}},
        {"image": {"format": "png", "source": {"bytes": "QQ=="}}},
        {"somethingNew": {}},
    )
    made = message(body)
    assert made["stop_reason"] == "end_turn"
    assert [block["type"] for block in made["content"]] == ["server_tool_use", "tool_result", "text", "image"]
    found = [{"type": "text", "text": "72°F"}, {"type": "text", "text": '{"a":1}'}]
    assert made["content"][1] == {"type": "tool_result", "tool_use_id": "s", "content": found, "is_error": False}
    chat = said(body)
    assert chat["content"] == '72°F{"a":1}Guarded.'
    assert chat["images"][0]["image_url"]["url"] == "data:image/png;base64,QQ=="
    assert "tool_calls" not in chat


def test_the_structured_answer_of_the_forced_tool_is_text() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    body = answer(tool_use("t", "answer", {"n": 3}), stop="tool_use")
    chat_format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    made = completion(body, model=NOVA, response_format=chat_format)["choices"][0]
    assert (made["message"]["content"], made["finish_reason"]) == ('{"n":3}', "stop")
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    answered = message(body, model=NOVA, output_config=wanted)
    assert (answered["content"], answered["stop_reason"]) == ([{"type": "text", "text": '{"n":3}'}], "end_turn")


def test_the_model_of_a_prompt_router_the_tier_and_cache_lifetimes() -> None:
    details = [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 1}]
    body = answer(
        HELLO,
        trace={"promptRouter": {"invokedModelId": "anthropic.claude-3-sonnet-20240229-v1:0"}},
        serviceTier={"type": "priority"},
        usage={**USAGE, "cacheDetails": details},
    )
    made = message(body)
    assert made["model"] == "anthropic.claude-3-sonnet-20240229-v1:0"
    assert made["usage"]["cache_creation"] == {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 4}
    assert made["usage"]["service_tier"] == "priority"
    chat = completion(body)
    assert (chat["model"], chat["service_tier"]) == (made["model"], "priority")


def test_the_role_is_copied_and_an_empty_answer_has_one_empty_text() -> None:
    body = {"output": {"message": {"role": "user", "content": []}}}
    assert message(body)["role"] == said(body)["role"] == "user"
    assert message(body)["content"] == [{"type": "text", "text": ""}]
    assert said(body)["content"] == ""


@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
@pytest.mark.parametrize("body", [None, [], "x", {}, {"output": None}, {"output": {"message": {"content": "x"}}}])
def test_what_is_no_answer_is_the_providers_fault(client: Format, body: Any) -> None:
    with pytest.raises(InvalidUpstreamResponse):
        cell(client).response(body)


@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
def test_an_error_with_status_200_keeps_its_words(client: Format) -> None:
    with pytest.raises(GatewayError, match="Model is getting ready"):
        cell(client).response({"message": "Model is getting ready"})


@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
def test_a_json_answer_can_be_sent_as_a_stream(client: Format) -> None:
    stream = cell(client, stream=True).response_as_stream(answer(HELLO))
    assert b"Hello" in stream
    assert stream.endswith(b"data: [DONE]\n\n" if client is Format.CHAT else b'data: {"type":"message_stop"}\n\n')
