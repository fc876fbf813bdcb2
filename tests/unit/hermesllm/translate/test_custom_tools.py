"""OpenAI's custom tools at providers that know none: a function with one string there, a custom call for the client."""

from typing import Any

import orjson
import pytest

from hermesllm.errors import InvalidRequest
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from tests.unit.hermesllm.translate import converse_answers as converse
from tests.unit.hermesllm.translate import recorded_gemini_streams as gemini
from tests.unit.hermesllm.translate.recorded_streams import START, STOP, end, sse, tool_block
from tests.unit.hermesllm.translate.test_streams import events

USER = {"role": "user", "content": "Fix it"}
PATCH = '*** Begin Patch\n-"a"\n+"ä" 😀\\n\n*** End Patch'
ARGUMENTS = orjson.dumps({"input": PATCH}).decode()
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}}
TOOL = {"type": "custom", "custom": {"name": "apply_patch", "description": "Patches.", "format": GRAMMAR}}
FUNCTION = {"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}
SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": True,
}
DESCRIPTION = "Patches.\n\nThe text in `input` must match this lark grammar:\nstart: /.+/"
PROVIDER = {Format.ANTHROPIC: "anthropic", Format.CONVERSE: "amazon_bedrock", Format.GEMINI: "vertex"}
MODEL = {Format.ANTHROPIC: "claude-sonnet-4-5", Format.CONVERSE: "amazon.nova-pro-v1:0", Format.GEMINI: "gemini-3-pro"}
UPSTREAMS = tuple(PROVIDER)
CUSTOM_CALL = {"type": "custom", "custom": {"name": "apply_patch", "input": PATCH}}


def cell(upstream: Format) -> Translator:
    return translator(Format.CHAT, upstream, Context(PROVIDERS[PROVIDER[upstream]], MODEL[upstream]))


def sent(upstream: Format, *messages: Any, **members: Any) -> dict[str, Any]:
    return cell(upstream).request({"messages": [USER, *messages], "tools": [TOOL, FUNCTION], **members})


def declared(upstream: Format, request: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Name, description and schema of each function that the provider is given."""
    if upstream is Format.ANTHROPIC:
        return [(tool["name"], tool.get("description"), tool["input_schema"]) for tool in request["tools"]]
    if upstream is Format.CONVERSE:
        specifications = [tool["toolSpec"] for tool in request["toolConfig"]["tools"]]
        return [(tool["name"], tool.get("description"), tool["inputSchema"]["json"]) for tool in specifications]
    functions = request["tools"][0]["functionDeclarations"]
    return [(tool["name"], tool.get("description"), tool["parametersJsonSchema"]) for tool in functions]


def answer(upstream: Format, **arguments: Any) -> Any:
    if upstream is Format.ANTHROPIC:
        called = {"type": "tool_use", "id": "c1", "name": "apply_patch", "input": arguments}
        return {"content": [called], "stop_reason": "tool_use", "usage": {}}
    if upstream is Format.CONVERSE:
        return converse.answer(converse.tool_use("c1", "apply_patch", arguments), stop="tool_use")
    return gemini.answer(gemini.call("apply_patch", arguments, "sig", "c1"), finish="STOP")


def stream(upstream: Format) -> bytes:
    """A custom call and a plain one, at the same time or one after the other."""
    pieces = [ARGUMENTS[at : at + 7] for at in range(0, len(ARGUMENTS), 7)]
    if upstream is Format.ANTHROPIC:
        blocks = [*tool_block(0, "c1", "apply_patch", *pieces), *tool_block(1, "c2", "ls", "{}")]
        return sse(START, *blocks, end("tool_use"), STOP, named=True)
    if upstream is Format.CONVERSE:
        calls = (converse.call(0, "c1", "apply_patch", *pieces), converse.call(1, "c2", "ls", "{}"))
        return converse.stream(*calls, stop="tool_use")
    calls = (gemini.call("apply_patch", {"input": PATCH}, "sig", "c1"), gemini.call("ls", {}, "", "c2"))
    return sse(gemini.answer(*calls, finish="STOP"))


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_custom_tool_is_a_function_whose_description_tells_the_grammar(upstream: Format) -> None:
    functions = declared(upstream, sent(upstream))
    assert functions[0] == ("apply_patch", DESCRIPTION, SCHEMA)
    assert [name for name, _, _ in functions] == ["apply_patch", "ls"]


@pytest.mark.parametrize(
    ("custom", "description"),
    [
        ({}, None),
        ({"description": "D."}, "D."),
        ({"format": {"type": "text"}}, None),
        (
            {"format": {"type": "grammar", "grammar": {"definition": "a"}}},
            "The text in `input` must match this grammar:\na",
        ),
    ],
)
def test_without_a_grammar_nothing_is_added_to_the_description(custom: dict[str, Any], description: Any) -> None:
    request = sent(Format.ANTHROPIC, tools=[{"type": "custom", "custom": {"name": "c", **custom}}])
    assert declared(Format.ANTHROPIC, request) == [("c", description, SCHEMA)]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "custom", "custom": {"name": "apply_patch"}}, ["apply_patch"]),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "custom", "custom": {"name": "apply_patch"}}],
                },
            },
            ["apply_patch"],
        ),
    ],
)
def test_a_choice_may_name_a_custom_tool(choice: dict[str, Any], expected: list[str]) -> None:
    google = sent(Format.GEMINI, tool_choice=choice)["toolConfig"]["functionCallingConfig"]
    assert (google["mode"], google["allowedFunctionNames"]) == ("ANY", expected)
    claude = sent(Format.ANTHROPIC, tool_choice=choice)
    if choice["type"] == "custom":
        assert claude["tool_choice"] == {"type": "tool", "name": "apply_patch"}
    else:
        assert [tool["name"] for tool in claude["tools"]] == expected
        assert claude["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_an_answered_custom_call_of_an_earlier_turn_keeps_its_input(upstream: Format) -> None:
    turn = {"role": "assistant", "tool_calls": [{"id": "c1", **CUSTOM_CALL}]}
    request = sent(upstream, turn, {"role": "tool", "tool_call_id": "c1", "content": "Done"})
    call = request["contents" if upstream is Format.GEMINI else "messages"][1]
    found = {
        Format.ANTHROPIC: lambda: call["content"][0]["input"],
        Format.CONVERSE: lambda: call["content"][0]["toolUse"]["input"],
        Format.GEMINI: lambda: call["parts"][0]["functionCall"]["args"],
    }[upstream]()
    assert found == {"input": PATCH}


def test_a_signed_custom_call_goes_back_to_gemini_with_its_signature() -> None:
    made = cell(Format.GEMINI)
    made.request({"messages": [USER], "tools": [TOOL]})
    turn = made.response(answer(Format.GEMINI, input=PATCH))["choices"][0]["message"]
    part = sent(Format.GEMINI, turn)["contents"][1]["parts"][0]
    assert part["thoughtSignature"] == "sig"
    assert part["functionCall"]["args"] == {"input": PATCH}


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"input": PATCH}, PATCH), ({"input": ""}, ""), ({"patch": "p"}, '{"patch":"p"}'), ({"input": 5}, '{"input":5}')],
)
def test_calls_come_back_as_custom_calls_with_their_bare_text(
    upstream: Format, arguments: dict[str, Any], text: str
) -> None:
    made = cell(upstream)
    made.request({"messages": [USER], "tools": [TOOL]})
    choice = made.response(answer(upstream, **arguments))["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert call["type"] == "custom"
    assert call["custom"] == {"name": "apply_patch", "input": text}
    assert "function" not in call


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_streamed_calls_come_back_as_custom_calls_beside_plain_ones(upstream: Format, size: int) -> None:
    made = cell(upstream)
    made.request({"messages": [USER], "tools": [TOOL, FUNCTION], "stream": True})
    reader = made.stream()
    whole = stream(upstream)
    cuts = [whole[at : at + size] for at in range(0, len(whole), size)]
    chunks = [each for each in events(b"".join([*map(reader.decode, cuts), reader.flush()])) if each]
    deltas = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    custom = [call for call in deltas if call["index"] == 0]
    plain = [call for call in deltas if call["index"] == 1]
    assert (custom[0]["id"], custom[0]["type"], custom[0]["custom"]["name"]) == ("c1", "custom", "apply_patch")
    assert "".join(call["custom"]["input"] for call in custom) == PATCH
    assert plain[0]["type"] == "function"
    assert "".join(call["function"]["arguments"] for call in plain) == "{}"
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_each_of_geminis_answers_has_custom_calls_of_its_own() -> None:
    made = cell(Format.GEMINI)
    made.request({"messages": [USER], "tools": [TOOL], "n": 2, "stream": True})
    reader = made.stream()
    answers = [
        gemini.answer(gemini.call("apply_patch", {"input": text}), finish="STOP", candidate={"index": index})
        for index, text in enumerate(("one", "two"))
    ]
    chunks = [each for each in events(reader.decode(sse(*answers)) + reader.flush()) if each]
    said = {0: "", 1: ""}
    for choice in (chunk["choices"][0] for chunk in chunks):
        for call in choice["delta"].get("tool_calls", ()):
            said[choice["index"]] += call["custom"]["input"]
    assert said == {0: "one", 1: "two"}


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"type": "custom"}, "tools[0].custom"),
        ({"type": "custom", "custom": {}}, "tools[0].custom.name"),
        ({"type": "custom", "custom": {"name": "c", "format": "lark"}}, "tools[0].custom.format"),
    ],
)
def test_malformed_custom_tools_are_named_by_their_path(upstream: Format, tool: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(upstream, tools=[tool])
    assert caught.value.param == param


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_grammar_of_a_responses_client_is_told_in_the_description_too(upstream: Format) -> None:
    made = translator(Format.RESPONSES, upstream, Context(PROVIDERS[PROVIDER[upstream]], MODEL[upstream]))
    flat = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
    request = made.request(
        {
            "input": "Fix it",
            "tools": [{"type": "custom", "name": "apply_patch", "description": "Patches.", "format": flat}],
        }
    )
    assert declared(upstream, request) == [("apply_patch", DESCRIPTION, SCHEMA)]
    item = made.response(answer(upstream, input=PATCH))["output"][0]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", PATCH)
