from pathlib import Path

import pytest

from planoctl.config.pipeline import LoadedConfig, load_config

HERE = "http://127.0.0.1:5317"
_REST = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\nmodel_providers: [{model: openai/gpt-4o}]\n"


def loaded(folder: Path, tracing: str, collector: str | None = HERE, **environment: str) -> LoadedConfig:
    path = folder / "config.yaml"
    path.write_text(_REST + tracing)
    return load_config(path, environment=environment, collector=collector)


def codes(config: LoadedConfig) -> list[str]:
    return [finding.code for finding in config.warnings if finding.path.startswith("tracing")]


@pytest.mark.parametrize(
    ("tracing", "sampling"),
    [
        ("", 100),
        ("tracing: {}", 100),
        ("tracing: {random_sampling: 0}", 100),
        ("tracing: {random_sampling: 7, span_attributes: {static: {a: b}}}", 7),
    ],
)
def test_spans_go_to_the_collector_on_this_host(tracing: str, sampling: int, tmp_path: Path) -> None:
    config = loaded(tmp_path, tracing, OTEL_TRACING_GRPC_ENDPOINT="http://elsewhere:4317")
    found = config.runtime.tracing
    assert found is not None
    assert (found.random_sampling, found.opentracing_grpc_endpoint) == (sampling, HERE)
    assert found.span_attributes.static == ({"a": "b"} if sampling == 7 else {})
    assert codes(config) == []


def test_another_collector_in_the_file_gives_way_with_a_warning(tmp_path: Path) -> None:
    config = loaded(tmp_path, 'tracing: {opentracing_grpc_endpoint: "http://otel:4317"}')
    assert config.document["tracing"]["opentracing_grpc_endpoint"] == HERE
    (warning,) = [finding for finding in config.warnings if finding.code == "collector-overridden"]
    assert warning.message == f"--with-tracing sends spans to {HERE}, not to http://otel:4317"
    assert (warning.path, warning.line) == ("tracing.opentracing_grpc_endpoint", 4)


@pytest.mark.parametrize("named", ["http://localhost:5317", "http://127.0.0.1:5317/", "http://[::1]:5317"])
def test_the_same_collector_in_other_words_is_no_conflict(named: str, tmp_path: Path) -> None:
    assert codes(loaded(tmp_path, f'tracing: {{opentracing_grpc_endpoint: "{named}"}}')) == []


@pytest.mark.parametrize("named", ["http://localhost:4317", "https://localhost:5317", "localhost:5317"])
def test_another_port_or_scheme_is_another_collector(named: str, tmp_path: Path) -> None:
    found = loaded(tmp_path, f'tracing: {{opentracing_grpc_endpoint: "{named}"}}')
    assert codes(found) == ["collector-overridden"]


def test_without_a_collector_the_file_is_left_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, "", collector=None).runtime.tracing is None
