from typing import Any

import pytest

from hermesllm.providers import find_provider
from planoctl.config.findings import Report
from planoctl.config.pipeline import load_document
from planoctl.config.schema import validate
from planoctl.config.zero_config import synthesise

_NINE = ["openai", "anthropic", "gemini", "groq", "deepseek", "mistral", "digitalocean", "vercel", "openrouter"]


def _providers(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in document["model_providers"]}


def test_without_keys_every_provider_passes_the_credential_through() -> None:
    document, summary = synthesise({})
    providers = _providers(document)
    assert list(providers) == [*_NINE, "edenai"]
    assert all(entry["passthrough_auth"] and "access_key" not in entry for entry in providers.values())
    assert not any(entry.get("default") for entry in providers.values())
    assert summary == f"pass-through: {', '.join(providers)}"


def test_providers_with_a_key_come_first() -> None:
    document, summary = synthesise({"OPENAI_API_KEY": "x", "DO_API_KEY": "y", "GROQ_API_KEY": " "})
    providers = _providers(document)
    assert list(providers)[:3] == ["openai", "digitalocean", "anthropic"]
    assert providers["openai"]["access_key"] == "$OPENAI_API_KEY"
    assert providers["digitalocean"]["access_key"] == "$DO_API_KEY"
    assert "passthrough_auth" not in providers["openai"]
    assert providers["anthropic"]["passthrough_auth"] is True
    assert summary.startswith("env-keyed: openai, digitalocean | pass-through: anthropic, ")


def test_the_document_has_one_listener_and_full_tracing() -> None:
    document, _ = synthesise({}, listener_port=11000)
    assert document["version"] == "v0.4.0"
    assert document["listeners"] == [{"name": "llm", "type": "model", "port": 11000, "address": "0.0.0.0"}]
    assert document["tracing"] == {"random_sampling": 100, "opentracing_grpc_endpoint": "http://localhost:4317"}


@pytest.mark.parametrize(
    ("name", "model", "base_url", "path"),
    [
        ("openai", "openai/*", "https://api.openai.com/v1", "/v1/chat/completions"),
        ("anthropic", "anthropic/*", "https://api.anthropic.com/v1", "/v1/messages"),
        ("gemini", "gemini/*", None, "/v1beta/openai/chat/completions"),
        ("groq", "groq/*", "https://api.groq.com/openai/v1", "/openai/v1/chat/completions"),
        ("digitalocean", "digitalocean/*", "https://inference.do-ai.run/v1", "/v1/chat/completions"),
        ("vercel", "vercel/*", "https://ai-gateway.vercel.sh/v1", "/v1/chat/completions"),
        ("openrouter", "openrouter/*", "https://openrouter.ai/api/v1", "/api/v1/chat/completions"),
        ("edenai", "edenai/*", "https://api.edenai.run/v3", "/v3/chat/completions"),
    ],
)
def test_each_provider_is_reached_at_its_own_path(name: str, model: str, base_url: str | None, path: str) -> None:
    document, _ = synthesise({})
    assert _providers(document)[name]["model"] == model
    assert base_url is None or _providers(document)[name]["base_url"] == base_url
    (entry,) = [each for each in load_document(document, environment={}).runtime.model_providers if each.name == name]
    provider = find_provider(entry.provider_interface)
    assert provider is not None
    wanted = next(each for each in provider.paths if path.endswith(provider.paths[each].path))
    assert provider.path(wanted, "m", entry.base_url_path_prefix) == path
    assert entry.wildcard_prefix == name


def test_the_document_loads_without_a_word() -> None:
    document, _ = synthesise({"OPENAI_API_KEY": "x"})
    report = Report()
    assert validate(document, report) == document
    assert report.findings == ()
    loaded = load_document(document, environment={"OPENAI_API_KEY": "x"}, strict=True)
    assert loaded.secrets == {"OPENAI_API_KEY": "x"}
