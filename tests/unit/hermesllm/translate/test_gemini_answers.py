"""Gemini's JSON answers for both clients, and what of a turn survives the way there and back."""

from typing import Any

import pytest

from hermesllm.error_bodies import read_upstream_error
from hermesllm.errors import InvalidUpstreamResponse
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.unit.hermesllm.translate.recorded_gemini_streams import CITED, ERROR, GROUNDING, answer, call, text, thought
from tests.unit.hermesllm.translate.recorded_streams import sse
from tests.unit.hermesllm.translate.test_streams import events

USER = {"role": "user", "content": "Hi"}
MODEL = "gemini-3-pro-preview"


def answered(client: Format, body: Any, **members: Any) -> dict[str, Any]:
    cell = translator(client, Format.GEMINI, Context(PROVIDERS["vertex"], MODEL))
    cell.request({"messages": [USER], "max_tokens": 9, **members})
    return cell.response(body)


def to_chat(*parts: Any, finish: str = "STOP", **candidate: Any) -> Any:
    return answered(Format.CHAT, answer(*parts, finish=finish, candidate=candidate))["choices"][0]


def to_anthropic(*parts: Any, finish: str = "STOP", **candidate: Any) -> dict[str, Any]:
    return answered(Format.ANTHROPIC, answer(*parts, finish=finish, candidate=candidate))


def test_a_whole_chat_completion() -> None:
    completion = answered(Format.CHAT, answer(text("Hello"), finish="STOP"))
    assert isinstance(completion.pop("created"), int)
    assert completion == {
        "id": "resp-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 12,
            "total_tokens": 42,
            "prompt_tokens_details": {"cached_tokens": 10},
            "cache_read_input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }


def test_a_whole_message() -> None:
    assert to_anthropic(text("Hello")) == {
        "id": "resp-1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "output_tokens": 12,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 10,
            "output_tokens_details": {"thinking_tokens": 4},
        },
    }


TURNS = {
    "text": [text("Hello")],
    "signed text": [text("Hello", "dHh0")],
    "text, signed at the end of a stream": [text("Hello"), text("", "dHh0")],
    "thought, text": [thought("Hm."), text("Hello")],
    "signed thought, text": [thought("Hm.", "dGg="), text("Hello", "dHh0")],
    "two signed thoughts": [thought("Hm.", "dGg="), thought("So.", "c28="), text("Hello")],
    "thought, call": [thought("Hm."), call("f", {"a": [1]}, "c2ln", "id-1")],
    "parallel calls": [text("See."), call("f", {"a": 1}, "c2ln", "id-1"), call("g", {}, "", "id-2")],
    "calls that are all signed": [call("f", {}, "c2ln", "id-1"), call("g", {}, "bmV4dA==", "id-2")],
    "an image": [text("Here:"), {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}],
}


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_turn_survives_the_way_through_a_client(name: str, client: Format, streamed: bool) -> None:
    """Exactly: the same parts in the same order, with the same signatures."""
    parts = TURNS[name]
    if streamed:
        from tests.unit.hermesllm.translate.gemini_sdks import read_stream

        said = read_stream(client, *[answer(part) for part in parts], answer(finish="STOP"))
    elif client is Format.CHAT:
        said = to_chat(*parts)["message"]
    else:
        said = {"role": "assistant", "content": to_anthropic(*parts)["content"]}
    context = Context(PROVIDERS["vertex"], MODEL)
    history = [USER, said]
    request = translator(client, Format.GEMINI, context).request({"messages": history, "max_tokens": 9})
    assert context.dropped == []
    expected = parts
    if client is Format.CHAT and name.startswith("text, signed"):
        expected = [text("Hello", "dHh0")]  # a Chat message has one signature for all of its text
    assert request["contents"][1] == {"role": "model", "parts": expected}


# A Responses message has one signature for all of its text, and no place for an image.
THROUGH_RESPONSES = {name: parts for name, parts in TURNS.items() if name != "an image"} | {
    "signed text, call": [text("See.", "dHh0"), call("f", {"a": 1}, "c2ln", "id-1")],
}


@pytest.mark.parametrize("name", THROUGH_RESPONSES)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_turn_survives_the_way_through_a_responses_client(name: str, streamed: bool) -> None:
    parts = THROUGH_RESPONSES[name]
    cell = translator(Format.RESPONSES, Format.GEMINI, Context(PROVIDERS["vertex"], MODEL))
    cell.request({"input": "Hi"})
    if streamed:
        reader = cell.stream()
        sent = sse(*(answer(part) for part in parts), answer(finish="STOP"))
        said = events(reader.decode(sent) + reader.flush())[-1]["response"]["output"]
    else:
        said = cell.response(answer(*parts, finish="STOP"))["output"]
    context = Context(PROVIDERS["vertex"], MODEL)
    request = translator(Format.RESPONSES, Format.GEMINI, context).request({"input": [USER, *said]})
    assert context.dropped == []
    expected = [text("Hello", "dHh0")] if name.startswith("text, signed") else parts
    assert request["contents"][1] == {"role": "model", "parts": expected}


def test_a_signed_text_is_signed_in_the_event_that_ends_its_message() -> None:
    cell = translator(Format.RESPONSES, Format.GEMINI, Context(PROVIDERS["vertex"], MODEL))
    cell.request({"input": "Hi"})
    reader = cell.stream()
    found = events(reader.decode(sse(answer(text("Hello")), answer(text("", "dHh0"), finish="STOP"))) + reader.flush())
    (item,) = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert item["extra_content"] == {"google": {"thought_signature": "dHh0"}}


@pytest.mark.parametrize("signed", ["function_call", "message"])
def test_geminis_signatures_are_not_sent_to_openai(signed: str) -> None:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
    called = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    item = message if signed == "message" else called
    extra = {"extra_content": {"google": {"thought_signature": "dHh0"}}}
    context = Context(PROVIDERS["openai"], "gpt-5")
    request = translator(Format.RESPONSES, Format.RESPONSES, context).request({"input": [USER, {**item, **extra}]})
    assert request["input"] == [USER, item]
    assert context.dropped == ["input[1].extra_content"]


@pytest.mark.parametrize(
    ("finish", "chat", "anthropic"),
    [
        ("STOP", {"finish_reason": "stop"}, "end_turn"),
        ("MAX_TOKENS", {"finish_reason": "length"}, "max_tokens"),
        ("SAFETY", {"finish_reason": "content_filter", "native_finish_reason": "SAFETY"}, "refusal"),
        ("RECITATION", {"finish_reason": "content_filter", "native_finish_reason": "RECITATION"}, "refusal"),
        ("BLOCKLIST", {"finish_reason": "content_filter", "native_finish_reason": "BLOCKLIST"}, "refusal"),
        ("PROHIBITED_CONTENT", {"finish_reason": "content_filter"}, "refusal"),
        ("SPII", {"finish_reason": "content_filter"}, "refusal"),
        ("LANGUAGE", {"finish_reason": "content_filter"}, "refusal"),
        ("MALFORMED_FUNCTION_CALL", {"finish_reason": "stop"}, "end_turn"),
        ("OTHER", {"finish_reason": "stop", "native_finish_reason": "OTHER"}, "end_turn"),
        ("", {"finish_reason": "stop"}, "end_turn"),
        ("FINISH_REASON_UNSPECIFIED", {"finish_reason": "stop"}, "end_turn"),
    ],
)
def test_every_finish_reason_of_an_answer_has_its_word(finish: str, chat: dict[str, Any], anthropic: str) -> None:
    choice = to_chat(text("So"), finish=finish)
    assert choice == {**choice, **chat}
    assert to_anthropic(text("So"), finish=finish)["stop_reason"] == anthropic


def test_calls_end_a_turn_though_gemini_says_stop() -> None:
    assert to_chat(call("f", {}))["finish_reason"] == "tool_calls"
    assert to_anthropic(call("f", {}))["stop_reason"] == "tool_use"


def test_calls_without_an_id_get_one() -> None:
    (one, two) = to_chat(call("f", {"a": 1}), call("f", {"a": 2}))["message"]["tool_calls"]
    assert one["id"] != two["id"]
    assert one["function"] == {"name": "f", "arguments": '{"a":1}'}


def test_an_id_that_anthropic_clients_would_refuse_is_changed() -> None:
    (block,) = to_anthropic(call("f", {}, "", "fc:1/2"))["content"]
    assert block["id"] == "fc_1_2"


@pytest.mark.parametrize(
    ("reason", "code"),
    [("MALFORMED_FUNCTION_CALL", "malformed_function_call"), ("OTHER", "other"), ("OF_THE_FUTURE", "of_the_future")],
)
@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
def test_a_model_that_gave_up_without_a_word_is_an_error(client: Format, reason: str, code: str) -> None:
    with pytest.raises(InvalidUpstreamResponse, match=reason) as caught:
        answered(client, answer(finish=reason))
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_blocked_prompt_is_a_refusal() -> None:
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}
    completion = answered(Format.CHAT, body)
    (choice,) = completion["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"] == {"role": "assistant", "content": None, "refusal": "Gemini blocked the prompt: SAFETY"}
    assert completion["usage"]["prompt_tokens"] == 3
    message = answered(Format.ANTHROPIC, body)
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"]["explanation"] == "Gemini blocked the prompt: SAFETY"
    assert message["content"] == [{"type": "text", "text": ""}]


def test_a_filtered_answer_says_why() -> None:
    assert to_chat(finish="SAFETY", finishMessage="Not this.")["message"]["refusal"] == "Not this."
    assert to_anthropic(finish="SAFETY", finishMessage="Not this.")["stop_details"]["explanation"] == "Not this."


@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
@pytest.mark.parametrize("body", [{}, {"candidates": []}, {"candidates": "x"}, {"promptFeedback": {}}])
def test_an_answer_without_candidates_is_none(client: Format, body: Any) -> None:
    with pytest.raises(InvalidUpstreamResponse):
        answered(client, body)


def test_several_candidates_are_several_choices() -> None:
    body = answer(text("One"), finish="STOP")
    body["candidates"].append({"index": 1, "content": {"parts": [text("Two")]}, "finishReason": "MAX_TOKENS"})
    choices = answered(Format.CHAT, body, n=2)["choices"]
    assert [(each["index"], each["message"]["content"], each["finish_reason"]) for each in choices] == [
        (0, "One", "stop"),
        (1, "Two", "length"),
    ]


def test_the_old_functions_member_gets_the_old_function_call() -> None:
    completion = answered(Format.CHAT, answer(call("f", {"a": 1}), finish="STOP"), functions=[{"name": "f"}])
    (choice,) = completion["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert choice["finish_reason"] == "function_call"


def test_grounding_becomes_annotations_and_citations() -> None:
    message = to_chat(text(CITED), groundingMetadata=GROUNDING)["message"]
    first, second = message["annotations"]
    assert first["url_citation"] == {
        "url": "https://example.com/a",
        "title": "uefa.com",
        "start_index": 0,
        "end_index": 19,
    }
    assert second["url_citation"]["url"] == "https://example.com/b"
    assert message["grounding_metadata"] == GROUNDING
    (block,) = to_anthropic(text(CITED), groundingMetadata=GROUNDING)["content"]
    assert block["citations"][0] == {
        "type": "web_search_result_location",
        "url": "https://example.com/a",
        "title": "uefa.com",
        "cited_text": "Spain won Euro 2024",
        "encrypted_index": "",
    }


def test_segments_are_counted_in_bytes_and_annotations_in_characters() -> None:
    support = {"segment": {"startIndex": 8, "endIndex": 12}, "groundingChunkIndices": [0]}
    metadata = {"groundingChunks": [{"web": {"uri": "u"}}], "groundingSupports": [support]}
    (found,) = to_chat(text("Grüße, Köln"), groundingMetadata=metadata)["message"]["annotations"]
    assert (found["url_citation"]["start_index"], found["url_citation"]["end_index"]) == (6, 9)


def test_recitations_are_citations_too() -> None:
    citations = [{"startIndex": 0, "endIndex": 2, "uri": "https://example.com/c", "license": "mit"}]
    (found,) = to_chat(text("So it is"), citationMetadata={"citations": citations})["message"]["annotations"]
    assert found["url_citation"]["url"] == "https://example.com/c"


def test_log_probabilities_are_translated() -> None:
    result = {
        "chosenCandidates": [{"token": "Hé", "tokenId": 1, "logProbability": -0.1}],
        "topCandidates": [{"candidates": [{"token": "Hé", "logProbability": -0.1}, {"token": "Ha"}]}],
    }
    logprobs = to_chat(text("Hé"), logprobsResult=result)["logprobs"]
    assert logprobs == {
        "content": [
            {
                "token": "Hé",
                "logprob": -0.1,
                "bytes": [72, 195, 169],
                "top_logprobs": [
                    {"token": "Hé", "logprob": -0.1, "bytes": [72, 195, 169]},
                    {"token": "Ha", "logprob": 0.0, "bytes": [72, 97]},
                ],
            }
        ],
        "refusal": None,
    }


def test_code_that_google_ran_is_shown() -> None:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "print(2)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "boom"}},
    ]
    assert to_chat(*parts)["message"]["content"] == "\n```python\nprint(2)\n```\n\n```\nboom\n```\n"
    use, result = to_anthropic(*parts)["content"]
    assert (use["type"], use["name"], use["input"]) == ("server_tool_use", "code_execution", {"code": "print(2)"})
    assert result["tool_use_id"] == use["id"]
    assert (result["content"]["return_code"], result["content"]["stderr"]) == (1, "boom")
    assistant = {"role": "assistant", "content": [use, result]}
    cell = translator(Format.ANTHROPIC, Format.GEMINI, Context(PROVIDERS["vertex"], MODEL))
    assert cell.request({"messages": [USER, assistant], "max_tokens": 9})["contents"][1]["parts"] == parts


def test_google_errors_keep_their_words() -> None:
    body = b"""[{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "contents[0]"}]}]}}]"""
    report = read_upstream_error(Format.GEMINI, 400, "application/json", body)
    assert report.message == "API key not valid. (API_KEY_INVALID)"
    assert (report.status, report.code, report.param) == (400, "INVALID_ARGUMENT", "contents[0]")


@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
def test_an_error_with_status_200_is_an_error(client: Format) -> None:
    with pytest.raises(InvalidUpstreamResponse, match="overloaded") as caught:
        answered(client, ERROR)
    assert (caught.value.status, caught.value.code) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("upstream", [Format.ANTHROPIC])
@pytest.mark.parametrize("client", [Format.CHAT, Format.ANTHROPIC])
def test_geminis_secrets_never_reach_claude(client: Format, upstream: Format) -> None:
    parts = [thought("Hm.", "dGg="), text("Hello", "dHh0"), call("f", {}, "c2ln", "id-1")]
    said = {"role": "assistant", "content": to_anthropic(*parts)["content"]}
    if client is Format.CHAT:
        said = to_chat(*parts)["message"]
    cell = translator(client, upstream, Context(PROVIDERS["anthropic"], "claude-opus-4-1"))
    request = cell.request({"messages": [USER, said], "max_tokens": 9})
    blocks = request["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["text", "tool_use"]
