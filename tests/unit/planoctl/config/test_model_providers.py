from typing import Any

import pytest

from planoctl.config.findings import Report
from planoctl.config.model_providers import internal_providers, normalise_providers, orchestrator_model


def _normalised(*entries: dict[str, Any], environment: dict[str, str] | None = None) -> tuple[list[Any], list[str]]:
    report = Report()
    result = normalise_providers(list(entries), environment or {}, report)
    return result, [finding.code for finding in report.findings]


def _one(entry: dict[str, Any], **options: Any) -> dict[str, Any]:
    (result,), codes = _normalised({"passthrough_auth": True, **entry}, **options)
    assert codes == []
    return {key: value for key, value in result.items() if key != "passthrough_auth"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"model": "openai/gpt-4o"}, {"name": "openai/gpt-4o", "model": "gpt-4o", "provider_interface": "openai"}),
        (
            {"model": "together_ai/meta-llama/Llama-3"},
            {
                "name": "together_ai/meta-llama/Llama-3",
                "model": "meta-llama/Llama-3",
                "provider_interface": "together_ai",
            },
        ),
        ({"model": "openai/*", "name": "mine"}, {"name": "mine", "model": "*", "provider_interface": "openai"}),
        ({"model": "claude/x"}, {"name": "claude/x", "model": "x", "provider_interface": "anthropic"}),
        (
            {"model": "custom/llama", "base_url": "http://box:8000/api", "provider_interface": "openai"},
            {
                "name": "custom/llama",
                "model": "llama",
                "provider_interface": "openai",
                "base_url": "http://box:8000/api",
                "base_url_path_prefix": "/api",
                "cluster_name": "openai_box",
                "endpoint": "box",
                "port": 8000,
                "protocol": "http",
            },
        ),
        (
            {"model": "ollama/llama3", "base_url": "http://localhost:11434/"},
            {
                "name": "ollama/llama3",
                "model": "llama3",
                "provider_interface": "ollama",
                "base_url": "http://localhost:11434/",
                "cluster_name": "ollama_localhost",
                "endpoint": "localhost",
                "port": 11434,
                "protocol": "http",
            },
        ),
    ],
)
def test_an_entry_is_split_and_gets_an_address(entry: dict[str, Any], expected: dict[str, Any]) -> None:
    assert _one(entry) == expected


@pytest.mark.parametrize(
    ("model", "interface", "effective"),
    [
        ("custom/x", "anthropic", "anthropic"),
        ("custom/x", "claude", "anthropic"),
        ("google/x", "openai", "openai"),
        ("edenai/x", "openai", "openai"),
        ("perplexity/sonar", "openai", "perplexity"),
    ],
)
def test_names_that_were_made_up_once_may_still_name_their_interface(
    model: str, interface: str, effective: str
) -> None:
    entry = _one({"model": model, "base_url": "https://h", "provider_interface": interface})
    assert entry["provider_interface"] == effective


@pytest.mark.parametrize("model", ["vercel/*", "openrouter/*", "edenai/*"])
def test_gateways_of_others_are_known_providers(model: str) -> None:
    assert _one({"model": model, "base_url": "https://h/v1"})["model"] == "*"


@pytest.mark.parametrize(
    ("entries", "codes"),
    [
        ([{"name": "t", "model": "openai/a"}, {"name": "t", "model": "openai/b"}], ["duplicate-provider-name"]),
        ([{"name": "a", "model": "openai/a"}, {"name": "b", "model": "openai/a"}], ["duplicate-model-name"]),
        ([{"model": "openai/a"}, {"model": "openai/a"}], ["duplicate-model-name"]),
        ([{"name": "openai/a", "model": "groq/b"}, {"model": "openai/a"}], ["duplicate-provider-name"]),
        ([{"model": "openai/*"}, {"model": "openai/*"}], ["duplicate-model-name"]),
        ([{"model": "openai/*"}, {"name": "second", "model": "openai/*"}], []),
        ([{"model": "openai/a"}, {"model": "mistral/a"}], ["duplicate-model-id"]),
        ([{"model": "gpt-4o"}], ["invalid-model-name"]),
        ([{"model": "openai/"}], ["invalid-model-name"]),
        ([{"model": "/x"}], ["invalid-model-name"]),
        ([{"model": ""}], ["invalid-model-name"]),
        ([{"model": "openai/*", "default": True}], ["default-wildcard"]),
        ([{"model": "ollama/llama3"}], ["missing-base-url"]),
        ([{"model": "ollama/llama3", "base_url": ""}], ["missing-base-url"]),
        ([{"model": "custom/x"}], ["unsupported-provider"]),
        ([{"model": "custom/x", "base_url": "https://h"}], ["unsupported-provider"]),
        ([{"model": "custom/x", "provider_interface": "openai"}], ["unsupported-provider"]),
        ([{"model": "custom/*"}], ["unsupported-provider"]),
        ([{"model": "openai/a", "provider_interface": "openai"}], ["superfluous-interface"]),
        ([{"model": "openai/a", "base_url": "x.example.com"}], ["invalid-base-url"]),
        ([{"model": "openai/a", "base_url": "https://h/v1?x=1"}], ["ignored-url-part"]),
        ([{"model": "openai/a", "default": True}, {"model": "openai/b", "default": True}], ["two-defaults"]),
        ([{"model": "openai/a", "access_key": "$K"}], ["ignored-access-key"]),
        ([{"model": "openai/a", "passthrough_auth": False}], ["no-credential"]),
        ([{"model": "plano/Plano-Orchestrator", "base_url": "http://h", "passthrough_auth": False}], []),
    ],
)
def test_faults_of_entries(entries: list[dict[str, Any]], codes: list[str]) -> None:
    assert _normalised(*({"passthrough_auth": True, **entry} for entry in entries))[1] == codes


def test_a_misspelt_provider_is_asked_about() -> None:
    report = Report()
    normalise_providers([{"model": "opnai/gpt-4o", "access_key": "$A"}], {}, report)
    remedy = report.findings[0].remedy
    assert remedy == "did you mean openai/gpt-4o? If not, add base_url and provider_interface"


def test_the_first_of_two_equal_ids_keeps_the_bare_name() -> None:
    report = Report()
    result = normalise_providers(
        [{"model": "openai/gpt-4o", "access_key": "$A"}, {"model": "mistral/gpt-4o", "access_key": "$B"}], {}, report
    )
    (warning,) = report.findings
    assert warning.severity == "warning"
    assert "Duplicate model_id gpt-4o" in warning.message
    assert "openai/gpt-4o" in warning.message
    assert len(result) == 2


def test_different_ports_of_a_host_are_different_clusters() -> None:
    result, _ = _normalised(
        {"model": "ollama/a", "base_url": "http://localhost:11434"},
        {"model": "ollama/b", "base_url": "http://localhost:11435"},
        {"model": "ollama/c", "base_url": "http://localhost:11435/v1"},
    )
    first, second, third = [entry["cluster_name"] for entry in result]
    assert first != second == third


def test_a_chatgpt_entry_is_wired() -> None:
    (entry,), codes = _normalised({"model": "chatgpt/gpt-5"})
    assert codes == []
    assert entry["base_url"] == "https://chatgpt.com/backend-api/codex"
    assert (entry["cluster_name"], entry["base_url_path_prefix"]) == ("chatgpt_chatgpt.com", "/backend-api/codex")
    assert entry["passthrough_auth"] is True
    assert set(entry["headers"]) == {"originator", "user-agent", "session_id"}


def test_a_stored_chatgpt_login_is_used() -> None:
    environment = {"CHATGPT_ACCESS_TOKEN": "t", "CHATGPT_ACCOUNT_ID": "a"}
    (entry,), _ = _normalised({"model": "chatgpt/gpt-5"}, environment=environment)
    assert entry["access_key"] == "$CHATGPT_ACCESS_TOKEN"
    assert "passthrough_auth" not in entry
    assert entry["headers"]["ChatGPT-Account-Id"] == "$CHATGPT_ACCOUNT_ID"


def test_chatgpt_defaults_give_way_to_what_is_written() -> None:
    written = {"model": "chatgpt/x", "base_url": "https://h", "access_key": "$K", "headers": {"Originator": "me"}}
    (entry,), _ = _normalised(written, environment={"CHATGPT_ACCESS_TOKEN": "t"})
    assert (entry["base_url"], entry["access_key"]) == ("https://h", "$K")
    assert entry["headers"]["Originator"] == "me"
    assert "originator" not in entry["headers"]


@pytest.mark.parametrize(
    ("model", "base_url", "expected"),
    [
        ("openai/k", "https://api.kimi.com/coding", "https://api.kimi.com/coding/v1"),
        ("openai/k", "https://api.kimi.com/coding/", "https://api.kimi.com/coding/v1"),
        ("openai/k", "https://api.kimi.com/coding/v1", "https://api.kimi.com/coding/v1"),
        ("moonshotai/kimi-for-coding", "https://proxy/coding", "https://proxy/coding/v1"),
        ("openai/k", "https://other.example.com/coding", "https://other.example.com/coding"),
    ],
)
def test_the_coding_api_of_kimi_gets_its_path_and_client(model: str, base_url: str, expected: str) -> None:
    entry = _one({"model": model, "base_url": base_url})
    assert entry["base_url"] == expected
    assert (
        entry["base_url_path_prefix"]
        == expected.removeprefix("https://").partition("/")[1] + (expected.removeprefix("https://").partition("/")[2])
    )
    assert entry.get("headers") == (None if "other" in base_url else {"User-Agent": "KimiCLI/1.3"})


def test_kimi_keeps_a_client_that_is_written() -> None:
    written = {"model": "openai/k", "base_url": "https://api.kimi.com/coding", "headers": {"user-agent": "me"}}
    assert _one(written)["headers"] == {"user-agent": "me"}


@pytest.mark.parametrize(
    ("overrides", "model"),
    [
        ({}, "Plano-Orchestrator"),
        ({"llm_routing_model": "Arch-Router"}, "Arch-Router"),
        ({"llm_routing_model": "plano/Arch-Router"}, "Arch-Router"),
        ({"llm_routing_model": ""}, "Plano-Orchestrator"),
    ],
)
def test_the_orchestrator_is_named_without_provider(overrides: dict[str, str], model: str) -> None:
    assert orchestrator_model(overrides, "llm_routing_model") == model


@pytest.mark.parametrize(
    ("providers", "preferences", "names"),
    [
        ([], False, ["arch-function", "plano/orchestrator"]),
        ([], True, ["plano-orchestrator", "arch-function", "plano/orchestrator"]),
        ([{"name": "arch-function", "model": "x"}], False, ["plano/orchestrator"]),
        ([{"name": "mine", "model": "Plano-Orchestrator"}], True, ["arch-function"]),
        ([{"name": "plano-orchestrator", "model": "x"}], True, ["arch-function", "plano/orchestrator"]),
    ],
)
def test_internal_providers_fill_what_is_not_declared(
    providers: list[dict[str, Any]], preferences: bool, names: list[str]
) -> None:
    entries = internal_providers(providers, {}, preferences=preferences)
    assert [entry["name"] for entry in entries] == names
    assert all(entry["internal"] and entry["provider_interface"] == "plano" for entry in entries)
