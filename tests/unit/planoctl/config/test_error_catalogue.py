"""Every message of the specification's catalogue that users search for (spec 01 §12, §8)."""

import pytest

_LISTENERS = "listeners: [{type: model, name: m, port: 12000}]"
_HEAD = f"version: v0.4.0\n{_LISTENERS}\n"
_GPT = "{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}"


def _providers(*entries: str) -> str:
    return _HEAD + f"model_providers: [{', '.join(entries)}]\n"


def _preferences(*entries: str, rest: str = "") -> str:
    return _providers(_GPT) + f"routing_preferences: [{', '.join(entries)}]\n{rest}"


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        (
            _providers(_GPT) + f"llm_providers: [{_GPT}]",
            (
                "Please provide either llm_providers or model_providers, not both. llm_providers is deprecated, please "
                "use model_providers instead"
            ),
            "llm_providers",
        ),
        (
            "version: v0.1.0\nlisteners: {egress_traffic: {port: 12000}}",
            "model_providers cannot be empty when using legacy format",
            "listeners",
        ),
        (
            "version: v0.1.0\nlisteners: {egress_traffic: {port: 12000}}\nllm_providers: []",
            "model_providers cannot be empty when using legacy format",
            "listeners",
        ),
        (
            "version: v0.4.0\nlisteners: [{type: model, name: a, port: 1}, {type: model, name: b, port: 2}]",
            "Currently only one listener can have model_providers set",
            "listeners[1]",
        ),
        (
            (
                f"version: v0.3.0\n{_LISTENERS}\nmodel_providers: [{{model: openrouter/*, passthrough_auth: true, "
                "routing_preferences: [{name: n, description: d}]}]"
            ),
            (
                "Model openrouter/* has routing_preferences but uses wildcard (*). Models with routing preferences "
                "cannot be wildcards."
            ),
            "model_providers[0].routing_preferences",
        ),
        (
            _HEAD + "agents: [{id: x, url: 'http://a'}]\nfilters: [{id: x, url: 'http://b'}]",
            "Duplicate agent id x, please provide unique id for each agent",
            "filters[0].id",
        ),
        (
            _HEAD + "prompt_targets: [{name: t, description: d, endpoint: {name: nowhere, path: /}}]",
            "Unknown endpoint nowhere, please add it in endpoints section in your plano_config.yaml file",
            "prompt_targets[0].endpoint.name",
        ),
        (
            _HEAD + "tracing: {opentracing_grpc_endpoint: 'grpc://c:4317'}",
            "Invalid opentracing_grpc_endpoint grpc://c:4317, scheme must be http",
            "tracing.opentracing_grpc_endpoint",
        ),
        (
            _HEAD + "tracing: {opentracing_grpc_endpoint: 'http://c:4317/v1'}",
            "Invalid opentracing_grpc_endpoint http://c:4317/v1, path must be empty",
            "tracing.opentracing_grpc_endpoint",
        ),
        (
            _preferences(*["{name: code understanding, description: d, models: [openai/gpt-4o]}"] * 2),
            (
                'Duplicate routing preference name "code understanding", please provide unique name for each routing '
                "preference"
            ),
            "routing_preferences[1].name",
        ),
        (
            _providers(*["{name: test1, model: openai/gpt-4o, access_key: $OPENAI_API_KEY}"] * 2),
            "Duplicate model_provider name test1, please provide unique name for each model_provider",
            "model_providers[1].name",
        ),
        (
            _providers(_GPT, _GPT),
            "Duplicate model name openai/gpt-4o",
            "model_providers[1].model",
        ),
        (
            _providers("{model: gpt-4o}"),
            (
                "Invalid model name gpt-4o. Please provide model name in the format <provider>/<model_id> or "
                "<provider>/* for wildcards."
            ),
            "model_providers[0].model",
        ),
        (
            _providers("{model: openai/*, default: true, passthrough_auth: true}"),
            "Model openai/* is configured as default but uses wildcard (*). Default models cannot be wildcards.",
            "model_providers[0].default",
        ),
        (
            _providers("{model: ollama/llama3}"),
            "Provider 'ollama' requires 'base_url' to be set for model ollama/llama3",
            "model_providers[0]",
        ),
        (
            _providers("{model: custom/gpt-4o}"),
            (
                "Must provide base_url and provider_interface for unsupported provider custom for model custom/gpt-4o. "
                "Supported providers are: deepseek, groq, mistral, openai, xiaomi, gemini, anthropic, together_ai, "
                "xai, moonshotai, zhipu, chatgpt, digitalocean, vercel, openrouter,"
            ),
            "model_providers[0]",
        ),
        (
            _providers("{model: custom/*, base_url: 'http://h'}"),
            "Must provide base_url and provider_interface for unsupported provider custom for wildcard model custom/*",
            "model_providers[0]",
        ),
        (
            _providers("{model: openai/gpt-4o, provider_interface: openai, access_key: $OPENAI_API_KEY}"),
            (
                "Please provide provider interface as part of model name openai/gpt-4o using the format "
                "<provider>/<model_id>."
            ),
            "model_providers[0].provider_interface",
        ),
        (
            _providers("{model: openai/x, base_url: x.example.com}"),
            "Please provide a valid URL with scheme (http/https) in base_url",
            "model_providers[0].base_url",
        ),
        (
            "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000, input_filters: [nobody]}]",
            (
                "Listener 'm' references input_filters id 'nobody' which is not defined in agents or filters. "
                "Available ids: "
            ),
            "listeners[0].input_filters[0]",
        ),
        (
            (
                "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000, input_filters: [f], output_filters: "
                "[g]}]\nfilters: [{id: f, url: 'http://f'}, {id: e, url: 'http://e'}]"
            ),
            (
                "Listener 'm' references output_filters id 'g' which is not defined in agents or filters. "
                "Available ids: e, f"
            ),
            "listeners[0].output_filters[0]",
        ),
        (
            _providers(_GPT) + "model_aliases: {fast: {target: gpt-5}}",
            (
                "Model alias 'fast' targets 'gpt-5' which is not defined as a model. "
                "Available models: gpt-4o, openai/gpt-4o"
            ),
            "model_aliases.fast.target",
        ),
        (
            _HEAD + "overrides: {use_agent_orchestrator: true}",
            "Please provide agent orchestrator in the endpoints section in your plano_config.yaml file",
            "overrides.use_agent_orchestrator",
        ),
        (
            _HEAD + "overrides: {use_agent_orchestrator: true}\nendpoints: {a: {endpoint: a}, b: {endpoint: b}}",
            "Please provide single agent orchestrator in the endpoints section in your plano_config.yaml file",
            "overrides.use_agent_orchestrator",
        ),
        (
            _providers(_GPT.replace("}", ", default: true}"), "{model: groq/b, default: true, passthrough_auth: true}"),
            "There must be at most one default LLM Provider",
            "model_providers[1].default",
        ),
        (
            _preferences("{name: code, description: d, models: [openai/gpt-5]}"),
            "routing_preferences route 'code' references model 'openai/gpt-5' which is not declared in model_providers",
            "routing_preferences[0].models[0]",
        ),
        (
            _HEAD + "model_metrics_sources: [{type: cost, provider: models.dev}, {type: cost, provider: digitalocean}]",
            "model_metrics_sources: only one cost metrics source is allowed",
            "model_metrics_sources[1]",
        ),
        (
            _HEAD
            + "model_metrics_sources:\n"
            + "- {type: latency, provider: prometheus, url: 'http://p', query: q}\n" * 2,
            "model_metrics_sources: only one latency metrics source is allowed",
            "model_metrics_sources[1]",
        ),
        (
            _HEAD + "routing: {session_cache: {type: redis}}",
            "session_cache.url is required when type is redis",
            "routing.session_cache",
        ),
        (
            _HEAD + "state_storage: {type: postgres, connection_string: ''}",
            "connection_string is required for postgres state_storage",
            "state_storage.connection_string",
        ),
    ],
)
def test_a_fault_has_the_message_users_search_for(faults, text: str, message: str, path: str) -> None:
    findings = faults(text)
    (found,) = [finding for finding in findings if finding.path == path and finding.severity == "error"]
    assert message in found.message
    assert found.remedy
    assert found.line is not None
    assert found.column is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            _providers(_GPT, "{model: mistral/gpt-4o, access_key: $MISTRAL_API_KEY}"),
            "Duplicate model_id gpt-4o",
        ),
    ],
)
def test_what_still_works_is_only_a_warning(load, text: str, message: str) -> None:
    (warning,) = load(text).warnings
    assert warning.severity == "warning"
    assert message in warning.message
