"""Where prices come from, and what a price file may hold."""

from pathlib import Path

import pytest

from hermesllm.prices import Rates, list_price
from planoctl.obs.pricing import PriceFileError, Prices, read_prices

OWN = Rates(1.0, 2.0)


@pytest.mark.parametrize(
    ("name", "provider", "model", "requested"),
    [
        ("gpt-4o", "openai", "gpt-4o", None),
        ("gpt-4o", "openai", "openai/gpt-4o", None),
        ("openai/gpt-4o", "openai", "gpt-4o", None),
        ("GPT-4o", "openai", "gpt-4o", None),
        ("gpt-4o", "openai", "GPT-4O", None),
        ("claude-haiku-4-5", "anthropic", "claude-haiku-4-5-20251001", None),
        ("smart", "openai", "gpt-4o", "smart"),
    ],
)
def test_a_price_of_the_users_is_found(name: str, provider: str, model: str, requested: str | None) -> None:
    assert Prices({name: OWN}).of_user(provider, model, requested) == OWN


def test_a_price_of_another_model_is_not_taken() -> None:
    assert Prices({"gpt-4o": OWN}).of_user("openai", "gpt-4o-mini", "fast") is None


@pytest.mark.parametrize(
    ("provider", "model", "requested", "listed"),
    [
        ("openai", "gpt-4o", None, ("openai", "gpt-4o")),
        ("openai", "openai/gpt-4o", None, ("openai", "gpt-4o")),
        ("plano(llm)", "openai/gpt-4o", None, ("openai", "gpt-4o")),
        ("plano(llm)", "gpt-4o", None, ("openai", "gpt-4o")),
        ("anthropic", "claude-haiku-4-5-20251001", None, ("anthropic", "claude-haiku-4-5")),
        ("plano(llm)", "claude-sonnet-4-5", None, ("anthropic", "claude-sonnet-4-5")),
        ("openai", "surprise-9", "openai/gpt-4o", ("openai", "gpt-4o")),
    ],
)
def test_the_list_knows_a_model_by_any_of_its_names(
    provider: str, model: str, requested: str | None, listed: tuple[str, str]
) -> None:
    expected = list_price(*listed)
    assert expected is not None
    assert Prices().listed(provider, model, requested) == expected


@pytest.mark.parametrize(("provider", "model"), [("openai", "unknown-model"), ("mycompany", "assistant")])
def test_an_unknown_model_has_no_price(provider: str, model: str) -> None:
    assert Prices().listed(provider, model, None) is None


def test_the_footer_names_what_prices_come_from() -> None:
    assert [Prices().source, Prices({"m": OWN}).source, Prices(use_list=False).source] == [
        "genai-prices",
        "1 of your own + genai-prices",
        "none",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prices.yaml", "gpt-4o: {input: 2.5, output: 10, cache_read: 1.25}\n"),
        ("prices.json", '{"gpt-4o": {"input": 2.5, "output": 10, "cache_read": 1.25}}'),
    ],
)
def test_a_price_file_is_yaml_or_json(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_prices(tmp_path / name) == {"gpt-4o": Rates(2.5, 10.0, 1.25)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no models"),
        ("- gpt-4o", "lists no models"),
        ("gpt-4o: 2.5", "gpt-4o: no rates"),
        ("gpt-4o: {input: 2.5}", "output missing"),
        ("gpt-4o: {input: 2.5, output: 1, cached: 1}", "unknown cached"),
        ("gpt-4o: {input: free, output: 1}", "input is 'free'"),
        ("gpt-4o: {input: -1, output: 1}", "input is -1"),
        ("gpt-4o: {input: .nan, output: 1}", "input is nan"),
        ("gpt-4o: {input: true, output: 1}", "input is True"),
        ("gpt-4o: {", "neither YAML nor JSON"),
    ],
)
def test_a_mistake_in_a_price_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(PriceFileError) as caught:
        read_prices(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
