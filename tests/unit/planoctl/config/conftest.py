"""Loading of YAML texts the way the command line does it: from a file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from planoctl.config.findings import ConfigError, Finding
from planoctl.config.pipeline import LoadedConfig, load_config

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY", "CUSTOM_API_KEY")
ENVIRONMENT = {key: f"value-of-{key.lower()}" for key in KEYS}

Load = Callable[..., LoadedConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """`load(text)` loads a YAML text; every usual API key is set unless `environment` is given."""

    def run(text: str, *, environment: Mapping[str, str] = ENVIRONMENT, **options: Any) -> LoadedConfig:
        path = tmp_path / "plano_config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, environment=environment, **options)

    return run


@pytest.fixture
def faults(load: Load) -> Callable[..., tuple[Finding, ...]]:
    """`faults(text)` are the findings of a YAML text that must be refused."""

    def run(text: str, **options: Any) -> tuple[Finding, ...]:
        with pytest.raises(ConfigError) as caught:
            load(text, **options)
        return caught.value.findings

    return run
