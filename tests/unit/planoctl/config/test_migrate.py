import copy
from typing import Any

import pytest

from planoctl.config.findings import Report
from planoctl.config.migrate import migrate, parse_version


def _migrated(document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    report, before = Report(), copy.deepcopy(document)
    result = migrate(document, report)
    assert document == before
    return result, [finding.code for finding in report.findings]


def _inline(model: str, *preferences: tuple[str, str]) -> dict[str, Any]:
    return {
        "model": model,
        "routing_preferences": [{"name": name, "description": text} for name, text in preferences],
    }


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.1-beta", (0, 1, 0)),
        ("v0.1", (0, 1, 0)),
        ("V0.4.0", (0, 4, 0)),
        (" 0.2.0 ", (0, 2, 0)),
        ("", (0, 0, 0)),
        ("v1.x.3.4", (1, 0, 3)),
        ("9" * 9000, (0, 0, 0)),
        ("²", (0, 0, 0)),
    ],
)
def test_versions_are_three_numbers(text: str, version: tuple[int, int, int]) -> None:
    assert parse_version(text) == version


def test_inline_preferences_move_to_the_top() -> None:
    result, codes = _migrated(
        {
            "version": "v0.3.0",
            "listeners": [],
            "model_providers": [
                {"model": "openai/gpt-4o-mini"},
                _inline("openai/gpt-4o", ("code understanding", "understand code")),
                _inline("anthropic/claude-sonnet-4-0", ("code generation", "generate code")),
            ],
        }
    )
    assert result["version"] == "v0.4.0"
    assert all("routing_preferences" not in provider for provider in result["model_providers"])
    assert result["routing_preferences"] == [
        {"name": "code understanding", "description": "understand code", "models": ["openai/gpt-4o"]},
        {"name": "code generation", "description": "generate code", "models": ["anthropic/claude-sonnet-4-0"]},
    ]
    assert codes == ["migrated-routing-preferences"]


def test_preferences_of_one_name_are_merged_in_order() -> None:
    providers = [
        _inline("openai/gpt-4o", ("code", "write code"), ("", "nameless")),
        _inline("anthropic/c", ("code", "write code")),
        _inline("groq/l", ("code", "something else")),
    ]
    result, codes = _migrated({"version": "v0.3.0", "listeners": [], "model_providers": providers})
    assert result["routing_preferences"] == [
        {"name": "code", "description": "write code", "models": ["openai/gpt-4o", "anthropic/c", "groq/l"]}
    ]
    assert "conflicting-description" in codes


def test_top_level_preferences_win_over_inline_ones() -> None:
    existing = [{"name": "code", "description": "top", "models": ["groq/l"]}]
    document = {
        "version": "v0.3.0",
        "listeners": [],
        "model_providers": [_inline("openai/gpt-4o", ("code", "inline"), ("talk", "chat"))],
        "routing_preferences": existing,
    }
    result, codes = _migrated(document)
    assert result["routing_preferences"] == [
        *existing,
        {"name": "talk", "description": "chat", "models": ["openai/gpt-4o"]},
    ]
    assert "shadowed-routing-preference" in codes


def test_a_present_document_is_left_alone() -> None:
    document = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "m"}],
        "model_providers": [{"model": "openai/gpt-4o"}],
        "routing_preferences": [{"name": "code", "description": "d", "models": ["openai/gpt-4o"]}],
    }
    assert _migrated(document) == (document, [])


def test_stray_inline_preferences_are_kept_with_a_warning() -> None:
    document = {"version": "v0.4.0", "listeners": [], "model_providers": [_inline("openai/gpt-4o", ("code", "d"))]}
    assert _migrated(document) == (document, ["ignored-routing-preferences"])


@pytest.mark.parametrize(("before", "after"), [("v0.3.0", "v0.4.0"), ("0.1-beta", "v0.4.0"), ("v0.5.0", "v0.5.0")])
def test_the_version_is_raised_and_never_lowered(before: str, after: str) -> None:
    result, _ = _migrated({"version": before, "listeners": [], "model_providers": [{"model": "openai/gpt-4o"}]})
    assert result["version"] == after
    assert "routing_preferences" not in result


def test_a_wildcard_takes_no_preferences() -> None:
    document = {"version": "v0.3.0", "listeners": [], "model_providers": [_inline("openrouter/*", ("code", "d"))]}
    assert _migrated(document)[1] == ["wildcard-routing-preferences"]


def test_llm_providers_are_renamed_and_keep_their_origin() -> None:
    report = Report()
    result = migrate({"version": "v0.4.0", "listeners": [], "llm_providers": [{"model": "openai/gpt-4o"}]}, report)
    assert result["model_providers"] == [{"model": "openai/gpt-4o"}]
    assert "llm_providers" not in result
    assert report.origin(("model_providers", 0, "model")) == ("llm_providers", 0, "model")


def _legacy(**listeners: Any) -> dict[str, Any]:
    return {"version": "v0.4.0", "listeners": listeners, "model_providers": [{"model": "openai/gpt-4o"}]}


_MODEL = {"name": "egress_traffic", "type": "model", "port": 12000, "address": "0.0.0.0", "timeout": "300s"}
_PROMPT = {"name": "ingress_traffic", "type": "prompt", "port": 10000, "address": "0.0.0.0", "timeout": "300s"}


@pytest.mark.parametrize(
    ("legacy", "expected"),
    [
        ({}, [_MODEL]),
        ({"egress_traffic": {"port": 12000, "timeout": "30s"}}, [_MODEL | {"timeout": "30s"}]),
        ({"egress_traffic": {"address": "127.0.0.1", "message_format": "openai"}}, [_MODEL | {"address": "127.0.0.1"}]),
        ({"ingress_traffic": {}}, [_MODEL]),
        (
            {"ingress_traffic": {"port": 10001, "timeout": "30s"}, "egress_traffic": {"port": 12001}},
            [_MODEL | {"port": 12001}, _PROMPT | {"port": 10001, "timeout": "30s"}],
        ),
    ],
)
def test_the_mapping_of_listeners_becomes_a_list(legacy: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    result, codes = _migrated(_legacy(**legacy))
    assert result["listeners"] == expected
    assert codes == ["deprecated-listeners"]


def test_filter_chain_is_read_as_input_filters() -> None:
    listener = {
        "type": "agent",
        "name": "a",
        "port": 8001,
        "filter_chain": ["f"],
        "agents": [{"id": "x", "description": "d", "filter_chain": ["g"]}],
    }
    result, codes = _migrated({"version": "v0.4.0", "listeners": [listener]})
    (migrated,) = result["listeners"]
    assert migrated["input_filters"] == ["f"]
    assert migrated["agents"][0]["input_filters"] == ["g"]
    assert "filter_chain" not in str(result)
    assert codes == ["deprecated-key", "deprecated-key"]


def test_both_names_of_filters_at_once_are_an_error() -> None:
    listener = {"type": "model", "name": "a", "filter_chain": ["f"], "input_filters": ["g"]}
    result, codes = _migrated({"version": "v0.4.0", "listeners": [listener]})
    assert result["listeners"][0]["input_filters"] == ["g"]
    assert codes == ["both-filter-keys"]
