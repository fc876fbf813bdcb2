"""The mock in a thread, and the official clients aimed straight at it."""

from collections.abc import Iterator

import anthropic
import openai
import pytest

from planoctl.mock_provider.server import RunningMock, run_in_thread

KEY = "mock-key"


@pytest.fixture(scope="session")
def mock() -> Iterator[RunningMock]:
    with run_in_thread(key=KEY) as running:
        yield running


@pytest.fixture
def chat(mock: RunningMock) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{mock.url}/v1", api_key=KEY, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def claude(mock: RunningMock) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=mock.url, api_key=KEY, max_retries=0, timeout=10) as client:
        yield client
