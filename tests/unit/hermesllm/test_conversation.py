from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermesllm.conversation import conversation, middle_trimmed, recent, system_text
from hermesllm.formats import Format

_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    ("client", "request_body", "expected"),
    [
        (Format.CHAT, {"messages": [_message("user", "hi")]}, [("user", "hi")]),
        (Format.CHAT, {"messages": [_message("user", [{"type": "text", "text": "hi"}, _IMAGE])]}, [("user", "hi")]),
        (
            Format.CHAT,
            {"messages": [_message("user", [{"type": "text", "text": "a"}, _IMAGE, {"type": "text", "text": "b"}])]},
            [("user", "a\nb")],
        ),
        (
            Format.CHAT,
            {
                "messages": [
                    _message("system", "s"),
                    _message("developer", "d"),
                    _message("user", "weather?"),
                    _message("assistant", "", tool_calls=[_CALL]),
                    _message("tool", "sunny", tool_call_id="c"),
                    _message("function", "old result", name="f"),
                    _message("assistant", "It is sunny."),
                    _message("user", "thanks"),
                ]
            },
            [("user", "weather?"), ("assistant", "It is sunny."), ("user", "thanks")],
        ),
        (
            Format.ANTHROPIC,
            {
                "system": "s",
                "messages": [
                    _message("user", "read it"),
                    _message("assistant", [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]),
                    _message("user", [{"type": "tool_result", "tool_use_id": "t", "content": "42"}]),
                    _message("assistant", [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "42."}]),
                    _message("user", [{"type": "tool_result", "tool_use_id": "u"}, {"type": "text", "text": "go on"}]),
                ],
            },
            [("user", "read it"), ("assistant", "42."), ("user", "go on")],
        ),
        (Format.RESPONSES, {"instructions": "s", "input": "hi"}, [("user", "hi")]),
        (Format.RESPONSES, {"input": _message("user", "hi")}, [("user", "hi")]),
        (
            Format.RESPONSES,
            {
                "input": [
                    _message("developer", "d"),
                    _message("user", "easy"),
                    _message("assistant", [{"type": "output_text", "text": "one"}], type="message"),
                    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "role": "user"},
                    {"type": "function_call_output", "call_id": "c", "output": "1"},
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                    _message("user", [{"type": "input_text", "text": "two"}, {"type": "input_image"}], type="message"),
                ]
            },
            [("user", "easy"), ("assistant", "one"), ("user", "two")],
        ),
        (Format.EMBEDDINGS, {"input": "hi"}, []),
    ],
)
def test_only_what_user_and_assistant_said_remains(
    client: Format, request_body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert conversation(client, request_body) == expected


@pytest.mark.parametrize(
    ("client", "request_body", "expected"),
    [
        (
            Format.CHAT,
            {"messages": [_message("system", "a"), _message("user", "u"), _message("developer", "b")]},
            "a\nb",
        ),
        (Format.ANTHROPIC, {"system": "a", "messages": []}, "a"),
        (Format.ANTHROPIC, {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        (Format.RESPONSES, {"instructions": "a", "input": [_message("system", "b")]}, "a\nb"),
        (Format.RESPONSES, {"instructions": 5, "input": "u"}, ""),
        (Format.CHAT, {}, ""),
    ],
)
def test_system_texts_are_joined(client: Format, request_body: dict[str, Any], expected: str) -> None:
    assert system_text(client, request_body) == expected


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "input", "messages", "system", "instructions"]),
        inner | st.sampled_from(["user", "assistant", "system", "text", "message", "input_text"]),
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(list(Format)),
    st.dictionaries(st.sampled_from(["messages", "input", "system", "instructions"]), _JUNK),
)
def test_junk_is_passed_over(client: Format, request_body: dict[str, Any]) -> None:
    for role, text in conversation(client, request_body, turns=3):
        assert role in {"user", "assistant"}
        assert isinstance(text, str)
        assert text.strip()
    assert isinstance(system_text(client, request_body), str)


def test_what_is_not_well_formed_does_not_hide_the_rest() -> None:
    messages = [None, "x", {"role": ["user"], "content": "a"}, {"role": "user"}, _message("user", [5, {"type": {}}])]
    assert conversation(Format.CHAT, {"messages": [*messages, _message("user", "hi")]}) == [("user", "hi")]


@pytest.mark.parametrize("turns", [1, 2, 16, 31])
def test_the_newest_turns_are_kept(turns: int) -> None:
    spoken = [("user" if index % 2 else "assistant", f"turn-{index:03}") for index in range(32)]
    request = {"messages": [_message(role, text) for role, text in spoken]}
    assert conversation(Format.CHAT, request, turns=turns) == spoken[-turns:] == recent(spoken, turns)


def test_the_default_of_recent_is_sixteen_turns() -> None:
    spoken = [("user", f"turn-{index:03}") for index in range(32)]
    assert recent(spoken) == spoken[16:]


def test_older_messages_are_not_read() -> None:
    class Unread(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise AssertionError("an older message was read")

    messages = [Unread(), *[_message("user", f"{index}") for index in range(16)]]
    assert len(conversation(Format.CHAT, {"messages": messages}, turns=16)) == 16


def test_a_question_before_many_answers_is_kept() -> None:
    answers = [("assistant", str(index)) for index in range(20)]
    assert recent([("user", "question"), *answers], 0) == []
    assert recent([("user", "old"), ("user", "question"), *answers], 4) == [("user", "question"), *answers[-3:]]


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("hello", 100, "hello"),
        ("hello", 5, "hello"),
        ("a" * 20, 10, "aaaa…aaa"),
        ("abcdefgh", 2, "ab"),
        ("abcdefgh", 3, "abc"),
        ("abcdefgh", 0, ""),
        ("abcdefgh", -1, ""),
        ("é" * 50, 25, "é" * 6 + "…" + "é" * 5),
        ("given the image In style of Andy Warhol", 12, "given…rhol"),
    ],
)
def test_the_middle_of_a_long_text_is_cut(text: str, size: int, expected: str) -> None:
    assert middle_trimmed(text, size) == expected


@settings(deadline=None)
@given(st.text(alphabet="aé…😀\n\ud800"), st.integers(-2, 60))
def test_a_cut_text_fits_and_keeps_head_and_tail(text: str, size: int) -> None:
    cut = middle_trimmed(text, size)
    assert len(cut.encode(errors="replace")) <= max(0, size) or cut == text == ""
    if size >= len(text.encode(errors="replace")):
        assert cut == text
    elif size >= 16:
        head, _, tail = cut.partition("…") if "…" not in text else (cut[:2], "", cut[-1:])
        plain = text.encode(errors="replace").decode()
        assert plain.startswith(head)
        assert plain.endswith(tail)
