import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.orchestrator.answer import UnreadableAnswer, answered_text, error_message
from brightstaff.orchestrator.parsing import chosen_routes

_NAMES = ["Image generation", "Code generation"]
_IMAGE = ["Image generation"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"route": ["Image generation"]}', _IMAGE),
        ('{"route": ["Image generation", "Code generation"]}', _NAMES),
        ('{"route": ["Code generation", "Image generation"]}', _NAMES[::-1]),
        ('{"route": []}', []),
        ('{"route": null}', []),
        ("{}", []),
        ("", []),
        (" \n", []),
        ('{"route": ["", null, 5, ["Image generation"]]}', []),
        ("{'route': ['Image generation']}\\n", _IMAGE),
        ("{'route':\\n ['Image generation']}", _IMAGE),
        ('{"route": ["Unknown"]}', []),
        ('{"route": ["Unknown", "Image generation"]}', _IMAGE),
        ('{"route": "Image generation"}', _IMAGE),
        ('{"route": "other"}', []),
        ('{"route": "none"}', []),
        ('{"route": ""}', []),
        ('```json\n{"route": ["Image generation"]}\n```', _IMAGE),
        ('```\n{"route": "Image generation"}```', _IMAGE),
        ('The best route is: {"route": ["Image generation"]}. Good luck!', _IMAGE),
        ('<think>{"route": ["Code generation"]} or not?</think>\n{"route": ["Image generation"]}', _IMAGE),
        ('{"route": [" image Generation ", "Image generation"]}', _IMAGE),
    ],
)
def test_an_answer_means_routes(content: str, expected: list[str]) -> None:
    assert chosen_routes(content, _NAMES) == expected


@pytest.mark.parametrize("name", ["What's new", "other", "None", "a\\nb", "{x}", "", "ÄRZTE"])
def test_any_name_of_a_route_can_be_chosen(name: str) -> None:
    content = json.dumps({"route": [name]}, ensure_ascii=False)
    assert chosen_routes(content, ["Image generation", name]) == [name]


def test_an_exact_name_wins_over_one_that_differs_in_case() -> None:
    assert chosen_routes('{"route": ["code", "CODE"]}', ["Code", "code"]) == ["code", "Code"]


@pytest.mark.parametrize(
    "content", ['{"route": ["route1"', "Image generation", "[]", "5", '{"route": 5}', "{]}", "[" * 9999]
)
def test_an_answer_without_routes_in_it_is_unreadable(content: str) -> None:
    with pytest.raises(UnreadableAnswer, match="Failed to parse JSON"):
        chosen_routes(content, _NAMES)


@given(st.text(alphabet="{}[]\"':, routeCode generation\\n`"))
def test_only_offered_routes_come_out(content: str) -> None:
    with suppress(UnreadableAnswer):
        assert set(chosen_routes(content, _NAMES)) <= set(_NAMES)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"choices":[{"message":{"content":"x"}}]}', "x"),
        (b'{"choices":[{"message":{"content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}}]}', "xy"),
        (b'{"choices":[]}', ""),
        (b'{"choices":[{"message":{"content":null}}]}', ""),
        (b'{"choices":[{}]}', ""),
        (b'{"choices":[5]}', ""),
    ],
)
def test_of_a_completion_only_the_text_counts(body: bytes, text: str) -> None:
    assert answered_text(body) == text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices":{}}', b'{"error":{"message":"m"}}', b"\xff"]
)
def test_what_is_no_completion_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        answered_text(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            b'{"error":{"message":"too long","type":"BadRequestError","param":"input_tokens","code":400}}',
            "too long (param=input_tokens) [type=BadRequestError]",
        ),
        (b'{"error":{"message":"something broke"}}', "something broke"),
        (b'{"error":{"message":"m","type":null,"param":null}}', "m"),
        (b"<html><body>502</body></html>", "<html><body>502</body></html>"),
        (b'{"error":"plain"}', '{"error":"plain"}'),
        (b"[]", "[]"),
        (b"x" * 1536, "x" * 512),
        ("é".encode() * 512, "é" * 256),
        (b"x" + "é".encode() * 512, "x" + "é" * 255),
        (b"", ""),
    ],
)
def test_an_error_is_told_in_one_line(body: bytes, message: str) -> None:
    assert error_message(body) == message
