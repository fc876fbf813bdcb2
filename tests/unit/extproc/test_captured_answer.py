"""What is read of answers: every client's format, whole and streamed, cut anywhere, and never more than is wanted."""

import json
import logging
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.captured_answer import WHOLE_LIMIT, CapturedAnswer, captured_answer
from hermesllm.formats import Format
from hermesllm.sse import EVENT_LIMIT

SHAPES = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES, Format.COMPLETIONS)
ARGUMENTS = {"city": "Köln", "days": [1, 2]}
TEXT = 'Grüße 🦀 "quoted"\n'
CALL = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": ARGUMENTS}
SAID = {"type": "text", "content": TEXT}


def answer(parts: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    return {"role": "assistant", "parts": parts, "finish_reason": reason}


def captured(shape: Format, pieces: list[bytes], *, stream: bool, limit: int = 10_000) -> str:
    """What is told of an answer in these pieces."""
    reading = CapturedAnswer(shape, limit, stream=stream)
    told = [reading.take(piece, end=False) for piece in pieces] + [reading.take(b"", end=True)]
    found = [each["answered"] for each in told if each is not None]
    assert len(found) < 2
    return found[0] if found else ""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stream_is_told_with_its_last_event_as_its_client_may_leave_then(shape: Format) -> None:
    reading = CapturedAnswer(shape, 1000, stream=True)
    assert reading.take(STREAMS[shape][:-5], end=False) is None
    assert json.loads((reading.take(STREAMS[shape][-5:], end=False) or {})["answered"]) == READ[shape]
    assert reading.take(STREAMS[shape], end=False) is None
    assert reading.take(b"", end=True) is None


def whole(shape: Format, document: Any, limit: int = 10_000) -> Any:
    text = captured(shape, [json.dumps(document).encode()], stream=False, limit=limit)
    return json.loads(text) if text else None


def events(*documents: dict[str, Any]) -> bytes:
    return b"".join(f"event: {each.get('type', '')}\ndata: {json.dumps(each)}\n\n".encode() for each in documents)


ENCODED = json.dumps(ARGUMENTS)
WHOLE: dict[Format, dict[str, Any]] = {
    Format.CHAT: {
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": TEXT,
                    "reasoning_content": "hidden",
                    "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": ENCODED}}],
                },
            }
        ]
    },
    Format.ANTHROPIC: {
        "type": "message",
        "content": [
            {"type": "thinking", "thinking": "hidden"},
            {"type": "text", "text": TEXT},
            {"type": "tool_use", "id": "c1", "name": "weather", "input": ARGUMENTS},
        ],
        "stop_reason": "tool_use",
    },
    Format.RESPONSES: {
        "status": "completed",
        "output": [
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hidden"}]},
            {"type": "message", "content": [{"type": "output_text", "text": TEXT}]},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": ENCODED},
        ],
    },
    Format.COMPLETIONS: {"choices": [{"index": 0, "text": TEXT, "finish_reason": "stop"}]},
}  # fmt: skip


def chat(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def item(position: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": position, "item": {"type": kind, **more}}


def block(index: int, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": more}


def block_delta(index: int, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": more}


STREAMS: dict[Format, bytes] = {
    Format.CHAT: events(
        chat({"role": "assistant", "content": ""}),
        chat({"reasoning_content": "hidden"}),
        chat({"content": TEXT[:5]}),
        chat({"content": TEXT[5:]}),
        chat({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "weather", "arguments": ""}}]}),
        chat({"tool_calls": [{"index": 0, "function": {"arguments": ENCODED[:9]}}]}),
        chat({"tool_calls": [{"index": 0, "id": "c1", "function": {"arguments": ENCODED[9:]}}]}),
        chat({}, "tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 1}},
    )
    + b"data: [DONE]\n\n",
    Format.ANTHROPIC: events(
        {"type": "message_start", "message": {"content": [], "stop_reason": None}},
        block(0, type="thinking", thinking=""),
        block_delta(0, type="thinking_delta", thinking="hidden"),
        block(1, type="text", text=""),
        block_delta(1, type="text_delta", text=TEXT[:5]),
        {"type": "ping"},
        block_delta(1, type="text_delta", text=TEXT[5:]),
        block(2, type="tool_use", id="c1", name="weather", input={}),
        block_delta(2, type="input_json_delta", partial_json=""),
        block_delta(2, type="input_json_delta", partial_json=ENCODED[:9]),
        block_delta(2, type="input_json_delta", partial_json=ENCODED[9:]),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    ),
    Format.RESPONSES: events(
        {"type": "response.created", "response": {"status": "in_progress", "output": []}},
        item(0, "reasoning"),
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hidden"},
        item(1, "message", content=[]),
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": TEXT[:5]},
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": TEXT[5:]},
        {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": TEXT},
        item(2, "function_call", call_id="c1", name="weather", arguments=""),
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": ENCODED[:9]},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": ENCODED[9:]},
        {"type": "response.output_item.done", "output_index": 2, "item": WHOLE[Format.RESPONSES]["output"][2]},
        {"type": "response.completed", "response": WHOLE[Format.RESPONSES]},
    ),
    Format.COMPLETIONS: events(
        {"choices": [{"index": 0, "text": TEXT[:5], "finish_reason": None}]},
        {"choices": [{"index": 0, "text": TEXT[5:], "finish_reason": "stop"}]},
    )
    + b"data: [DONE]\n\n",
}
READ = {shape: [answer([SAID, CALL], "tool_call")] for shape in SHAPES} | {Format.COMPLETIONS: [answer([SAID], "stop")]}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_is_told_the_same_whole_or_streamed_and_without_what_the_model_thought(shape: Format) -> None:
    assert whole(shape, WHOLE[shape]) == READ[shape]
    assert json.loads(captured(shape, [STREAMS[shape]], stream=True)) == READ[shape]


@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_does_not_matter_how_the_bytes_are_cut(shape: Format, size: int) -> None:
    for stream, data in ((True, STREAMS[shape]), (False, json.dumps(WHOLE[shape]).encode())):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert json.loads(captured(shape, pieces, stream=stream)) == READ[shape]


def test_each_choice_is_a_message() -> None:
    choices = [{"index": index, "message": {"content": text}} for index, text in ((1, "b"), (0, "a"))]
    choices[0]["finish_reason"] = "length"
    expected = [
        answer([{"type": "text", "content": "a"}], "unknown"),
        answer([{"type": "text", "content": "b"}], "length"),
    ]
    assert whole(Format.CHAT, {"choices": choices}) == expected
    pieces = [chat({"content": "x"})["choices"][0] | {"index": index} for index in (0, 1, 0)]
    streamed = json.loads(captured(Format.CHAT, [events({"choices": [each]}) for each in pieces], stream=True))
    assert [each["parts"][0]["content"] for each in streamed] == ["xx", "x"]


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"refusal": "no"}, [{"type": "text", "content": "no"}]),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
         [{"type": "text", "content": "ab"}]),
        ({"function_call": {"name": "f", "arguments": "{}"}},
         [{"type": "tool_call", "id": "", "name": "f", "arguments": {}}]),
        ({"tool_calls": [{"id": "1", "custom": {"name": "f", "input": "ls -l"}}]},
         [{"type": "tool_call", "id": "1", "name": "f", "arguments": "ls -l"}]),
        ({"tool_calls": [{"id": "1", "function": {"name": "f"}}, {"id": "2", "function": {"name": "g"}}]},
         [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}},
          {"type": "tool_call", "id": "2", "name": "g", "arguments": {}}]),
        ({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f"}},
                         {"index": 0, "id": "2", "function": {"name": "g"}}]},
         [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}},
          {"type": "tool_call", "id": "2", "name": "g", "arguments": {}}]),
        ({"content": None}, []),
    ],
)  # fmt: skip
def test_what_chat_answers_with_beside_plain_text(message: Any, parts: Any) -> None:
    found = whole(Format.CHAT, {"choices": [{"message": message, "finish_reason": "stop"}]})
    assert found == [answer(parts, "stop")]


@pytest.mark.parametrize(
    ("shape", "document", "reason"),
    [
        (Format.CHAT, {"choices": [{"finish_reason": "content_filter"}]}, "content_filter"),
        (Format.CHAT, {"choices": [{"finish_reason": "Weird reason \x00" * 99}]}, "unknown"),
        (Format.ANTHROPIC, {"stop_reason": "end_turn"}, "stop"),
        (Format.ANTHROPIC, {"stop_reason": "max_tokens"}, "length"),
        (Format.ANTHROPIC, {"stop_reason": "refusal"}, "content_filter"),
        (Format.ANTHROPIC, {"stop_reason": "pause_turn"}, "pause_turn"),
        (Format.RESPONSES, {"status": "completed"}, "stop"),
        (Format.RESPONSES, {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        (Format.RESPONSES, {"status": "failed"}, "error"),
    ],
)
def test_reasons_are_those_of_the_conventions(shape: Format, document: Any, reason: str) -> None:
    assert whole(shape, document) == [answer([], reason)]


def test_nothing_is_told_of_what_is_no_answer() -> None:
    for body in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"error":{"message":"x"}}', b'{"choices":"none"}'):
        for shape in SHAPES:
            assert captured(shape, [body], stream=False) == ""
            assert captured(shape, [b"data: " + body + b"\n\n"], stream=True) == ""


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, br"])
def test_encoded_answers_and_formats_without_text_are_not_read(encoding: str) -> None:
    head = {"content-type": "application/json"}
    assert captured_answer(Format.CHAT, 100, {**head, "content-encoding": encoding}, "r") is None
    assert captured_answer(Format.CHAT, 100, {**head, "content-encoding": "identity"}, "r") is not None
    assert captured_answer(Format.EMBEDDINGS, 100, head, "r") is None
    assert captured_answer(Format.COUNT_TOKENS, 100, head, "r") is None


def test_only_so_much_is_kept_of_a_body_and_of_an_event() -> None:
    large = b'{"choices":[{"message":{"content":"' + b"x" * WHOLE_LIMIT + b'"}}]}'
    assert captured(Format.CHAT, [large], stream=False) == ""
    pieces = [large[start : start + 50_000] for start in range(0, len(large), 50_000)]
    assert captured(Format.CHAT, pieces, stream=False) == ""
    before = events(chat({"content": "before"}))
    after = events(chat({"content": "after"}))
    endless = b"data: " + b"x" * EVENT_LIMIT + b"\n\n"
    for pieces in ([before, endless, after], [before + endless + after]):
        (message,) = json.loads(captured(Format.CHAT, pieces, stream=True))
        assert message["parts"] == [{"type": "text", "content": "before"}]


def test_a_fault_ends_the_reading_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reading = CapturedAnswer(Format.CHAT, 1000, stream=True, request_id="r-1")

    def fail(*_: object) -> None:
        raise RecursionError("a fault")

    monkeypatch.setattr(reading, "_read", fail)
    with caplog.at_level(logging.ERROR):
        assert [reading.take(STREAMS[Format.CHAT], end=False) for _ in range(5)] == [None] * 5
        assert reading.take(b"", end=True) is None
    assert [record.getMessage()[:15] for record in caplog.records] == ["request_id=r-1:"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(st.sampled_from(SHAPES), st.integers(1, 400), st.booleans())
def test_an_answer_is_cut_where_there_is_no_more_room(shape: Format, limit: int, stream: bool) -> None:
    data = STREAMS[shape] if stream else json.dumps(WHOLE[shape]).encode()
    text = captured(shape, [data], stream=stream, limit=limit)
    assert len(text.encode()) <= limit
    if text:
        (message,) = json.loads(text)
        said = [part for part in message["parts"] if part["type"] == "text"]
        assert all(TEXT.startswith(part["content"]) for part in said)
        calls = [part for part in message["parts"] if part["type"] == "tool_call"]
        assert all(
            call["arguments"] == ARGUMENTS
            or ENCODED.startswith(call["arguments"])
            or json.dumps(ARGUMENTS, ensure_ascii=False).replace(" ", "").startswith(call["arguments"])
            for call in calls
        )


@given(st.lists(TEXTS, max_size=8), st.integers(1, 1500))
def test_text_uses_the_room_there_is(texts: list[str], limit: int) -> None:
    pieces = [events(chat({"content": text})) for text in texts]
    told = captured(Format.CHAT, pieces, stream=True, limit=limit)
    assert len(told.encode()) <= limit
    everything = "".join(texts)
    if told and everything:
        parts = json.loads(told)[0]["parts"]
        kept = parts[0]["content"] if parts else ""
        assert everything.startswith(kept)
        if kept != everything:
            assert len(told.encode()) > limit - 60


ODD = (
    "[" * 300 + "]" * 300,
    '{"a":' * 260 + "1" + "}" * 260,
    '{"a":1e15}',
    '{"a":1' + "0" * 400 + "}",
    "[1]",
    "{",
    "1",
)


@given(TEXTS.filter(bool) | st.sampled_from(ODD))
def test_arguments_are_an_object_or_the_text_that_came(text: str) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": text}}
    told = captured(Format.CHAT, [events(chat({"tool_calls": [call]}))], stream=True)
    found = json.loads(told)[0]["parts"][0]["arguments"]
    assert isinstance(found, dict) or found == text


ANYTHING: tuple[Any, ...] = (
    None, True, -1, 10**30, 1.5, "", "x" * 50, "tool_use", [], [[]], [None, {}], {}, {"index": []},
    {"text": 5, "id": {}},
)  # fmt: skip


def spoiled(value: Any, random: Random) -> Any:
    """A document in which some values are others."""
    if random.random() < 0.1:
        return random.choice(ANYTHING)
    if isinstance(value, dict):
        return {name: spoiled(member, random) for name, member in value.items()}
    return [spoiled(member, random) for member in value] if isinstance(value, list) else value


@given(st.sampled_from(SHAPES), st.randoms(use_true_random=False), st.integers(1, 500), st.booleans())
def test_no_document_is_a_fault_or_tells_more_than_it_may(
    shape: Format, random: Random, limit: int, stream: bool
) -> None:
    if stream:
        lines = [line[6:] for line in STREAMS[shape].splitlines() if line.startswith(b"data: {")]
        documents = [spoiled(json.loads(line), random) for line in lines]
        data = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in documents)
    else:
        data = json.dumps(spoiled(WHOLE[shape], random)).encode()
    reading = CapturedAnswer(shape, limit, stream=stream)
    told = ((reading.take(data, end=False) or {}) | (reading.take(b"", end=True) or {})).get("answered", "")
    assert reading.reading
    assert len(told.encode()) <= limit
    assert told == "" or isinstance(json.loads(told), list)


@given(st.sampled_from(SHAPES), st.lists(st.binary(max_size=80), max_size=6), st.booleans())
def test_no_bytes_are_a_fault(shape: Format, pieces: list[bytes], stream: bool) -> None:
    beginning = STREAMS[shape] if stream else json.dumps(WHOLE[shape]).encode()
    reading = CapturedAnswer(shape, 200, stream=stream)
    told = [reading.take(piece, end=False) for piece in (beginning[:150], *pieces, beginning[150:])]
    told.append(reading.take(b"", end=True))
    assert reading.reading
    assert all(isinstance(json.loads(each["answered"]), list) for each in told if each is not None)
