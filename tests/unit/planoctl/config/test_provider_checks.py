"""Checks of one provider entry: its headers, its model id, and who else has its name."""

from pathlib import Path

import pytest

from planoctl.config.registry import ModelRegistry

_HEAD = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\n"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Host", "write http_host: v beside base_url"),
        ("content-length", "remove it"),
        ("Connection", "remove it"),
        ("keep-alive", "remove it"),
        ("Proxy-Authorization", "remove it"),
        ("TE", "remove it"),
        ("Transfer-Encoding", "remove it"),
        ("upgrade", "remove it"),
        ("x-arch-llm-provider", "choose another name, e.g. x-team"),
        ("X-Envoy-Retry-On", "choose another name, e.g. x-team"),
        ("x-plano-model", "choose another name, e.g. x-team"),
    ],
)
def test_a_header_that_is_not_the_users_to_set_is_refused(faults, name: str, remedy: str) -> None:
    text = (
        _HEAD
        + f"""\
model_providers:
- {{model: gpt-4o}}
- model: openai/gpt-4o
  passthrough_auth: true
  headers:
    x-team: blue
    {name}: v
"""
    )
    fault = next(fault for fault in faults(text) if fault.code == "reserved-header")
    assert (fault.severity, fault.line, fault.remedy) == ("error", 9, remedy)
    assert fault.path == f"model_providers[1].headers.{name}"
    assert fault.file is not None
    assert Path(fault.file).name == "plano_config.yaml"


def test_a_pseudo_header_is_no_header_name(faults) -> None:
    text = _HEAD + "model_providers: [{model: openai/a, passthrough_auth: true, headers: {':path': /x}}]"
    assert [fault.code for fault in faults(text)] == ["invalid-header"]


def test_a_header_like_a_reserved_one_is_accepted(load) -> None:
    headers = "{x-archive: a, x-environment: b, teams: c, x-host: d}"
    text = _HEAD + f"model_providers: [{{model: openai/a, passthrough_auth: true, headers: {headers}}}]"
    assert load(text).warnings == ()


@pytest.mark.parametrize(
    ("entries", "code", "remedy"),
    [
        (
            ["{model: openai/a, passthrough_auth: true}", "{model: openai/a, passthrough_auth: true}"],
            "duplicate-model-name",
            "remove this entry or model_providers[0] (line 4)",
        ),
        (
            [f"{{name: n, model: openai/{model}, passthrough_auth: true}}" for model in "ab"],
            "duplicate-provider-name",
            "rename this entry or model_providers[0] (line 4)",
        ),
        (
            ["{model: openai/*, passthrough_auth: true}", "{model: openai/*, passthrough_auth: true}"],
            "duplicate-model-name",
            "remove this wildcard or model_providers[0] (line 4), or name each",
        ),
    ],
)  # fmt: skip
def test_a_duplicate_names_both_entries(faults, entries: list[str], code: str, remedy: str) -> None:
    text = _HEAD + "model_providers:\n" + "".join(f"- {entry}\n" for entry in entries)
    (fault,) = faults(text)
    assert (fault.code, fault.line, fault.remedy) == (code, 5, remedy)


def test_the_third_of_three_duplicates_names_the_first(faults) -> None:
    text = _HEAD + "model_providers:\n" + "- {model: openai/a, passthrough_auth: true}\n" * 3
    assert {fault.remedy for fault in faults(text)} == {"remove this entry or model_providers[0] (line 4)"}


@pytest.mark.parametrize("model", ["azure_openai/..", "azure_openai/.", "openai/ .."])
def test_a_model_id_that_is_a_step_in_a_path_is_refused(faults, model: str) -> None:
    text = _HEAD + f"model_providers: [{{model: '{model}', base_url: 'https://x.example', passthrough_auth: true}}]"
    assert [(fault.code, fault.path) for fault in faults(text)] == [("invalid-model-name", "model_providers[0].model")]


@pytest.mark.parametrize("path", ["/a/../b", "/..", "/a/%2e%2E/b", "/./a"])
def test_a_base_url_with_steps_in_its_path_is_refused(faults, path: str) -> None:
    text = _HEAD + f"model_providers: [{{model: openai/a, base_url: 'https://x{path}', passthrough_auth: true}}]"
    assert [fault.code for fault in faults(text)] == ["invalid-base-url"]


@pytest.mark.parametrize("name", ["azure_openai/..", "azure_openai/."])
def test_no_wildcard_stands_for_a_step_in_a_path(load, name: str) -> None:
    text = _HEAD + "model_providers: [{model: azure_openai/*, base_url: 'https://x', passthrough_auth: true}]"
    registry = ModelRegistry(load(text).runtime)
    assert registry.resolve(name) is None
    assert registry.resolve("azure_openai/gpt-4.1") is not None
