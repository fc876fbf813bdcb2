"""Cross-reference checks: what is accepted, what is warned about and what is refused, by code."""

import pytest

_MODEL = "{type: model, name: m, port: 12000}"
_HEAD = f"version: v0.4.0\nlisteners: [{_MODEL}]\n"
_GPT = "model_providers: [{model: openai/gpt-4o, access_key: $OPENAI_API_KEY}]\n"
_ANY_CLAUDE = "model_providers: [{model: anthropic/*, access_key: $ANTHROPIC_API_KEY}]\n"
_AGENTS = "agents: [{id: a, url: 'http://a'}, {id: b, url: 'http://b'}]\n"


def _listeners(*entries: str) -> str:
    return f"version: v0.4.0\nlisteners: [{', '.join(entries)}]\n"


def _agent_listener(agents: str, rest: str = "port: 8001") -> str:
    return f"{{type: agent, name: desk, agents: [{agents}], {rest}}}"


_AGENT = "{id: a, description: d}"


@pytest.mark.parametrize(
    "text",
    [
        _HEAD + _ANY_CLAUDE + "model_aliases: {smart: {target: anthropic/claude-next}}",
        _HEAD + _ANY_CLAUDE + "routing_preferences: [{name: n, description: d, models: [anthropic/claude-next]}]",
        _HEAD
        + "model_providers: [{model: openai/*, access_key: $OPENAI_API_KEY}]\n"
        + "model_aliases: {f: {target: gpt-4o}}",
        _HEAD + _GPT.replace("{model", "{name: mine, model") + "model_aliases: {f: {target: mine}}",
        _HEAD
        + "model_providers: [{name: mine, model: custom/llama, base_url: 'http://b', provider_interface: openai}]\n"
        + "routing_preferences: [{name: n, description: d, models: [custom/llama, mine, llama]}]",
        _HEAD + _GPT + "ratelimits: [{model: gpt-4o, selector: {key: x-user}, limit: {tokens: 1, unit: second}}]",
        _HEAD + "tracing: {opentracing_grpc_endpoint: 'https://c:4317', random_sampling: 0}",
        _HEAD + "tracing: {random_sampling: 5, opentracing_grpc_endpoint: '', exporters: [{type: posthog, "
        "url: 'http://p', api_key: $CUSTOM_API_KEY}]}",
        _HEAD + "routing: {session_cache: {type: redis, url: 'rediss://cache'}}",
        _HEAD + "routing: {session_cache: {type: redis, url: 'redis://:$CUSTOM_API_KEY@cache'}}",
        _HEAD + "routing: {routing_budget: {max_switch_spend_pct: 100}}",
        *(
            _HEAD + _GPT + "routing_preferences: [{name: n, description: d, models: [gpt-4o], selection_policy: "
            f"{{prefer: {policy}}}}}]"
            for policy in ("cheapest", "fastest", "none")
        ),
        _HEAD + "overrides: {use_agent_orchestrator: true}\nagents: [{id: boss, url: 'http://boss'}]",
        _HEAD + "endpoints: {my-api.v2: {endpoint: [a, 'b:81']}}",
        _listeners(_MODEL, _agent_listener(_AGENT), _agent_listener(_AGENT, "port: 8002").replace("desk", "other"))
        + _AGENTS,
        _listeners("{type: model, name: m, port: 12000, address: 127.0.0.1}", "{type: prompt, name: p, port: 12000, "
        "address: 127.0.0.2}"),
        _listeners("{type: model, name: m, address: localhost}"),
        _listeners("{type: model, name: m, address: '::1'}"),
        _listeners("{type: model, name: m, input_filters: [f], output_filters: [f]}")
        + "filters: [{id: f, url: 'http://f'}]",
    ],
)  # fmt: skip
def test_what_fits_together_has_no_finding(load, text: str) -> None:
    assert load(text).warnings == ()


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        (
            _listeners(_MODEL, _agent_listener("{id: z, description: d}")),
            "undeclared-agent",
            "listeners[1].agents[0].id",
        ),
        (
            _listeners(_MODEL, _agent_listener("{id: a, description: d, input_filters: [q]}")) + _AGENTS,
            "undeclared-filter",
            "listeners[1].agents[0].input_filters[0]",
        ),
        (_listeners(_MODEL, _agent_listener("")), "no-agents", "listeners[1]"),
        (
            _listeners(_MODEL, _agent_listener(_AGENT + ", " + _AGENT.replace("a,", "b,"))) + _AGENTS,
            "no-default-agent",
            "listeners[1].agents",
        ),
        (
            _listeners(_MODEL, _agent_listener("{id: a, description: d, default: true}, {id: b, description: d, "
            "default: true}")) + _AGENTS,
            "two-default-agents",
            "listeners[1].agents[1].default",
        ),
        (_listeners("{type: model, name: m, port: 9901}"), "port-clash", "listeners[0].port"),
        (
            _listeners(_MODEL, "{type: prompt, name: p}", "{type: prompt, name: q, port: 10001}"),
            "two-prompt-listeners",
            "listeners[2]",
        ),
        (_HEAD + "prompt_targets: [{name: t, description: d}]", "no-prompt-listener", "prompt_targets"),
        (
            _listeners(_MODEL, "{type: prompt, name: p}") + "prompt_targets: [{name: t, description: d}, {name: t, "
            "description: d}]",
            "duplicate-prompt-target",
            "prompt_targets[1].name",
        ),
        (
            _listeners(_MODEL, "{type: prompt, name: p}") + "prompt_targets: [{name: t, description: d, default: true},"
            " {name: u, description: d, default: true}]",
            "two-default-targets",
            "prompt_targets[1].default",
        ),
        (
            _listeners(_MODEL, "{type: prompt, name: p}") + "prompt_targets: [{name: t, description: d, parameters: "
            "[{name: x, description: d, type: money}]}]",
            "unknown-parameter-type",
            "prompt_targets[0].parameters[0].type",
        ),
        (
            _listeners(_MODEL, "{type: prompt, name: p}") + "endpoints: {e: {endpoint: h}}\nprompt_targets: "
            "[{name: t, description: d, endpoint: {name: e, path: '/x/{id}'}}]",
            "unknown-placeholder",
            "prompt_targets[0].endpoint.path",
        ),
        (
            _HEAD + "prompt_guards: {input_guards: {jailbreak: {on_exception: {message: sorry}}}}",
            "inactive-key",
            "prompt_guards",
        ),
        (_HEAD + "tracing: {random_sampling: -1}", "out-of-range", "tracing.random_sampling"),
        (
            _HEAD + "tracing: {opentracing_grpc_endpoint: ''}",
            "no-collector",
            "tracing.opentracing_grpc_endpoint",
        ),
        (
            _HEAD + _GPT + "ratelimits: [{model: gpt-5, selector: {key: k}, limit: {tokens: 1, unit: day}}]",
            "undeclared-model",
            "ratelimits[0].model",
        ),
        (
            _HEAD + _GPT + "ratelimits:\n- {model: gpt-4o, selector: {key: K}, limit: {tokens: 1, unit: day}}\n"
            "- {model: gpt-4o, selector: {key: k, value: '*'}, limit: {tokens: 2, unit: day}}",
            "duplicate-ratelimit",
            "ratelimits[1]",
        ),
        (
            _HEAD + _GPT + "ratelimits: [{model: gpt-4o, limit: {requests: 1, unit: day}, count: total}]",
            "no-effect",
            "ratelimits[0].count",
        ),
        (
            _HEAD + "model_metrics_sources: [{type: latency, provider: prometheus, url: prom, query: q}]",
            "invalid-url",
            "model_metrics_sources[0].url",
        ),
        (
            _HEAD + "endpoints: {e: {endpoint: h, connect_timeout: 50ms}}",
            "short-connect-timeout",
            "endpoints.e.connect_timeout",
        ),
        (_HEAD + "model_providers: [{model: openai/gpt-4o}]", "no-credential", "model_providers[0]"),
        (
            "version: v0.4.0\nlisteners: []\nlisteners: []",
            "duplicate-key",
            "listeners",
        ),
    ],
)  # fmt: skip
def test_doubtful_things_are_warned_about_and_refused_when_strict(
    load, faults, text: str, code: str, path: str
) -> None:
    (warning,) = load(text).warnings
    assert (warning.severity, warning.code, warning.path) == ("warning", code, path)
    (fault,) = faults(text, strict=True)
    assert (fault.severity, fault.code, fault.path) == ("error", code, path)


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        (_listeners(_MODEL, "{type: prompt, name: p, port: 12000}"), "port-clash", "listeners[1].port"),
        (
            _listeners("{type: model, name: m, address: 127.0.0.1}", "{type: prompt, name: p, port: 12000}"),
            "port-clash",
            "listeners[1].port",
        ),
        (_listeners(_agent_listener(_AGENT, "port: 12000")) + _AGENTS, "port-clash", "listeners[1].port"),
        (_listeners(_MODEL, "{type: prompt, name: m}"), "duplicate-listener", "listeners[1].name"),
        (_listeners(_MODEL, _agent_listener(_AGENT, "max_retries: 1")) + _AGENTS, "missing-port", "listeners[1]"),
        (_listeners("{type: model, name: m, address: example.com}"), "invalid-address", "listeners[0].address"),
        (_listeners("{type: model, name: m, timeout: soon}"), "invalid-duration", "listeners[0].timeout"),
        (
            "version: v0.1.0\nlisteners: {egress_traffic: {timeout: soon}}\n" + _GPT,
            "invalid-duration",
            "listeners.egress_traffic.timeout",
        ),
        (_HEAD + "overrides: {upstream_connect_timeout: 0s}", "invalid-duration", "overrides.upstream_connect_timeout"),
        (_HEAD + "agents: [{id: a, url: 'a:8000'}]", "invalid-url", "agents[0].url"),
        (_HEAD + "filters: [{id: a, url: 'grpc://a'}]", "invalid-url", "filters[0].url"),
        (_HEAD + "endpoints: {e: {endpoint: 'http://h:80'}}", "invalid-endpoint", "endpoints.e.endpoint"),
        (_HEAD + "endpoints: {e: {endpoint: [h, 'h:x']}}", "invalid-endpoint", "endpoints.e.endpoint[1]"),
        (_HEAD + "endpoints: {a: {endpoint: h}}\nagents: [{id: a, url: 'http://a'}]", "name-clash", "agents[0].id"),
        (_HEAD + "endpoints: {brightstaff: {endpoint: h}}", "name-clash", "endpoints.brightstaff"),
        (_HEAD + "agents: [{id: extproc, url: 'http://a'}]", "name-clash", "agents[0].id"),
        (_HEAD + _GPT + "filters: [{id: openai, url: 'http://a'}]", "name-clash", "filters[0].id"),
        (
            _HEAD
            + "model_providers: [{model: ollama/x, base_url: 'http://box'}]\n"
            + "endpoints: {ollama_box: {endpoint: h}}",
            "name-clash",
            "endpoints.ollama_box",
        ),
        (
            _HEAD + "model_providers: [{model: openai/x, passthrough_auth: true, headers: {'a b': c}}]",
            "invalid-header",
            "model_providers[0].headers['a b']",
        ),
        (
            _HEAD + "model_providers: [{model: ollama/x, base_url: 'http://h', http_host: 'a b'}]",
            "invalid-header",
            "model_providers[0].http_host",
        ),
        (
            _HEAD + "routing: {session_cache: {tenant_header: 'a b'}}",
            "invalid-header",
            "routing.session_cache.tenant_header",
        ),
        (
            _HEAD + _GPT + "ratelimits: [{model: gpt-4o, selector: {key: 'a b'}, limit: {tokens: 1, unit: day}}]",
            "invalid-header",
            "ratelimits[0].selector.key",
        ),
        (
            _HEAD + "routing: {session_cache: {type: redis, url: 'http://cache'}}",
            "invalid-redis-url",
            "routing.session_cache.url",
        ),
        (_HEAD + "rate_limit_store: {type: redis}", "missing-redis-url", "rate_limit_store"),
        (_HEAD + "rate_limit_store: {type: redis, url: cache}", "invalid-redis-url", "rate_limit_store.url"),
        (_HEAD + _GPT + "ratelimits: [{model: gpt-4o, limit: {unit: day}}]", "no-quota", "ratelimits[0].limit"),
        (
            _HEAD + _GPT + "ratelimits: [{model: gpt-4o, selector: {}, limit: {tokens: 1, unit: day}}]",
            "unusable-selector",
            "ratelimits[0].selector",
        ),
        (
            _HEAD + _GPT
            + "ratelimits: [{model: gpt-4o, selector: {key: k, identity: a}, limit: {tokens: 1, unit: day}}]",
            "unusable-selector",
            "ratelimits[0].selector",
        ),
        (
            _HEAD + _GPT
            + "ratelimits: [{model: gpt-4o, selector: {identity: a, value: v}, limit: {tokens: 1, unit: day}}]",
            "unusable-selector",
            "ratelimits[0].selector.value",
        ),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused(faults, text: str, code: str, path: str) -> None:
    assert (code, path) in [(fault.code, fault.path) for fault in faults(text) if fault.severity == "error"]


@pytest.mark.parametrize(
    "entry",
    [
        "{model: '*', limit: {requests: 1, unit: second}}",
        "{model: openai/gpt-4o, selector: {identity: '*'}, limit: {tokens: 1, unit: day}, count: total}",
        "{model: gpt-4o, limit: {tokens: 1, unit: day}}, {model: gpt-4o, limit: {tokens: 1, unit: hour}}",
    ],
)
def test_limits_without_selector_of_identities_and_of_several_windows_are_fine(load, entry: str) -> None:
    assert load(_HEAD + _GPT + f"ratelimits: [{entry}]").warnings == ()


def test_faults_of_all_kinds_are_reported_at_once_in_the_order_of_the_file(faults) -> None:
    text = """\
listeners:
  - {type: model, name: m, port: 99999}
  - {type: prompt, name: p, timeout: soon}
model_providers:
  - {model: gpt-4o}
  - {model: openai/gpt-4o, access_key: $UNSET}
  - {model: openai/gpt-4o, acces_key: x}
tracing:
  opentracing_grpc_endpoint: c:4317
agents: [{id: a, url: nowhere}]
"""
    found = [(fault.line, fault.code) for fault in faults(text) if fault.severity == "error"]
    assert found == [
        (1, "missing-key"),
        (2, "out-of-range"),
        (3, "invalid-duration"),
        (5, "invalid-model-name"),
        (6, "unset-variable"),
        (7, "duplicate-model-name"),
        (7, "unknown-key"),
        (9, "invalid-collector"),
        (10, "invalid-url"),
    ]


def test_nothing_is_called_undeclared_because_its_declaration_is_faulty(faults) -> None:
    text = (
        _HEAD
        + """\
model_providers: [{model: openai/gpt-4o, default: maybe}]
model_aliases: {fast: {target: gpt-4o}}
routing_preferences: [{name: n, description: d, models: [gpt-4o]}]
endpoints: {e: {endpoint: 'http://h:80'}}
prompt_targets: [{name: t, description: d, endpoint: {name: e, path: /}}]
"""
    )
    assert {fault.code for fault in faults(text) if fault.severity == "error"} == {"wrong-type", "invalid-endpoint"}
