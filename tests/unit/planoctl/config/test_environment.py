from pathlib import Path
from typing import Any

import pytest

from planoctl.config.environment import UnsetVariable, expand, merged_environment, references
from planoctl.config.findings import ConfigError
from planoctl.config.pipeline import load_config

_ENV = {"NAME": "value", "EMPTY": "", "DOLLARS": "$NAME", "ODD": "a: b # c\n'd'"}

_HEAD = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\n"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$NAME", "value"),
        ("${NAME}", "value"),
        ("a${NAME}b$NAME", "avaluebvalue"),
        ("$NAME-x", "value-x"),
        ("${MISSING:-default}", "default"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-default}", "default"),
        ("${NAME:-default}", "value"),
        ("$EMPTY", ""),
        ("$$NAME", "$NAME"),
        ("$$$NAME", "$value"),
        ("$$", "$"),
        ("$5 and $", "$5 and $"),
        ("$DOLLARS", "$NAME"),
    ],
)
def test_references_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, _ENV.get) == expanded


@pytest.mark.parametrize("text", ["$MISSING", "${MISSING}", "a$MISSING_b"])
def test_an_unset_variable_without_default_is_an_error(text: str) -> None:
    with pytest.raises(UnsetVariable):
        expand(text, _ENV.get)


def test_references_are_listed_in_order() -> None:
    assert references("$A ${B} ${C:-x} $$D $5") == ("A", "B", "C")


def test_values_may_hold_any_character(load) -> None:
    config = load(_HEAD + "system_prompt: $ODD\ntracing: {span_attributes: {static: {x: $ODD}}}", environment=_ENV)
    assert config.runtime.system_prompt == _ENV["ODD"]
    assert config.document["tracing"]["span_attributes"]["static"]["x"] == _ENV["ODD"]


@pytest.mark.parametrize(
    ("text", "environment", "path", "value"),
    [
        ("listeners: [{type: model, name: m, port: $P}]", {"P": "12001"}, ("listeners", 0, "port"), 12001),
        ("listeners: [{type: model, name: m, port: '${P:-81}'}]", {}, ("listeners", 0, "port"), 81),
        ("listeners: []\noverrides: {disable_signals: $B}", {"B": "True"}, ("overrides", "disable_signals"), True),
        ("listeners: []\noverrides: {disable_signals: $B}", {"B": "no"}, ("overrides", "disable_signals"), False),
        (
            "listeners: []\noverrides: {prompt_target_intent_matching_threshold: $N}",
            {"N": "0.25"},
            ("overrides", "prompt_target_intent_matching_threshold"),
            0.25,
        ),
        ("listeners: []\nmodel_aliases: {a: {target: $T}}\nmodel_providers: [{model: ollama/7, base_url: 'http://h'}]",
         {"T": "7"}, ("model_aliases", "a", "target"), "7"),
    ],
)  # fmt: skip
def test_a_variable_becomes_what_the_schema_wants_there(
    load, text: str, environment: dict[str, str], path: tuple[Any, ...], value: Any
) -> None:
    found: Any = load(f"version: v0.4.0\n{text}", environment=environment).document
    for key in path:
        found = found[key]
    assert found == value
    assert type(found) is type(value)


def test_a_variable_of_the_wrong_kind_is_a_schema_finding(faults) -> None:
    (finding,) = faults("version: v0.4.0\nlisteners: [{type: model, name: m, port: $P}]", environment={"P": "many"})
    assert (finding.code, finding.path) == ("wrong-type", "listeners[0].port")


def test_addresses_may_be_variables(load) -> None:
    text = _HEAD + "model_providers: [{model: ollama/x, base_url: '${SCHEME:-http}://$HOST/v1'}]"
    provider = load(text, environment={"HOST": "Box:8000"}).document["model_providers"][0]
    assert (provider["endpoint"], provider["port"], provider["base_url_path_prefix"]) == ("box", 8000, "/v1")


def test_an_unset_variable_names_itself_its_place_and_the_remedy(faults) -> None:
    (finding,) = faults(_HEAD + "model_providers:\n  - model: ollama/x\n    base_url: $OLLAMA_URL\n", environment={})
    assert (finding.code, finding.path) == ("unset-variable", "model_providers[0].base_url")
    assert (finding.line, finding.column) == (5, 5)
    assert "OLLAMA_URL" in finding.message
    assert "export OLLAMA_URL=" in (finding.remedy or "")


def test_prose_keeps_what_is_no_variable(load) -> None:
    text = _HEAD + "system_prompt: It costs $5 or $MISSING or ${MISSING} or $$5; call $NAME ${MISSING:-me}."
    prompt = load(text, environment=_ENV).runtime.system_prompt
    assert prompt == "It costs $5 or $MISSING or ${MISSING} or $5; call value me."


@pytest.mark.parametrize("value", ["${NAME", "${NA ME}", "x${}"])
def test_a_reference_with_a_slip_is_an_error(faults, value: str) -> None:
    (finding,) = faults(_HEAD + f"overrides: {{upstream_tls_ca_path: '{value}'}}", environment=_ENV)
    assert finding.code == "malformed-reference"


_SECRETS = """
model_providers:
  - model: openai/gpt-4o
    access_key: ${OPENAI_API_KEY}
    headers: {x-team: $TEAM}
routing: {session_cache: {type: redis, url: 'redis://:$REDIS_PASSWORD@cache'}}
state_storage: {type: postgres, connection_string: 'postgresql://u:${PG:-fallback}@db/x'}
tracing: {exporters: [{type: posthog, url: 'https://posthog', api_key: $POSTHOG}]}
endpoints: {api: {endpoint: api}}
prompt_targets:
  - {name: t, description: d, endpoint: {name: api, path: /, http_headers: {Authorization: Bearer $TOKEN}}}
"""
_SECRET_VALUES = {"OPENAI_API_KEY": "sk-1", "TEAM": "red", "REDIS_PASSWORD": "rp", "POSTHOG": "phc", "TOKEN": "tok"}


def test_secrets_stay_references_in_document_and_runtime(load) -> None:
    config = load(_HEAD + _SECRETS, environment=_SECRET_VALUES)
    provider = config.document["model_providers"][0]
    assert provider["access_key"] == "${OPENAI_API_KEY}"
    assert config.runtime.model_providers[0].headers == {"x-team": "$TEAM"}
    assert config.runtime.state_storage.connection_string == "postgresql://u:${PG:-fallback}@db/x"
    assert config.runtime.tracing.exporters[0]["api_key"] == "$POSTHOG"
    assert config.runtime.prompt_targets[0].endpoint.http_headers == {"Authorization": "Bearer $TOKEN"}
    assert config.secrets == _SECRET_VALUES
    assert "sk-1" not in repr(config)


@pytest.mark.parametrize("missing", sorted(_SECRET_VALUES))
def test_every_variable_of_a_secret_must_be_set(faults, missing: str) -> None:
    environment = {name: value for name, value in _SECRET_VALUES.items() if name != missing}
    (finding,) = [each for each in faults(_HEAD + _SECRETS, environment=environment) if each.severity == "error"]
    assert finding.code == "unset-variable"
    assert missing in finding.message


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_a_blank_key_counts_as_unset(faults, value: str) -> None:
    text = _HEAD + "model_providers: [{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}]"
    (finding,) = faults(text, environment={"OPENAI_API_KEY": value})
    assert finding.code == "unset-variable"
    assert "empty" in finding.message


def test_a_blank_header_value_is_a_value(load) -> None:
    text = _HEAD + "model_providers: [{model: openai/g, passthrough_auth: true, headers: {x-team: $TEAM}}]"
    assert load(text, environment={"TEAM": ""}).secrets == {"TEAM": ""}


def test_a_key_of_two_lines_is_refused(faults) -> None:
    text = _HEAD + "model_providers: [{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}]"
    (finding,) = faults(text, environment={"OPENAI_API_KEY": "alpha\nbeta"})
    assert finding.code == "unusable-secret"
    assert "alpha" not in str(finding)


@pytest.mark.parametrize("section", ["system_prompt: $BYTES", "overrides: {upstream_tls_ca_path: $BYTES}"])
def test_a_variable_that_is_no_text_is_refused(faults, section: str) -> None:
    (finding,) = faults(_HEAD + section, environment={"BYTES": "\udcff"})
    assert finding.code == "unusable-variable"


def test_a_literal_key_is_accepted_with_a_warning(load) -> None:
    config = load(_HEAD + "model_providers: [{model: openai/gpt-4o, access_key: sk-literal}]", environment={})
    (warning,) = config.warnings
    assert (warning.code, warning.path) == ("literal-key", "model_providers[0].access_key")
    assert "sk-literal" not in str(warning)
    assert config.secrets == {}


def test_the_process_wins_over_the_file_beside_the_configuration(load, tmp_path: Path) -> None:
    lines = ["# comment", "", "export OPENAI_API_KEY='from file'", 'GROQ_API_KEY="g" # why', "BARE"]
    (tmp_path / ".env").write_text("\n".join(lines))
    text = _HEAD + "model_providers:\n- {model: openai/a, access_key: $OPENAI_API_KEY}\n"
    text += "- {model: groq/b, access_key: $GROQ_API_KEY}\n"
    assert load(text, environment={}).secrets == {"OPENAI_API_KEY": "from file", "GROQ_API_KEY": "g"}
    assert load(text, environment={"OPENAI_API_KEY": "mine"}).secrets["OPENAI_API_KEY"] == "mine"


def test_another_env_file_takes_the_place_of_the_one_beside(load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=beside")
    other = tmp_path / "other.env"
    other.write_text("OPENAI_API_KEY=a$b${c}")
    text = _HEAD + "model_providers: [{model: openai/a, access_key: $OPENAI_API_KEY}]"
    assert load(text, environment={}, env_file=other).secrets == {"OPENAI_API_KEY": "a$b${c}"}


def test_an_env_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="failed to read"):
        merged_environment({}, tmp_path / "missing.env")
    binary = tmp_path / "binary.env"
    binary.write_bytes(b"A=\xff\xfe\x00")
    with pytest.raises(ConfigError, match="failed to read"):
        merged_environment({}, binary)
    config = tmp_path / "config.yaml"
    config.write_text(_HEAD)
    with pytest.raises(ConfigError, match="failed to read"):
        load_config(config, environment={}, env_file=tmp_path)


def test_a_line_of_an_env_file_that_says_nothing_is_warned_about_and_not_shown(load, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("# keys\nA=1\n\nsk-secret-1 sk-secret-2\nexport B=2\nsk-secret-3\n\n  D='unclosed\nE=\n")
    text = _HEAD + "model_providers: [{model: openai/a, access_key: $A, headers: {x-b: $B, x-e: '${E:-e}'}}]"
    loaded = load(text, environment={})
    assert [(each.code, each.severity, each.file, each.line) for each in loaded.warnings] == [
        ("ignored-env-line", "warning", str(env_file), line) for line in (4, 6, 8)
    ]
    assert not any("secret" in str(each) for each in loaded.warnings)
    assert loaded.secrets == {"A": "1", "B": "2", "E": ""}


def test_a_line_of_an_env_file_that_says_nothing_is_an_error_when_strict(faults, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("nonsense\n")
    assert [(fault.severity, fault.code) for fault in faults(_HEAD, strict=True)] == [("error", "ignored-env-line")]


def test_looking_for_a_brace_that_never_comes_takes_no_time() -> None:
    text = "${A:-" * 100_000 + "$B"
    assert references(text) == ("B",)
    assert references("${A:-$B}$C${D") == ("A", "C")
