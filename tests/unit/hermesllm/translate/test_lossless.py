"""What all three client APIs can say reaches a provider of any of them, and comes back, without a loss."""

import itertools
from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator
from tests.unit.hermesllm.translate.conversations import READERS, WRITERS, Conversation, Json, conversations

CLIENTS = (Format.CHAT, Format.ANTHROPIC, Format.RESPONSES)
TARGETS = {
    Format.CHAT: ("openai", "gpt-4o"),
    Format.ANTHROPIC: ("anthropic", "claude-sonnet-4-5"),
    Format.RESPONSES: ("openai", "gpt-4o"),
}
many = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def translated(client: Format, upstream: Format, body: Json) -> Json:
    """The provider's request, as it is on the wire, after checking that nothing was dropped."""
    provider, model = TARGETS[upstream]
    context = Context(PROVIDERS[provider], model)
    sent = translator(client, upstream, context).request({"model": model, **body})
    assert context.dropped == []
    found = orjson.loads(orjson.dumps(sent))
    assert isinstance(found, dict)
    return found


def tellable(talk: Conversation, *formats: Format) -> Conversation:
    """The conversation without what one of the formats has no word for."""
    return replace(talk, stop=()) if Format.RESPONSES in formats else talk


@pytest.mark.parametrize("spoken", CLIENTS)
@given(talk=conversations())
def test_a_conversation_is_written_and_read_back_the_same(spoken: Format, talk: Conversation) -> None:
    assert READERS[spoken](WRITERS[spoken](talk)) == tellable(talk, spoken)


@many
@given(st.sampled_from(list(itertools.product(CLIENTS, CLIENTS))), conversations())
def test_a_conversation_arrives_whole(pair: tuple[Format, Format], talk: Conversation) -> None:
    client, upstream = pair
    talk = tellable(talk, client, upstream)
    assert READERS[upstream](translated(client, upstream, WRITERS[client](talk))) == talk


@many
@given(st.sampled_from(list(itertools.permutations(CLIENTS, 2))), conversations())
def test_a_conversation_survives_the_way_there_and_back(pair: tuple[Format, Format], talk: Conversation) -> None:
    client, upstream = pair
    talk = tellable(talk, client, upstream)
    there = translated(client, upstream, WRITERS[client](talk))
    there.pop("model")
    assert READERS[client](translated(upstream, client, there)) == talk
