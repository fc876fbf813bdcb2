"""The mock in a thread, and the official clients aimed straight at it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import anthropic
import boto3
import botocore.config
import openai
import pytest
from google import genai

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


@pytest.fixture
def bedrock(mock: RunningMock) -> Iterator[Any]:
    with contextlib.closing(_bedrock(mock, KEY)) as client:
        yield client


@pytest.fixture
def bedrock_with_wrong_key(mock: RunningMock) -> Iterator[Any]:
    with contextlib.closing(_bedrock(mock, "other")) as client:
        yield client


def _bedrock(mock: RunningMock, key: str) -> Any:
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=mock.url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=10),
    )


@pytest.fixture
def gemini(mock: RunningMock) -> Iterator[genai.Client]:
    with genai.Client(api_key=KEY, http_options={"base_url": mock.url, "timeout": 10_000}) as client:
        yield client
