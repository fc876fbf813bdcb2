"""What tokens cost, from the price list that is shipped."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from hermesllm.prices import PriceBook, Rates, list_price
from hermesllm.providers import Provider, find_provider


@dataclass(frozen=True)
class _Candidate:
    provider: Provider
    model: str

    @property
    def name(self) -> str:
        return f"{self.provider.id}/{self.model}"


def _candidate(name: str) -> _Candidate:
    prefix, _, model = name.partition("/")
    provider = find_provider(prefix)
    assert provider is not None
    return _Candidate(provider, model)


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o",
        "openai/gpt-5-nano-2025-08-07",
        "anthropic/claude-sonnet-4-5",
        "anthropic/claude-sonnet-4-5-20250929",
        "gemini/gemini-2.5-pro",
        "vertex/gemini-2.5-flash",
        "groq/llama-3.3-70b-versatile",
        "deepseek/deepseek-chat",
        "mistral/mistral-large-latest",
        "openrouter/anthropic/claude-sonnet-4.5",
        "xai/grok-4",
        "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "moonshotai/kimi-k2-0905-preview",
        "zhipu/glm-4.6",
        "perplexity/sonar-pro",
        "minimax/MiniMax-M2",
        "azure_openai/gpt-4o",
        "amazon_bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "amazon_bedrock/amazon.nova-lite-v1:0",
    ],
)
def test_models_of_the_large_providers_have_a_price(name: str) -> None:
    rates = PriceBook().price(_candidate(name))
    assert rates is not None
    assert 0 < rates.input <= rates.output < 1000
    assert rates.total == rates.input + rates.output


def test_cached_tokens_have_rates_where_the_provider_publishes_them() -> None:
    rates = list_price("anthropic", "claude-opus-4-1-20250805")
    assert rates is not None
    assert rates.cache_read is not None
    assert rates.cache_write is not None
    assert rates.cache_read < rates.input < rates.cache_write


def test_a_smaller_model_costs_less() -> None:
    large, small = list_price("openai", "gpt-4o"), list_price("openai", "gpt-4o-mini")
    assert large is not None
    assert small is not None
    assert small.total < large.total


@pytest.mark.parametrize("name", ["openai/no-such-model", "azure_openai/my-deployment", "edenai/gpt-4o", "plano/x"])
def test_what_is_not_listed_has_no_price(name: str) -> None:
    assert PriceBook().price(_candidate(name)) is None


def test_a_model_on_ones_own_machine_costs_nothing() -> None:
    assert list_price("ollama", "llama3.2") == Rates(0, 0, 0, 0)


def test_ones_own_price_goes_before_the_list() -> None:
    own = Rates(0.0, 0.0)
    book = PriceBook({"openai/gpt-4o": own, "edenai/gpt-4o": Rates(3, 4)})
    assert book.price(_candidate("openai/gpt-4o")) == own
    assert book.price(_candidate("edenai/gpt-4o")) == Rates(3, 4)
    assert book.price(_candidate("openai/gpt-4o-mini")) == list_price("openai", "gpt-4o-mini")


def test_looking_up_a_price_opens_no_socket() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*a): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from hermesllm.prices import list_price\n"
        "sys.exit(0 if list_price('openai', 'gpt-4o') else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_list_is_not_loaded_by_those_that_ask_no_price() -> None:
    program = "import sys, hermesllm.prices; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
