import itertools
from typing import Any

import pytest

from hermesllm.errors import GatewayError, InvalidRequest, InvalidUpstreamResponse, Untranslatable
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator

BOTH = (Format.CHAT, Format.ANTHROPIC)  # the other formats have tests of their own beside this one
PAIRS = list(itertools.product(BOTH, BOTH))
CLIENTS = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES)
PROVIDERS_SPEAK = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES, Format.CONVERSE, Format.GEMINI)


def context() -> Context:
    return Context(PROVIDERS["openai"], "m")


@pytest.mark.parametrize(("client", "upstream"), list(itertools.product(CLIENTS, PROVIDERS_SPEAK)))
def test_every_pair_has_a_translator(client: Format, upstream: Format) -> None:
    said = {"input": "Hi"} if client is Format.RESPONSES else {"messages": [{"role": "user", "content": "Hi"}]}
    request = translator(client, upstream, context()).request({"model": "old", **said, "max_tokens": 5})
    in_the_path = upstream in (Format.CONVERSE, Format.GEMINI)
    assert request.get("model") == (None if in_the_path else "m")


def test_a_pair_without_a_cell_is_a_clear_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermesllm.translate._CELLS", {})
    with pytest.raises(Untranslatable, match=r"chat request .* anthropic"):
        translator(Format.CHAT, Format.ANTHROPIC, context())


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("body", [{}, {"messages": None}, {"messages": []}, {"messages": "Hi"}, {"messages": {"a": 1}}])
def test_a_request_without_messages_is_refused(client: Format, upstream: Format, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translator(client, upstream, context()).request(body)
    assert caught.value.param == "messages"
    assert caught.value.status == 400


@pytest.mark.parametrize("pair", [(Format.CHAT, Format.ANTHROPIC), (Format.ANTHROPIC, Format.CHAT)])
@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (["Hi"], "messages[0]"),
        ([{"role": "user", "content": "a"}, {"role": "oracle", "content": "secret"}], "messages[1].role"),
        ([{"content": "secret"}], "messages[0].role"),
        ([{"role": "user", "content": 7}], "messages[0].content"),
        ([{"role": "user", "content": ["secret"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"text": "secret"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "secret"}]}], "messages[0].content[0].type"),
    ],
)
def test_an_invalid_message_is_named_by_its_path_and_not_repeated(
    pair: tuple[Format, Format], messages: Any, param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translator(*pair, context()).request({"messages": messages, "max_tokens": 5})
    assert caught.value.param == param
    assert param.removesuffix(".type") in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("body", [None, [], "x", 7])
def test_an_answer_that_is_no_object_is_the_providers_fault(client: Format, upstream: Format, body: Any) -> None:
    with pytest.raises(InvalidUpstreamResponse) as caught:
        translator(client, upstream, context()).response(body)
    assert caught.value.status == 502


@pytest.mark.parametrize("pair", [(Format.CHAT, Format.ANTHROPIC), (Format.ANTHROPIC, Format.CHAT)])
def test_an_error_with_status_200_keeps_the_providers_words(pair: tuple[Format, Format]) -> None:
    body = {"error": {"message": "No capacity", "code": 503}}
    with pytest.raises(GatewayError, match="No capacity") as caught:
        translator(*pair, context()).response(body)
    assert caught.value.status == 503


@pytest.mark.parametrize("spoken", [*BOTH, Format.RESPONSES])
def test_the_answer_of_the_same_format_is_not_touched(spoken: Format) -> None:
    cell = translator(spoken, spoken, context())
    body = {"choices": [], "content": [], "unknown": 1.5}
    assert cell.response(body) is body
    stream = cell.stream()
    assert stream.decode(b"data: anything\r\n") == b"data: anything\r\n"
    assert stream.flush() == b""
