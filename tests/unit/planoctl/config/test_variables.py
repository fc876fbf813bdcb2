from typing import Any

from planoctl.config.findings import Report
from planoctl.config.variables import report_literal_secrets, stand_ins, variables

DOCUMENT: dict[str, Any] = {
    "version": "v0.4.0",
    "listeners": [{"type": "model", "name": "llm", "port": "${PORT:-12000}"}],
    "model_providers": [
        {"model": "openai/gpt-4o", "access_key": "$KEY", "headers": {"x-org": "$ORG", "x-team": "blue"}},
        {"model": "mine/one", "base_url": "$URL/v1", "access_key": "${KEY:-x}"},
    ],
    "routing": {"session_cache": {"type": "redis", "url": "redis://:$PW@redis"}},
    "system_prompt": "Prices are in $USD. Our name is $NAME.",
}


def test_a_variable_is_required_where_one_reference_has_no_default() -> None:
    assert variables(DOCUMENT, {"NAME": "Plano"}) == {
        "KEY": True,
        "NAME": False,
        "ORG": True,
        "PORT": False,
        "PW": True,
        "URL": True,
    }


def test_only_keys_and_headers_get_stand_ins_and_only_where_they_lack() -> None:
    assert set(stand_ins(DOCUMENT, {})) == {"KEY", "ORG"}
    assert set(stand_ins(DOCUMENT, {"KEY": "k", "ORG": " "})) == {"ORG"}


def literals(document: dict[str, Any]) -> list[str]:
    report = Report()
    report_literal_secrets(document, report)
    return [finding.path for finding in report.findings]


def test_references_and_harmless_values_are_no_secrets() -> None:
    assert literals(DOCUMENT) == []


def test_keys_credential_headers_and_passwords_are() -> None:
    document = {
        **DOCUMENT,
        "model_providers": [
            {"model": "openai/gpt-4o", "access_key": "sk-1", "headers": {"Authorization": "Bearer 1", "X-Api-Key": "1"}}
        ],
        "state_storage": {"type": "postgres", "connection_string": "postgres://plano:pw@db/$DB"},
    }
    assert set(literals(document)) == {
        "model_providers[0].access_key",
        "model_providers[0].headers.Authorization",
        "model_providers[0].headers.X-Api-Key",
        "state_storage.connection_string",
    }
