"""Reading the price catalogues of DigitalOcean and models.dev."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesllm.price_catalogues import digitalocean, models_dev
from hermesllm.prices import Rates
from hermesllm.providers import Provider, find_provider

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "model_id",
                    "creator",
                    "pricing",
                    "input_price_per_million",
                    "models",
                    "cost",
                    "input",
                    "output",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@dataclass(frozen=True)
class _Candidate:
    name: str
    provider: Provider
    model: str


def _candidate(name: str, provider: str, model: str) -> _Candidate:
    found = find_provider(provider)
    assert found is not None
    return _Candidate(name, found, model)


def _digitalocean(model: str, pricing: Any, **more: Any) -> dict[str, Any]:
    return {"data": [{"model_id": model, "pricing": pricing, **more}]}


_PER_TOKEN = {"input_price_per_million": 3e-06, "output_price_per_million": 1.5e-05}


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("openai-gpt-5.4", "openai-gpt-5.4"),
        ("openai-gpt-5.4", "openai-gpt-5-4"),
        ("openai-gpt-5.4", "gpt-5.4"),
        ("openai-gpt-5.4", "gpt-5-4"),
        ("openai-gpt-5.4", "do/openai-gpt-5.4"),
        ("openai-gpt-5.4", "openai/gpt-5.4"),
        ("anthropic-claude-opus-4.7", "anthropic/claude-opus-4-7"),
        ("anthropic-claude-opus-4.7", "claude-4-7-opus"),
        ("anthropic-claude-4.6-sonnet", "claude-sonnet-4-6"),
        ("anthropic-claude-haiku-4.5", "claude-haiku-4-5-20251001"),
        ("llama3.3-70b-instruct", "digitalocean/llama3-3-70b-instruct"),
        ("Mixed-Case", "mixed-case"),
    ],
)
def test_digitaloceans_models_are_found_by_the_names_that_users_write(listed: str, name: str) -> None:
    assert digitalocean(_digitalocean(listed, _PER_TOKEN)).find(name) == Rates(3.0, 15.0)


@pytest.mark.parametrize("name", ["unknown-model", "gpt-5", "openai/gpt-5.4-mini"])
def test_another_model_is_not_found(name: str) -> None:
    assert digitalocean(_digitalocean("openai-gpt-5.4", _PER_TOKEN)).find(name) is None


@pytest.mark.parametrize(
    ("pricing", "rates"),
    [
        (_PER_TOKEN, Rates(3.0, 15.0)),
        ({"input_price_per_million": 0.15, "output_price_per_million": 0.6}, Rates(0.15, 0.6)),
        ({"input_price_per_million": 5e-08, "output_price_per_million": 4e-07}, Rates(0.05, 0.4)),
        ({"input_price_per_million": 1e-06}, Rates(1.0, 0.0)),
        ({**_PER_TOKEN, "cache_read_input_price_per_million": 3e-07}, Rates(3.0, 15.0, 0.3)),
        ({**_PER_TOKEN, "input_cache_read": 3e-07}, Rates(3.0, 15.0, 0.3)),
    ],
)
def test_digitaloceans_prices_are_per_token_or_per_million_by_their_size(pricing: Any, rates: Rates) -> None:
    found = digitalocean(_digitalocean("m", pricing)).find("m")
    assert found is not None
    assert (found.input, found.output) == pytest.approx((rates.input, rates.output))
    assert found.cache_read == (None if rates.cache_read is None else pytest.approx(rates.cache_read))


@pytest.mark.parametrize("pricing", [None, {}, [], {"input_price_per_million": "3"}, {"input_price_per_million": -1}])
def test_entries_without_a_price_are_left_out(pricing: Any) -> None:
    assert len(digitalocean(_digitalocean("m", pricing))) == 0


@pytest.mark.parametrize("key", ["openai-gpt-oss", "openai/openai-gpt-oss"])
def test_an_alias_renames_a_digitalocean_model(key: str) -> None:
    catalogue = digitalocean(_digitalocean("openai-gpt-oss", _PER_TOKEN, creator="OpenAI"), {key: "team/oss"})
    assert catalogue.find("team/oss") == Rates(3.0, 15.0)
    assert catalogue.find("openai-gpt-oss") is None


def test_the_creator_is_part_of_a_digitalocean_name() -> None:
    catalogue = digitalocean(_digitalocean("m", _PER_TOKEN, creator="Acme"))
    assert catalogue.find("acme/m") == Rates(3.0, 15.0)


_MODELS_DEV = {
    "anthropic": {"models": {"claude-opus-4-5": {"cost": {"input": 5, "output": 25, "cache_read": 0.5}}}},
    "groq": {"models": {"llama-3.3-70b-versatile": {"cost": {"input": 0.59, "output": 0.79}}, "free": {"cost": None}}},
    "reseller": {"models": {"gemini-2.5-pro": {"cost": {"input": 9, "output": 9}}, "half": {"cost": {"input": 1}}}},
    "google": {"models": {"gemini-2.5-pro": {"cost": {"input": 1.25, "output": 10}}}},
    "empty": {},
}


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("anthropic/claude-opus-4-5", Rates(5, 25, 0.5)),
        ("claude-opus-4-5", Rates(5, 25, 0.5)),
        ("bedrock/claude-opus-4-5", Rates(5, 25, 0.5)),
        ("llama-3.3-70b-versatile", Rates(0.59, 0.79)),
        ("google/gemini-2.5-pro", Rates(1.25, 10)),
        ("gemini-2.5-pro", Rates(9, 9)),
        ("groq/free", None),
        ("reseller/half", None),
        ("nothing", None),
    ],
)
def test_models_dev_is_looked_up_by_provider_and_model_then_by_model(name: str, rates: Rates | None) -> None:
    assert models_dev(_MODELS_DEV).find(name) == rates


def test_a_resolved_name_is_looked_up_at_its_own_provider() -> None:
    mine = _candidate("mine", "gemini", "gemini-2.5-pro")
    assert models_dev(_MODELS_DEV).find("mine", mine) == Rates(1.25, 10)


def test_an_alias_renames_a_models_dev_model() -> None:
    catalogue = models_dev(_MODELS_DEV, {"google/gemini-2.5-pro": "gemini/pro"})
    assert catalogue.find("gemini/pro") == Rates(1.25, 10)


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_another_kind_of_document_is_refused(document: Any) -> None:
    for read in (digitalocean, models_dev):
        with pytest.raises(ValueError, match="no"):
            read(document)


@given(_JSON)
def test_nothing_but_a_value_error_comes_of_junk(document: Any) -> None:
    for read in (digitalocean, models_dev):
        try:
            read(document)
        except ValueError:
            continue
