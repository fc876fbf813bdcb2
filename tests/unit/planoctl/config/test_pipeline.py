import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from planoctl.config.findings import ConfigError
from planoctl.config.pipeline import dump_rendered, find_config, load_config, load_document, load_rendered

_DATA = Path(__file__).parents[3] / "data"
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY", "CUSTOM_API_KEY")
_ENVIRONMENT = {key: f"value-of-{key.lower()}" for key in _KEYS}

_LEGACY = """\
version: v0.1.0
listeners:
  egress_traffic: {address: 0.0.0.0, port: 12000, message_format: openai, timeout: 30s}
llm_providers:
  - {model: openai/gpt-4o-mini, access_key: $OPENAI_API_KEY, default: true}
  - model: openai/gpt-4o
    access_key: $OPENAI_API_KEY
    routing_preferences: [{name: code understanding, description: understand and explain code}]
  - model: openai/gpt-4.1
    access_key: $OPENAI_API_KEY
    routing_preferences: [{name: code generation, description: generate code}]
tracing: {random_sampling: 100}
"""

_AGENTS = """\
version: v0.3.0
agents:
  - {id: query_rewriter, url: "http://localhost:10500"}
  - {id: context_builder, url: "http://localhost:10501"}
  - {id: response_generator, url: "http://localhost:10502"}
  - {id: research_agent, url: "http://localhost:10500"}
  - {id: input_guard_rails, url: "http://localhost:10503"}
listeners:
  - name: tmobile
    type: agent
    router: plano_orchestrator_v1
    port: 8001
    agents:
      - {id: simple_rag_agent, description: answers from documents, default: true, input_filters: [query_rewriter]}
      - {id: research_agent, description: finds documents, input_filters: [input_guard_rails]}
  - {name: llm_provider, type: model, port: 12000}
model_providers:
  - {access_key: "${OPENAI_API_KEY}", model: openai/gpt-4o}
"""

_MINIMAL = """\
version: v0.4.0
listeners:
  - {type: model, name: llm, port: 12000}
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
"""

_GUARDRAILS = """\
version: v0.3.0
filters: [{id: guard, url: "http://localhost:10500", type: mcp}]
agents: [{id: helper, url: "http://localhost:10505"}]
listeners:
  - {type: agent, name: chat, port: 8001, agents: [{id: helper, description: helps, filter_chain: [guard]}]}
  - {type: model, name: llm, filter_chain: [guard]}
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
"""

_PASSTHROUGH = """\
version: v0.3.0
listeners: [{type: model, name: m, port: 10000}]
model_providers:
  - {model: custom/gpt-4o, base_url: "http://custom.com/api/v2", provider_interface: openai, passthrough_auth: true}
"""


def test_the_reference_renders_byte_for_byte() -> None:
    config = load_config(_DATA / "plano_config_full_reference.yaml", environment=_ENVIRONMENT)
    assert dump_rendered(config.document) == (_DATA / "plano_config_full_reference_rendered.yaml").read_text()


def test_the_reference_is_doubtful_in_known_ways_only() -> None:
    config = load_config(_DATA / "plano_config_full_reference.yaml", environment=_ENVIRONMENT)
    assert [warning.code for warning in config.warnings] == [
        "undeclared-agent",
        "short-connect-timeout",
        "inactive-key",
    ]


@pytest.mark.parametrize("text", [_MINIMAL, _LEGACY, _AGENTS, _GUARDRAILS, _PASSTHROUGH])
def test_configurations_of_every_kind_load_and_come_back(load, tmp_path: Path, text: str) -> None:
    config = load(text)
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(dump_rendered(config.document))
    assert yaml.safe_load(rendered.read_text()) == config.document
    runtime = load_rendered(rendered, config.secrets)
    assert [listener.port for listener in runtime.listeners] == [each.port for each in config.runtime.listeners]
    assert [each.cluster_name for each in runtime.model_providers] == [
        each.cluster_name for each in config.runtime.model_providers
    ]


def test_the_legacy_configuration_becomes_a_present_one(load) -> None:
    document = load(_LEGACY).document
    assert document["version"] == "v0.4.0"
    assert [preference["models"] for preference in document["routing_preferences"]] == [
        ["openai/gpt-4o"],
        ["openai/gpt-4.1"],
    ]
    assert document["listeners"][0]["timeout"] == "30s"
    assert [each["name"] for each in document["model_providers"] if each.get("internal")] == [
        "plano-orchestrator",
        "arch-function",
        "plano/orchestrator",
    ]


def test_the_example_of_the_specification_renders_as_it_says(load) -> None:
    text = """\
        version: v0.3.0
        listeners: [{type: model, name: m, port: 12000}]
        model_providers:
          - model: custom/llama
            base_url: http://box:8000/api
            provider_interface: openai
            routing_preferences: [{name: code, description: write code}]
        """
    document = load(textwrap.dedent(text)).document
    entry = {
        "base_url": "http://box:8000/api", "base_url_path_prefix": "/api", "cluster_name": "openai_box",
        "endpoint": "box", "model": "llama", "name": "custom/llama", "port": 8000, "protocol": "http",
        "provider_interface": "openai",
    }  # fmt: skip
    internal = {"internal": True, "provider_interface": "plano"}
    assert document == {
        "listeners": [{"model_providers": [entry], "name": "m", "port": 12000, "type": "model"}],
        "model_providers": [
            entry,
            {"model": "Plano-Orchestrator", "name": "plano-orchestrator", **internal},
            {"model": "Arch-Function", "name": "arch-function", **internal},
            {"model": "Plano-Orchestrator", "name": "plano/orchestrator", **internal},
        ],
        "routing_preferences": [{"description": "write code", "models": ["custom/llama"], "name": "code"}],
        "version": "v0.4.0",
    }


def test_loading_changes_neither_document_nor_environment() -> None:
    document = yaml.safe_load(_LEGACY)
    environment = dict(_ENVIRONMENT)
    load_document(document, environment=environment)
    assert document == yaml.safe_load(_LEGACY)
    assert environment == _ENVIRONMENT


def test_findings_of_a_moved_part_name_the_place_in_the_file(faults) -> None:
    text = _LEGACY.replace("openai/gpt-4.1", "gpt-4.1")
    (fault,) = [each for each in faults(text) if each.severity == "error"]
    assert fault.path == "llm_providers[2].model"
    assert fault.line == 9


def test_the_text_of_an_error_names_file_place_and_remedy(load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(_MINIMAL.replace("openai/gpt-4o", "gpt-4o"))
    text = str(caught.value)
    assert "error: Invalid model name gpt-4o." in text
    assert "plano_config.yaml:5:6, model_providers[0].model" in text
    assert "fix: did you mean openai/gpt-4o?" in text


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("model_providers: [{model: ollama/x, base_url: 'ftp://joe:hunter22@host'}]", {}),
        ("model_providers: [{model: ollama/x, base_url: $URL}]", {"URL": "ftp://joe:hunter22@host"}),
        ("agents: [{id: a, url: 'joe://joe:hunter22@host'}]", {}),
        ("tracing: {opentracing_grpc_endpoint: 'ftp://joe:hunter22@host'}", {}),
        ("endpoints: {e: {endpoint: 'http://joe:hunter22@host'}}", {}),
        ("model_providers: [{model: openai/x, access_key: hunter22}, {model: hunter22}]", {}),
        ("model_providers: [{model: openai/x, access_key: $K}, {model: hunter22}]", {"K": "hunter22"}),
        ("routing: {session_cache: {type: redis, url: 'http://:hunter22@host'}}", {}),
    ],
)
def test_no_error_shows_a_secret(faults, text: str, environment: dict[str, str]) -> None:
    findings = faults(f"version: v0.4.0\nlisteners: [{{type: model, name: m}}]\n{text}", environment=environment)
    assert any(finding.severity == "error" for finding in findings)
    assert "hunter22" not in str(findings)


@pytest.mark.parametrize("text", ["$a", "[$a]", "5", "- a", "null"])
def test_a_file_without_a_mapping_has_one_finding(faults, text: str) -> None:
    (fault,) = faults(text)
    assert (fault.code, fault.path, fault.line) == ("wrong-type", "", 1)
    assert "is not of type 'object'" in fault.message


def test_dumps_have_sorted_keys_and_no_aliases() -> None:
    shared = {"b": 1, "a": [1]}
    assert dump_rendered({"y": shared, "x": shared}) == "x:\n  a:\n  - 1\n  b: 1\ny:\n  a:\n  - 1\n  b: 1\n"


def test_services_get_their_secrets_resolved(load, tmp_path: Path) -> None:
    text = _MINIMAL.replace("default: true", "headers: {x-a: 'a $TEAM $$1', x-b: '${NO:-one}'}")
    text += "state_storage: {type: postgres, connection_string: 'postgresql://u:$PW@h/d'}\nsystem_prompt: keep $PW\n"
    config = load(text, environment={"OPENAI_API_KEY": "sk-1\n", "TEAM": "red", "PW": "p"})
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(dump_rendered(config.document))
    runtime = load_rendered(rendered, config.secrets)
    assert runtime.model_providers[0].access_key == "sk-1"
    assert runtime.model_providers[0].headers == {"x-a": "a red $1", "x-b": "one"}
    assert runtime.state_storage is not None
    assert runtime.state_storage.connection_string == "postgresql://u:p@h/d"
    assert runtime.system_prompt == "keep p"


def test_a_chatgpt_login_is_among_the_secrets(load) -> None:
    text = "version: v0.4.0\nlisteners: []\nmodel_providers: [{model: chatgpt/gpt-5}]"
    environment = {"CHATGPT_ACCESS_TOKEN": "t", "CHATGPT_ACCOUNT_ID": "a", "OTHER": "x"}
    assert load(text, environment=environment).secrets == {"CHATGPT_ACCESS_TOKEN": "t", "CHATGPT_ACCOUNT_ID": "a"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: v0.4.0\nmodel_providers: [{name: n, provider_interface: openai, access_key: $GONE}]", "GONE"),
        ("[]", "failed to parse"),
        ("version: [", "Not valid YAML"),
        ("version: v0.4.0\nlisteners: [{type: model, name: m}]", "failed to parse"),
    ],
)
def test_a_rendered_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rendered.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_rendered(path, {})


def test_a_missing_rendered_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="failed to read"):
        load_rendered(tmp_path / "missing.yaml", {})


def test_config_yaml_goes_before_plano_config_yaml(tmp_path: Path) -> None:
    assert find_config(None, tmp_path) is None
    second = tmp_path / "plano_config.yaml"
    second.touch()
    assert find_config(None, tmp_path) == second
    first = tmp_path / "config.yaml"
    first.touch()
    assert find_config(None, tmp_path) == first
    assert find_config(second, tmp_path / "elsewhere") == second


def test_an_explicit_file_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        find_config(tmp_path / "typo.yaml", tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        find_config(tmp_path, tmp_path)
    (tmp_path / "mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert find_config(Path("mine.yaml"), Path()) == tmp_path / "mine.yaml"


def test_a_parsed_document_loads_like_a_file(load) -> None:
    document: dict[str, Any] = yaml.safe_load(_AGENTS)
    assert load_document(document, environment=_ENVIRONMENT).document == load(_AGENTS).document
