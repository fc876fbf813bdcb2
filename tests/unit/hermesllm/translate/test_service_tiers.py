"""The service tier of an answer, as the client's API names it, in JSON answers and in streams."""

from typing import Any

import orjson
import pytest

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, Translator, translator
from tests.unit.hermesllm.translate import converse_answers as converse
from tests.unit.hermesllm.translate import recorded_gemini_streams as gemini
from tests.unit.hermesllm.translate import recorded_responses_streams as responses
from tests.unit.hermesllm.translate.recorded_streams import START, STOP, chunk, end, sse, text_block
from tests.unit.hermesllm.translate.test_streams import events

CLIENTS = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES)
UPSTREAMS = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES, Format.CONVERSE, Format.GEMINI)
PAIRS = [(client, upstream) for client in CLIENTS for upstream in UPSTREAMS if client is not upstream]
NAMES = {Format.ANTHROPIC: "standard", Format.GEMINI: "standard"}  # what others call OpenAI's `default`


def cell(client: Format, upstream: Format) -> Translator:
    made = translator(client, upstream, Context(PROVIDERS["openai"], "m"))
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    made.request(
        {"input": "Hi"} if client is Format.RESPONSES else {**asked, "stream_options": {"include_usage": True}}
    )
    return made


def answer(upstream: Format, tier: Any) -> dict[str, Any]:
    if upstream is Format.CHAT:
        message = {"role": "assistant", "content": "Hello"}
        return {"choices": [{"message": message, "finish_reason": "stop"}], "service_tier": tier}
    if upstream is Format.ANTHROPIC:
        return {"content": [{"type": "text", "text": "Hello"}], "usage": {"service_tier": tier}}
    if upstream is Format.RESPONSES:
        return {"output": [responses.text_item("Hello")], "status": "completed", "service_tier": tier}
    if upstream is Format.CONVERSE:
        return converse.answer({"text": "Hello"}, serviceTier={"type": tier})
    return gemini.answer(gemini.text("Hello"), finish="STOP", usageMetadata={"serviceTier": tier})


def stream(upstream: Format, tier: Any) -> bytes:
    if upstream is Format.CHAT:
        return sse(chunk({"content": "Hello"}), chunk({}, "stop", service_tier=tier), "[DONE]")
    if upstream is Format.ANTHROPIC:
        usage = {"input_tokens": 1, "service_tier": tier}
        start = {"type": "message_start", "message": {**START["message"], "usage": usage}}
        return sse(start, *text_block(0, "Hello"), end("end_turn"), STOP, named=True)
    if upstream is Format.RESPONSES:
        last = responses.end([responses.text_item("Hello")])
        told = {**last, "response": {**last["response"], "service_tier": tier}}
        return responses.stream(*responses.BEGIN, *responses.text_events(0, "Hello"), told)
    if upstream is Format.CONVERSE:
        metadata = converse.event("metadata", usage=converse.USAGE, serviceTier={"type": tier})
        return b"".join((converse.START, converse.text(0, "Hello"), converse.end(), metadata))
    return sse(gemini.answer(gemini.text("Hello")), answer(Format.GEMINI, tier))


def told(client: Format, found: Any) -> Any:
    """The tier in an answer; of Messages answers in the words of OpenAI."""
    if client is not Format.ANTHROPIC:
        return found.get("service_tier")
    return {"standard": "default"}.get(found["usage"].get("service_tier"), found["usage"].get("service_tier"))


def told_in_stream(client: Format, upstream: Format, tier: Any) -> Any:
    reader = cell(client, upstream).stream()
    found = events(reader.decode(stream(upstream, tier)) + reader.flush())
    if client is Format.RESPONSES:
        return told(client, found[-1]["response"])
    if client is Format.ANTHROPIC:
        return told(client, next(event for event in found if event["type"] == "message_delta"))
    finish, usage = found[-3:-1]
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert told(client, finish) == told(client, usage)
    return told(client, usage)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("tier", ["default", "priority"])
def test_answers_tell_the_tier(client: Format, upstream: Format, tier: str) -> None:
    name = NAMES.get(upstream, tier) if tier == "default" else tier
    assert told(client, cell(client, upstream).response(answer(upstream, name))) == tier


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("tier", ["default", "priority"])
def test_streams_tell_the_tier_at_their_end(client: Format, upstream: Format, tier: str) -> None:
    name = NAMES.get(upstream, tier) if tier == "default" else tier
    assert told_in_stream(client, upstream, name) == tier


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("tier", [None, 5, {}, []])
def test_what_is_no_tier_is_not_told(client: Format, upstream: Format, tier: Any) -> None:
    assert told(client, cell(client, upstream).response(answer(upstream, tier))) is None
    assert told_in_stream(client, upstream, tier) is None


def test_a_messages_client_is_not_told_tiers_that_anthropic_does_not_have() -> None:
    assert told(Format.ANTHROPIC, cell(Format.ANTHROPIC, Format.CHAT).response(answer(Format.CHAT, "flex"))) is None
    assert orjson.dumps(cell(Format.ANTHROPIC, Format.RESPONSES).response(answer(Format.RESPONSES, "flex")))
