"""Function calls that Vertex streams in pieces arrive whole, whatever the client's API is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.unit.hermesllm.translate.recorded_gemini_streams import answer, call, text
from tests.unit.hermesllm.translate.recorded_streams import sse
from tests.unit.hermesllm.translate.test_streams import events

CLIENTS = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES)


def piece(*values: Any, more: bool = True, signature: str = "", **members: Any) -> dict[str, Any]:
    """A part with the next piece of a call."""
    made: dict[str, Any] = {**members}
    if values:
        made["partialArgs"] = list(values)
    if more:
        made["willContinue"] = True
    return {"functionCall": made, **({"thoughtSignature": signature} if signature else {})}


def string(path: str, value: str, *, more: bool = False) -> dict[str, Any]:
    return {"jsonPath": path, "stringValue": value, **({"willContinue": True} if more else {})}


def calls(client: Format, *parts: dict[str, Any], finish: str = "STOP") -> list[tuple[str, Any]]:
    """Name and arguments of each call that a client reads in a stream of these parts, one in each event."""
    cell = translator(client, Format.GEMINI, Context(PROVIDERS["vertex"], "gemini-3-pro-preview"))
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    cell.request({"input": "Hi"} if client is Format.RESPONSES else asked)
    reader = cell.stream()
    stream = sse(*(answer(part) for part in parts), answer(finish=finish))
    found = events(reader.decode(stream) + reader.flush())
    assert not reader.failed
    if client is Format.RESPONSES:
        output = found[-1]["response"]["output"]
        return [(item["name"], json.loads(item["arguments"])) for item in output if item["type"] == "function_call"]
    said: dict[int, list[str]] = {}
    if client is Format.ANTHROPIC:
        for event in found:
            if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
                said[event["index"]] = [event["content_block"]["name"]]
            elif event.get("delta", {}).get("type") == "input_json_delta":
                said[event["index"]].append(event["delta"]["partial_json"])
    else:
        deltas = [each for chunk in found if chunk for each in chunk["choices"][0]["delta"].get("tool_calls", ())]
        for each in deltas:
            parts_said = said.setdefault(each["index"], [each["function"].get("name", "")])
            parts_said.append(each["function"]["arguments"])
    return [(name, json.loads("".join(arguments))) for name, *arguments in said.values()]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_in_pieces_is_one_call_with_all_its_arguments(client: Format) -> None:
    parts = (
        text("Let me see."),
        piece(name="get_weather", id="c1", signature="c2ln"),
        piece(string("$.city", "New ", more=True)),
        piece(string("$.city", "Yo", more=True), {"jsonPath": "$.days", "numberValue": 3}),
        piece(string("$.city", 'rk "NY"')),
        piece({"jsonPath": "$.metric", "boolValue": False}, {"jsonPath": "$.unit", "nullValue": "NULL_VALUE"}),
        piece(more=False),
        call("get_time", {"city": "Oslo"}, call_id="c2"),
    )
    weather = {"city": 'New York "NY"', "days": 3, "metric": False, "unit": None}
    assert calls(client, *parts) == [("get_weather", weather), ("get_time", {"city": "Oslo"})]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([string("$.a.b[0].c", "x"), string("$.a.b[1].c", "y")], {"a": {"b": [{"c": "x"}, {"c": "y"}]}}),
        (
            [string("$['strange key']['it\\'s']", "x"), string('$["b.c"]', "y")],
            {"strange key": {"it's": "x"}, "b.c": "y"},
        ),
        ([string("$.m[0][0]", "x"), string("$.m[0][1]", "y"), string("$.m[1][0]", "z")], {"m": [["x", "y"], ["z"]]}),
        ([string("$.a", "x", more=True), string("$.b", "y"), string("$.a", "z")], {"a": "xz", "b": "y"}),
        ([string("$.args", "x")], {"args": "x"}),
        ([string("$.a", "", more=True)], {"a": ""}),
        ([string("$.a", "x"), string("$.a", "y")], {"a": "y"}),
    ],
)
def test_values_go_where_their_path_says(values: list[Any], expected: dict[str, Any]) -> None:
    assert calls(Format.CHAT, piece(name="f"), *map(piece, values), piece(more=False)) == [("f", expected)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([piece(name="f"), piece(string("$.a", "x", more=True))], [("f", {"a": "x"})]),
        ([piece(name="f"), piece(name="g", more=False)], [("f", {}), ("g", {})]),
        ([piece(string("$.a", "x"), name="f", args={"b": 1}, more=False)], [("f", {"a": "x", "b": 1})]),
        ([piece(name="f"), text("so"), piece(string("$.a", "x"), more=False)], [("f", {"a": "x"})]),
    ],
)
def test_a_call_that_is_never_ended_is_told_as_far_as_it_came(parts: list[Any], expected: list[Any]) -> None:
    assert calls(Format.CHAT, *parts) == expected
    assert calls(Format.ANTHROPIC, *parts) == expected


def test_the_signature_of_a_call_in_pieces_is_kept() -> None:
    cell = translator(Format.CHAT, Format.GEMINI, Context(PROVIDERS["vertex"], "gemini-3-pro-preview"))
    cell.request({"messages": [{"role": "user", "content": "Hi"}]})
    reader = cell.stream()
    parts = (piece(name="f", signature="c2ln"), piece(string("$.a", "x")), piece(more=False))
    found = events(reader.decode(sse(*map(answer, parts), answer(finish="STOP"))) + reader.flush())
    (start,) = [
        each
        for chunk in found
        if chunk
        for each in chunk["choices"][0]["delta"].get("tool_calls", ())
        if "name" in each["function"]
    ]
    assert start["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert found[-2]["choices"][0]["finish_reason"] == "tool_calls"


JUNK = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5), st.just([]), st.just({}))
PATHS = st.one_of(
    JUNK,
    st.text("$.[]0'\"\\ab", max_size=20),
    st.sampled_from(["$", "", "$[0]", "$.a[999999999]", "$.a", "$" + "[0]" * 600]),
)
VALUES = st.fixed_dictionaries(
    {"jsonPath": PATHS},
    optional=dict.fromkeys(("stringValue", "numberValue", "boolValue", "nullValue", "willContinue"), JUNK),
)
PIECES = st.fixed_dictionaries(
    {},
    optional={
        "name": JUNK,
        "id": JUNK,
        "args": JUNK,
        "partialArgs": st.lists(VALUES, max_size=4) | JUNK,
        "willContinue": JUNK,
    },
)


@pytest.mark.parametrize("client", CLIENTS)
@given(pieces=st.lists(PIECES, max_size=5))
def test_pieces_of_no_sense_do_no_harm(client: Format, pieces: list[Any]) -> None:
    cell = translator(client, Format.GEMINI, Context(PROVIDERS["vertex"], "gemini-3-pro-preview"))
    cell.request({"input": "Hi", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5})
    reader = cell.stream()
    stream = sse(*(answer({"functionCall": each}) for each in pieces), answer(finish="STOP"))
    assert reader.decode(stream) + reader.flush()
