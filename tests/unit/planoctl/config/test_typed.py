from typing import Any

import pytest

from planoctl.config.findings import ConfigError
from planoctl.config.typed import typed

_HEAD = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\n"


def _provider(load, entry: str) -> Any:
    return load(f"{_HEAD}model_providers: [{entry}]").runtime.model_providers[0]


def test_a_provider_without_base_url_has_its_own_address(load) -> None:
    provider = _provider(load, "{model: groq/llama, access_key: $GROQ_API_KEY}")
    assert (provider.endpoint, provider.port, provider.protocol) == ("api.groq.com", 443, "https")
    assert provider.cluster_name == "groq"
    assert provider.base_url is None


def test_a_provider_with_base_url_keeps_its_address(load) -> None:
    provider = _provider(load, "{model: groq/llama, access_key: $GROQ_API_KEY, base_url: 'http://box:81'}")
    assert (provider.endpoint, provider.port, provider.protocol) == ("box", 81, "http")
    assert provider.cluster_name == "groq_box"


@pytest.mark.parametrize(
    ("entry", "prefix"),
    [
        ("{model: openai/*, passthrough_auth: true}", "openai"),
        ("{model: openai/*, name: mine, passthrough_auth: true}", "mine"),
        ("{model: openai/*, name: mine/*, passthrough_auth: true}", "mine"),
        ("{model: together_ai/meta/*, passthrough_auth: true}", "together_ai/meta"),
        ("{model: openai/gpt-4o, passthrough_auth: true}", None),
    ],
)
def test_a_wildcard_knows_its_prefix(load, entry: str, prefix: str | None) -> None:
    assert _provider(load, entry).wildcard_prefix == prefix


def test_every_provider_has_an_address(load) -> None:
    config = load(f"{_HEAD}model_providers: [{{model: openai/gpt-4o, passthrough_auth: true}}]")
    assert all(each.endpoint and each.port and each.cluster_name for each in config.runtime.model_providers)


def test_listeners_have_their_usual_timeouts(load) -> None:
    config = load(
        "version: v0.4.0\nlisteners:\n- {type: model, name: m}\n- {type: prompt, name: p}\n"
        "- {type: agent, name: a, port: 8001, agents: [{id: x, description: d}]}\n"
        "- {type: agent, name: b, port: 8002, timeout: 5s, agents: [{id: x, description: d}]}"
    )
    assert [listener.timeout for listener in config.runtime.listeners] == ["300s", "300s", "30s", "5s"]


def test_localhost_is_an_address(load) -> None:
    config = load("version: v0.4.0\nlisteners: [{type: model, name: m, address: localhost}]")
    assert config.runtime.listeners[0].address == "127.0.0.1"


def test_defaults_and_choices_of_parameters_are_texts(load) -> None:
    config = load(
        "version: v0.4.0\nlisteners: [{type: prompt, name: p}]\nprompt_targets:\n- name: t\n  description: d\n"
        "  parameters:\n  - {name: a, description: d, type: int, default: 3, enum: [1, 2.5, true, x]}\n"
        "  - {name: b, description: d, type: bool, default: false}\n"
    )
    first, second = config.runtime.prompt_targets[0].parameters
    assert (first.default, first.enum, second.default) == ("3", ("1", "2.5", "true", "x"), "false")


def test_disable_signals_is_read(load) -> None:
    assert load(_HEAD).runtime.overrides.disable_signals is False
    assert load(_HEAD + "overrides: {disable_signals: true}").runtime.overrides.disable_signals is True


def test_later_sections_are_read(load) -> None:
    config = load(
        _HEAD + "prompt_caching: {enabled: true}\noverrides: {max_request_bytes: 1024}\nmodel_metrics_sources: [{type: "
        "cost, provider: models.dev}]\nrouting: {route_on_user_only: true, routing_budget: {max_switch_spend_pct: 0}}"
    ).runtime
    assert config.prompt_caching.enabled
    assert config.prompt_caching.min_prefix_tokens == 1024
    assert config.overrides.max_request_bytes == 1024
    assert config.routing.route_on_user_only
    assert config.routing.routing_budget is not None
    assert config.routing.routing_budget.cache_read_discount == 0.1


def test_what_a_routing_decision_may_take_is_read(load) -> None:
    untouched = load(_HEAD).runtime
    assert untouched.overrides.routing_timeout_ms == 2000
    assert untouched.overrides.routing_prompt is None
    assert untouched.overrides.orchestrator_model_context_length is None
    assert untouched.routing.on_error == "fallback"
    config = load(
        _HEAD + "overrides: {routing_timeout_ms: 500, routing_prompt: arch_router_v1, "
        "orchestrator_model_context_length: 4096}\nrouting: {on_error: fail}"
    ).runtime
    assert config.overrides.routing_timeout_ms == 500
    assert config.overrides.routing_prompt == "arch_router_v1"
    assert config.overrides.orchestrator_model_context_length == 4096
    assert config.routing.on_error == "fail"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"version": 1},
        {"version": "v0.4.0", "model_providers": None},
        {"version": "v0.4.0", "model_providers": ["x"]},
        {"version": "v0.4.0", "model_providers": [{"name": "x"}]},
        {"version": "v0.4.0", "listeners": [{"type": "model"}]},
        {"version": "v0.4.0", "listeners": [5]},
        {"version": "v0.4.0", "tracing": "x"},
        {"version": "v0.4.0", "prompt_targets": [{"parameters": [1]}]},
    ],
)
def test_a_document_of_another_shape_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="failed to parse"):
        typed(document)
