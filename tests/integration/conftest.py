"""One mock provider and one gateway in front of it per test process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planoctl.mock_provider.server import RunningMock, run_in_thread
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.integration.planoctl_cli import Cli

KEY = "provider-key-7f3a"


@pytest.fixture(scope="session")
def mock() -> Iterator[RunningMock]:
    """A provider that speaks both APIs and wants KEY."""
    with run_in_thread(key=KEY) as running:
        yield running


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="session")
def document(mock: RunningMock) -> dict[str, Any]:
    """A configuration with a model for each situation."""
    refused = f"http://127.0.0.1:{free_port()}"

    def entry(model: str, base_url: str = mock.url, **more: Any) -> dict[str, Any]:
        return {"model": model, "base_url": base_url, "access_key": "$MOCK_KEY", **more}

    return {
        "model_providers": [
            entry("openai/mock-gpt", default=True),
            entry("anthropic/mock-claude"),
            entry("openai/wrong-key", name="openai/wrong-key", access_key="$WRONG_KEY"),
            entry("anthropic/wrong-key-claude", access_key="$WRONG_KEY"),
            entry("openai/down", refused),
            entry("anthropic/down-claude", refused),
            entry("openai/tls", f"https://127.0.0.1:{mock.port}"),
            entry("anthropic/tls-claude", f"https://127.0.0.1:{mock.port}"),
            entry("openai/prefixed", f"{mock.url}/some/proxy/v2", headers={"x-team": "blue", "X-Extra": "$MOCK_KEY"}),
            {"model": "openai/passed-through", "base_url": mock.url, "passthrough_auth": True},
            {"model": "anthropic/passed-through-claude", "base_url": mock.url, "passthrough_auth": True},
            entry("custom/*", provider_interface="openai"),
        ],
        "model_aliases": {"fast": {"target": "mock-gpt"}, "clever": {"target": "anthropic/mock-claude"}},
    }


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> Iterator[Gateway]:
    environment = {"MOCK_KEY": KEY, "WRONG_KEY": "wrong-key-51c2"}
    with running_gateway(tmp_path_factory.mktemp("gw"), document, environment, workers=2) as running:
        yield running
