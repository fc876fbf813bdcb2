from typing import Any

import pytest

_HEAD = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\n"
_GPT = "model_providers: [{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}]\n"


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        ("[{type: model, name: m}]", [("model", "m", 12000)]),
        ("[{type: prompt, name: p}]", [("prompt", "p", 10000), ("model", "egress_traffic", 12000)]),
        ("[]", [("model", "egress_traffic", 12000)]),
        (
            "[{type: agent, name: a, port: 8001, agents: [{id: x, description: d}]}]",
            [("agent", "a", 8001), ("model", "egress_traffic", 12000)],
        ),
    ],
)
def test_listeners_get_their_ports_and_there_is_always_a_model_listener(load, listeners: str, expected: Any) -> None:
    document = load(f"version: v0.4.0\nlisteners: {listeners}\n{_GPT}").document
    assert [(each["type"], each["name"], each["port"]) for each in document["listeners"]] == expected
    (model,) = [each for each in document["listeners"] if each["type"] == "model"]
    assert [provider["name"] for provider in model["model_providers"]] == ["openai/gpt-4o"]


def test_internal_providers_are_only_in_the_top_level_list(load) -> None:
    document = load(_HEAD + _GPT).document
    names = [provider["name"] for provider in document["model_providers"]]
    assert names == ["openai/gpt-4o", "arch-function", "plano/orchestrator"]
    assert [provider["name"] for provider in document["listeners"][0]["model_providers"]] == ["openai/gpt-4o"]


def test_a_document_without_providers_has_only_the_internal_ones(load) -> None:
    document = load(_HEAD).document
    assert [provider["name"] for provider in document["model_providers"]] == ["arch-function", "plano/orchestrator"]


def test_agents_and_filters_are_endpoints_too(load) -> None:
    document = load(
        _HEAD + "agents: [{id: a, url: 'http://Box:8000/x'}]\nfilters: [{id: f, url: 'https://f'}]"
    ).document
    assert document["endpoints"] == {
        "a": {"endpoint": "box", "port": 8000, "protocol": "http"},
        "f": {"endpoint": "f", "port": 443, "protocol": "https"},
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{endpoint: '127.0.0.1:80'}", {"endpoint": "127.0.0.1", "port": 80}),
        ("{endpoint: h, protocol: http}", {"endpoint": "h", "port": 80, "protocol": "http"}),
        ("{endpoint: h, protocol: https}", {"endpoint": "h", "port": 443, "protocol": "https"}),
        ("{endpoint: h, connect_timeout: 250ms}", {"endpoint": "h", "port": 80, "connect_timeout": "0.25s"}),
        ("{endpoint: '[::1]:8080', prefix_affinity: true}", {"endpoint": "::1", "port": 8080, "prefix_affinity": True}),
        ("{endpoint: [h]}", {"endpoint": "h", "port": 80}),
        (
            "{endpoint: [h, 'i:81']}",
            {
                "endpoint": "h",
                "port": 80,
                "replicas": [{"endpoint": "h", "port": 80}, {"endpoint": "i", "port": 81}],
            },
        ),
    ],
)
def test_endpoints_are_split_into_host_and_port(load, written: str, expected: dict[str, Any]) -> None:
    config = load(_HEAD + f"endpoints: {{my-api: {written}}}")
    assert config.document["endpoints"]["my-api"] == expected
    replicas = config.runtime.endpoints["my-api"].replicas
    assert [(each.endpoint, each.port) for each in replicas] == [
        (each["endpoint"], each["port"]) for each in expected.get("replicas", [])
    ]


@pytest.mark.parametrize(
    ("tracing", "environment", "endpoint"),
    [
        ("{random_sampling: 1}", {}, "http://localhost:4317"),
        ("{random_sampling: 1}", {"OTEL_TRACING_GRPC_ENDPOINT": "http://otel/"}, "http://otel:4317"),
        (
            "{opentracing_grpc_endpoint: 'http://mine:1'}",
            {"OTEL_TRACING_GRPC_ENDPOINT": "http://otel"},
            "http://mine:1",
        ),
        ("{exporters: [{type: console}]}", {}, None),
        (
            "{exporters: [{type: console}]}",
            {"OTEL_TRACING_GRPC_ENDPOINT": "http://otel"},
            "http://otel:4317",
        ),
        ("{opentracing_grpc_endpoint: $MINE}", {"MINE": "https://mine"}, "https://mine:4317"),
    ],
)
def test_the_collector_comes_from_the_file_then_the_environment(
    load, tracing: str, environment: dict[str, str], endpoint: str | None
) -> None:
    config = load(_HEAD + f"tracing: {tracing}", environment=environment)
    assert config.document["tracing"].get("opentracing_grpc_endpoint") == endpoint
    assert config.runtime.tracing.opentracing_grpc_endpoint == endpoint


def test_a_wrong_collector_in_the_environment_is_reported(faults) -> None:
    (fault,) = faults(_HEAD + "tracing: {}", environment={"OTEL_TRACING_GRPC_ENDPOINT": "otel:4317"})
    assert (fault.code, fault.path) == ("invalid-collector", "tracing.opentracing_grpc_endpoint")


def test_without_tracing_no_collector_is_looked_up(load) -> None:
    assert "tracing" not in load(_HEAD, environment={"OTEL_TRACING_GRPC_ENDPOINT": "nonsense"}).document


def test_durations_are_seconds_in_the_rendered_document(load) -> None:
    config = load("version: v0.4.0\nlisteners: [{type: model, name: m, timeout: 2m}]\noverrides: "
                  "{upstream_connect_timeout: 1500ms}")  # fmt: skip
    assert config.document["listeners"][0]["timeout"] == "120s"
    assert config.runtime.overrides.upstream_connect_timeout == "1.5s"
