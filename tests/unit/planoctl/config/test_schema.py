from pathlib import Path
from typing import Any

import pytest

from hermesllm.providers import PROVIDERS
from planoctl.config.findings import MOST_FINDINGS, Report
from planoctl.config.model_providers import FIXED_INTERFACES
from planoctl.config.schema import Shape, document_schema, validate
from planoctl.config.zero_config import synthesise

_DEFINITIONS = document_schema()["definitions"]


def _minimal(**sections: Any) -> dict[str, Any]:
    return {"version": "v0.4.0", "listeners": [], **sections}


def _findings(document: Any) -> list[tuple[str, str, str]]:
    report = Report()
    validate(document, report)
    return [(finding.code, finding.path, finding.message) for finding in report.findings]


def test_the_schema_has_exactly_the_providers_of_the_registry() -> None:
    names = {name for provider in PROVIDERS.values() for name in (provider.id, *provider.aliases)}
    choices = _DEFINITIONS["model_provider"]["properties"]["provider_interface"]["enum"]
    assert set(choices) == names
    assert len(choices) == len(names)


def test_every_provider_that_the_pipeline_names_is_in_the_registry() -> None:
    assert set(FIXED_INTERFACES) <= set(PROVIDERS)
    assert {entry["name"] for entry in synthesise({})[0]["model_providers"]} <= set(PROVIDERS)


@pytest.mark.parametrize("version", ["v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.2.0", "v0.3.0", "v0.4.0", "0.4.0"])
def test_versions_are_accepted_with_and_without_v(version: str) -> None:
    assert _findings({"version": version, "listeners": []}) == []


@pytest.mark.parametrize(
    ("document", "code", "path", "message"),
    [
        ({"listeners": []}, "missing-key", "", "'version' is a required property"),
        ({"version": "v0.4.0"}, "missing-key", "", "'listeners' is a required property"),
        (_minimal(version="v0.5.0"), "unknown-value", "version", "'v0.5.0' is not one of ["),
        (_minimal(version=0.4), "wrong-type", "version", "0.4 is not of type 'string'"),
        (_minimal(foo=1), "unknown-key", "", "Additional properties are not allowed ('foo' was unexpected)"),
        ([], "wrong-type", "", "a list is not of type 'object'"),
        ("text", "wrong-type", "", "'text' is not of type 'object'"),
        (None, "wrong-type", "", "null is not of type 'object'"),
        (
            _minimal(model_providers=[{"model": "x/y", "provider_interface": "nobody"}]),
            "unknown-value",
            "model_providers[0].provider_interface",
            "'nobody' is not one of [",
        ),
        (
            _minimal(state_storage={"type": "postgres"}),
            "missing-key",
            "state_storage",
            "'connection_string' is a required property",
        ),
        (
            _minimal(model_metrics_sources=[{"type": "latency", "provider": "prometheus", "url": "http://p"}]),
            "missing-key",
            "model_metrics_sources[0]",
            "'query' is a required property",
        ),
        (
            _minimal(model_metrics_sources=[{"type": "cost", "provider": "prometheus"}]),
            "unknown-value",
            "model_metrics_sources[0].provider",
            "'prometheus' is not one of ['digitalocean', 'models.dev']",
        ),
        (
            _minimal(model_metrics_sources=[{"provider": "prometheus"}]),
            "missing-key",
            "model_metrics_sources[0]",
            "'type' is a required property",
        ),
        (
            _minimal(tracing={"exporters": [{"type": "posthog", "url": "u"}]}),
            "missing-key",
            "tracing.exporters[0]",
            "'api_key' is a required property",
        ),
        (_minimal(listeners=[{"type": "model", "name": "m", "port": 0}]), "out-of-range", "listeners[0].port", "0 is"),
        (_minimal(listeners={"egress_traffic": {"port": 70000}}), "out-of-range", "listeners.egress_traffic.port", "7"),
        (_minimal(listeners={"ingress": {}}), "unknown-key", "listeners", "('ingress' was unexpected)"),
        (_minimal(listeners="x"), "wrong-type", "listeners", "'x' is not of type 'array', 'object'"),
        (_minimal(routing={"session_max_entries": 10001}), "out-of-range", "routing.session_max_entries", "10001"),
        (_minimal(routing={"routing_budget": {}}), "missing-key", "routing.routing_budget", "'max_switch_spend_pct'"),
        *[
            (_minimal(routing={"routing_budget": budget}), "out-of-range", f"routing.routing_budget.{key}", "")
            for key, budget in [
                ("max_switch_spend_pct", {"max_switch_spend_pct": -1}),
                ("max_switch_spend_pct", {"max_switch_spend_pct": 100.1}),
                ("cache_read_discount", {"max_switch_spend_pct": 1, "cache_read_discount": 1.5}),
            ]
        ],
        (_minimal(overrides={"max_request_bytes": 1023}), "out-of-range", "overrides.max_request_bytes", "1023"),
        (_minimal(overrides={"routing_timeout_ms": 0}), "out-of-range", "overrides.routing_timeout_ms", "0"),
        (_minimal(overrides={"routing_timeout_ms": 60_001}), "out-of-range", "overrides.routing_timeout_ms", "60001"),
        (_minimal(overrides={"routing_prompt": "v2"}), "unknown-value", "overrides.routing_prompt", "'v2' is not one"),
        (_minimal(routing={"on_error": "retry"}), "unknown-value", "routing.on_error", "'retry' is not one of"),
        (
            _minimal(ratelimits=[{"model": "m", "selector": {"key": "k"}, "limit": {"tokens": 1, "unit": "week"}}]),
            "unknown-value",
            "ratelimits[0].limit.unit",
            "'week' is not one of",
        ),
        (
            _minimal(ratelimits=[{"model": "m", "selector": {"key": "k"}, "limit": {"tokens": 0, "unit": "day"}}]),
            "out-of-range",
            "ratelimits[0].limit.tokens",
            "0 is less than",
        ),
        (
            _minimal(routing_preferences=[{"name": "n", "description": "d", "models": []}]),
            "empty-list",
            "routing_preferences[0].models",
            "",
        ),
        (_minimal(agents=[{"id": "", "url": "http://a"}]), "empty-text", "agents[0].id", ""),
        (_minimal(endpoints={"my-api": {"endpoint": 5}}), "wrong-type", "endpoints.my-api.endpoint", "5 is not"),
        (_minimal(prompt_caching={"min_prefix_tokens": 0}), "out-of-range", "prompt_caching.min_prefix_tokens", "0"),
    ],
)  # fmt: skip
def test_schema_faults_are_named_with_their_place(document: Any, code: str, path: str, message: str) -> None:
    found = _findings(document)
    assert [(code, path)] == [(found_code, found_path) for found_code, found_path, _ in found]
    assert message in found[0][2]


@pytest.mark.parametrize(
    ("document", "remedy"),
    [
        (_minimal(model_provider=[]), "did you mean 'model_providers'?"),
        (_minimal(model_providers=[{"model": "a/b", "acces_key": "$K"}]), "did you mean 'access_key'?"),
        (_minimal(model_providers=[{"model": "a/b", "provider_interface": "opnai"}]), "did you mean 'openai'?"),
        (_minimal(tracing={"span_attributes": {"static": {"x": 1}}}), "put the value in quotes"),
        (_minimal(listeners=[{"type": "model", "name": "m", "port": "x"}]), "write a whole number"),
        ({"listeners": []}, "add `version: v0.4.0`"),
    ],
)
def test_findings_say_what_to_write_instead(document: Any, remedy: str) -> None:
    report = Report()
    validate(document, report)
    (finding,) = report.findings
    assert finding.remedy == remedy


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (_minimal(overrides={"use_agent_orchestrater": True}), "overrides.use_agent_orchestrater"),
        (_minimal(prompt_guards={"output_guards": {}}), "prompt_guards.output_guards"),
        (_minimal(endpoints={"my-api": {"endpoint": "h", "retries": 1}}), "endpoints.my-api.retries"),
    ],
)
def test_unknown_keys_are_a_warning_where_they_were_always_accepted(document: Any, path: str) -> None:
    report = Report()
    assert validate(document, report) == document
    (finding,) = report.findings
    assert (finding.severity, finding.code, finding.path) == ("warning", "unknown-key", path)


@pytest.mark.parametrize(
    "secret",
    [
        {"model_providers": [{"model": "a/b", "access_key": 123456789}]},
        {"model_providers": [{"model": "a/b", "headers": {"x": 123456789}}]},
        {"state_storage": {"type": "postgres", "connection_string": 123456789}},
        {"routing": {"session_cache": {"url": 123456789}}},
        {"model_providers": [{"model": "a/b", "access_key": ["123456789"]}]},
        {"model_providers": {"access_key": "123456789"}},
    ],
)
def test_messages_show_no_secret(secret: dict[str, Any]) -> None:
    found = _findings(_minimal(**secret))
    assert found
    assert "123456789" not in str(found)


def test_what_is_left_after_faults_is_sound_and_keeps_its_origin() -> None:
    document = _minimal(model_providers=[{"model": 1}, {"model": "a/b", "foo": 1}, {"name": "x"}, {"model": "c/d"}])
    report = Report()
    rest = validate(document, report)
    assert rest["model_providers"] == [{"model": "a/b"}, {"model": "c/d"}]
    assert report.origin(("model_providers", 0, "model")) == ("model_providers", 1, "model")
    assert report.origin(("model_providers", 1)) == ("model_providers", 3)
    assert not report.intact("model_providers")


def test_a_section_left_incomplete_is_taken_out() -> None:
    report = Report()
    assert validate(_minimal(state_storage={"type": "tape"}), report) == {"version": "v0.4.0", "listeners": []}
    assert [finding.code for finding in report.findings] == ["unknown-value"]


def test_shapes_follow_references_and_conditions() -> None:
    document = _minimal(listeners=[{"type": "model", "name": "m", "port": 1}])
    shape = Shape.of_document(document)
    for key, value in (("listeners", document["listeners"]), (0, document["listeners"][0]), ("port", 1)):
        shape = shape.child(key, value)
    assert shape.types == {"integer"}


def test_the_schema_file_is_well_formed() -> None:
    import jsonschema
    import yaml

    text = (Path(__file__).parents[4] / "config" / "plano_config_schema.yaml").read_text()
    jsonschema.Draft7Validator.check_schema(yaml.safe_load(text))


def test_of_a_flood_of_faults_the_first_are_told_and_the_rest_counted() -> None:
    found = _findings(_minimal(**{f"key{number}": 1 for number in range(1000)}))
    assert len(found) == MOST_FINDINGS + 1
    assert {code for code, *_ in found[:-1]} == {"unknown-key"}
    assert found[-1] == ("more-findings", "", f"{1000 - MOST_FINDINGS} more errors, which are not shown")
