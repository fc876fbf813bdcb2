import copy
from typing import Any

import orjson
import pytest

from extproc.chain import Chain, attempt, describe, possible
from extproc.errors import NoCredential
from extproc.exchange import Exchange
from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import ModelProvider, RuntimeConfig

OPENAI = ModelProvider(
    name="openai/gpt-4o",
    provider_interface="openai",
    model="gpt-4o",
    access_key="sk-o",
    cluster_name="openai",
    headers={"X-Org": "ours"},
)
CLAUDE = ModelProvider(
    name="anthropic/claude-x", provider_interface="anthropic", model="claude-x", access_key="sk-a", fallbacks=()
)
KEYLESS = ModelProvider(name="mistral/m", provider_interface="mistral", model="m")
ANY_GROQ = ModelProvider(name="groq/*", provider_interface="groq", model="*", wildcard_prefix="groq", access_key="gsk")
HEADERS = {
    ":path": "/v1/chat/completions?beta=1",
    "authorization": "Bearer client",
    "cookie": "c=1",
    "anthropic-beta": "x-1",
    "x-request-id": "r-1",
    "user-agent": "sdk",
}
DOCUMENT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


def registry(*entries: ModelProvider) -> ModelRegistry:
    return ModelRegistry(RuntimeConfig(version="v0.4.0", model_providers=entries))


def exchanges(*entries: ModelProvider, client: Format = Format.CHAT) -> list[Exchange]:
    found = [registry(*entries).resolve(entry.name) for entry in entries]
    return [Exchange(client, candidate, body_limit=1 << 20) for candidate in found if candidate is not None]


def chain(*entries: ModelProvider) -> Chain:
    return Chain(tuple(exchanges(*entries)))


@pytest.mark.parametrize(("count", "name"), [(1, "openai/gpt-4o"), (2, "anthropic/claude-x")])
def test_another_worker_learns_from_the_text_what_an_attempt_has_to_be(count: int, name: str) -> None:
    text = describe(chain(OPENAI, CLAUDE), Format.RESPONSES, HEADERS)
    found = attempt(text, count, registry(OPENAI, CLAUDE))
    assert found is not None
    assert found.client is Format.RESPONSES
    assert found.candidate.name == name
    assert found.body is None


def test_the_text_carries_the_clients_credentials_and_beta_flags_but_not_its_other_headers() -> None:
    found = attempt(describe(chain(OPENAI, CLAUDE), Format.CHAT, HEADERS), 1, registry(OPENAI, CLAUDE))
    assert found is not None
    assert found.headers == {name: value for name, value in HEADERS.items() if name != "user-agent"}


def test_the_text_names_no_key_of_a_provider() -> None:
    text = describe(chain(OPENAI, CLAUDE), Format.CHAT, {})
    assert "sk-o" not in text
    assert "sk-a" not in text


def test_a_carried_body_arrives_byte_for_byte() -> None:
    body = '{"a":"Grüße, \\ud83d\\ude00 😀","b": 1.50}'.encode()
    found = attempt(describe(chain(OPENAI), Format.CHAT, {}, body), 1, registry(OPENAI))
    assert found is not None
    assert found.body == body


def test_names_that_any_candidate_sets_belong_to_all_attempts() -> None:
    found = attempt(describe(chain(OPENAI, CLAUDE), Format.CHAT, {}), 2, registry(OPENAI, CLAUDE))
    assert found is not None
    assert {"x-org", "authorization", "x-api-key", "api-key", "x-goog-api-key", "anthropic-version"} <= found.own


@pytest.mark.parametrize(("count", "index"), [(-1, 0), (0, 0), (1, 0), (2, 1), (3, 1), (99, 1)])
def test_a_count_beyond_the_chain_means_its_nearest_end(count: int, index: int) -> None:
    tested = chain(OPENAI, CLAUDE)
    assert tested.attempt(count) is tested.exchanges[index]
    found = attempt(describe(tested, Format.CHAT, {}), count, registry(OPENAI, CLAUDE))
    assert found is not None
    assert found.candidate.name == tested.models[index]


def test_an_attempt_whose_candidate_is_gone_is_none_and_the_others_stay_where_they_were() -> None:
    text = describe(chain(OPENAI, CLAUDE, KEYLESS), Format.CHAT, {})
    newer = registry(OPENAI, KEYLESS)
    assert attempt(text, 2, newer) is None
    found = [attempt(text, count, newer) for count in (1, 3)]
    assert [each and each.candidate.name for each in found] == ["openai/gpt-4o", "mistral/m"]


def test_models_of_a_wildcard_are_found_again_by_their_names() -> None:
    known = registry(ANY_GROQ)
    candidate = known.resolve("groq/never-heard-of/it")
    assert candidate is not None
    tested = Chain((Exchange(Format.CHAT, candidate, body_limit=1),))
    found = attempt(describe(tested, Format.CHAT, {}), 1, known)
    assert found is not None
    assert (found.candidate.model, found.candidate.entry) == ("never-heard-of/it", ANY_GROQ)


@pytest.mark.parametrize(
    ("stream", "prepared", "clusters"),
    [
        (False, True, ("openai~first", "anthropic~chain", "openai~chain")),
        (False, False, ("openai~chain", "anthropic~chain", "openai~chain")),
        (True, False, ("openai~stream", "anthropic~stream", "openai~stream")),
    ],
)
def test_each_attempt_has_the_cluster_of_its_candidate_for_its_kind_of_answer(
    stream: bool, prepared: bool, clusters: tuple[str, ...]
) -> None:
    assert chain(OPENAI, CLAUDE, OPENAI).clusters(stream=stream, prepared=prepared) == clusters


def test_candidates_that_cannot_serve_the_request_are_passed_over() -> None:
    able = possible(exchanges(KEYLESS, OPENAI, KEYLESS, CLAUDE), {}, DOCUMENT)
    assert [each.candidate.name for each in able] == ["openai/gpt-4o", "anthropic/claude-x"]


def test_what_only_one_format_can_say_goes_only_to_candidates_that_understand_it() -> None:
    document = {"model": "m", "input": "Hi", "previous_response_id": "resp_1"}
    able = possible(exchanges(CLAUDE, OPENAI, client=Format.RESPONSES), {}, document)
    assert [each.candidate.name for each in able] == ["openai/gpt-4o"]


def test_if_none_can_serve_the_first_refusal_tells_why_and_of_whom() -> None:
    refused = ModelProvider(name="groq/g", provider_interface="groq", model="g")
    with pytest.raises(NoCredential) as caught:
        possible(exchanges(KEYLESS, refused), {}, DOCUMENT)
    assert (caught.value.provider, caught.value.model) == ("mistral", "m")
    with pytest.raises(GatewayError) as untranslatable:
        possible(exchanges(CLAUDE, KEYLESS, client=Format.CHAT), {}, {"model": "m", "messages": "nonsense"})
    assert (untranslatable.value.provider, untranslatable.value.model) == ("anthropic", "claude-x")


def test_trying_out_leaves_the_request_as_it_is() -> None:
    document = {**DOCUMENT, "temperature": 0.5, "tools": [], "user": "u", "stream": True, "max_tokens": 5}
    before = copy.deepcopy(document)
    possible(exchanges(OPENAI, CLAUDE, KEYLESS), HEADERS, document)
    assert orjson.dumps(document) == orjson.dumps(before)
