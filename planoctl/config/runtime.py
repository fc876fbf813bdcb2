"""RuntimeConfig: the immutable, normalised configuration that every process reads.

It is the typed form of the *rendered document* (spec 01 §9): same keys, defaults filled in. Secrets stay references
(`$OPENAI_API_KEY`) until `resolve_secrets` is given an environment.
"""

import hashlib
from typing import Any, Literal

import msgspec

from planoctl.config.edge import Cors, ListenerAuth, ListenerTls, RequestRate

MIB = 1024 * 1024
DEFAULT_MAX_REQUEST_BYTES = 32 * MIB


def buffered_bytes(max_request_bytes: int) -> int:
    """What Envoy may buffer of a request: a translated body can be larger than the client's."""
    return max_request_bytes + max_request_bytes // 4 + MIB


class _Section(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A section of the document. Unknown keys are ignored here: the pipeline has reported them already."""


class ModelProvider(_Section, frozen=True):
    """One entry of `model_providers`, normalised: `model` is the bare upstream id, or `*` for a wildcard.

    `wildcard_prefix` is what a requested name must start with to match a wildcard (`openai` for `openai/*`).
    """

    name: str
    provider_interface: str
    model: str = ""
    access_key: str | None = None
    passthrough_auth: bool = False
    default: bool = False
    internal: bool = False
    base_url: str | None = None
    base_url_path_prefix: str | None = None
    endpoint: str | None = None
    port: int | None = None
    protocol: Literal["http", "https"] | None = None
    http_host: str | None = None
    cluster_name: str | None = None
    headers: dict[str, str] = {}
    wildcard_prefix: str | None = None
    fallbacks: tuple[str, ...] = ()

    @property
    def wildcard(self) -> bool:
        return self.model == "*" or self.model.endswith("/*")


class ListenerAgent(_Section, frozen=True):
    id: str
    description: str = ""
    default: bool = False
    input_filters: tuple[str, ...] = ()


class Listener(_Section, frozen=True):
    """A listener. `timeout` is a protobuf duration (`300s`).

    `max_request_bytes` None: `overrides.max_request_bytes`. `max_header_bytes` and `max_headers` None: Envoy's own.
    """

    type: Literal["model", "prompt", "agent"]
    name: str
    port: int
    address: str = "0.0.0.0"  # noqa: S104 — the one kind of listener that is meant to be public
    timeout: str = "300s"
    max_retries: int = 0
    router: str | None = None
    agents: tuple[ListenerAgent, ...] = ()
    input_filters: tuple[str, ...] = ()
    output_filters: tuple[str, ...] = ()
    tls: ListenerTls | None = None
    auth: ListenerAuth | None = None
    cors: Cors | None = None
    rate: RequestRate | None = None
    max_connections: int | None = None
    max_request_bytes: int | None = None
    max_header_bytes: int | None = None
    max_headers: int | None = None
    trusted_proxy_hops: int = 0

    @property
    def edge_id(self) -> str:
        """The listener's name as any header can hold it."""
        return hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def identified(self) -> bool:
        """Whether callers are told apart, so that the sidecar sees every request."""
        return self.auth is not None or (self.tls is not None and self.tls.client_ca is not None)


class Agent(_Section, frozen=True):
    id: str
    url: str


class Filter(_Section, frozen=True):
    id: str
    url: str
    type: Literal["mcp", "http"] = "mcp"
    transport: str = "streamable-http"
    tool: str | None = None


class Replica(_Section, frozen=True):
    endpoint: str
    port: int


class Endpoint(_Section, frozen=True):
    """A service. `replicas` are all its addresses where there are several; the first is `endpoint` and `port`."""

    endpoint: str
    port: int
    replicas: tuple[Replica, ...] = ()
    protocol: Literal["http", "https"] = "http"
    connect_timeout: str | None = None
    http_host: str | None = None
    prefix_affinity: bool = False


class ModelAlias(_Section, frozen=True):
    """`fallbacks` None: those of the target's own entry apply."""

    target: str
    fallbacks: tuple[str, ...] | None = None


class SelectionPolicy(_Section, frozen=True):
    prefer: Literal["cheapest", "fastest", "none"] = "none"


class RoutingPreference(_Section, frozen=True):
    name: str
    description: str
    models: tuple[str, ...]
    selection_policy: SelectionPolicy = SelectionPolicy()


class MetricsSource(_Section, frozen=True):
    type: Literal["cost", "latency"]
    provider: str
    url: str | None = None
    query: str | None = None
    refresh_interval: int | None = None
    model_aliases: dict[str, str] = {}


class Overrides(_Section, frozen=True):
    """`max_request_bytes`: the largest request body a listener takes, in bytes.

    `max_provider_requests`: how many requests may be open at one provider address; None: no limit of their own.

    `orchestrator_model_context_length` (tokens) and `routing_prompt` None: what suits the routing model.
    """

    prompt_target_intent_matching_threshold: float | None = None
    optimize_context_window: bool = False
    use_agent_orchestrator: bool = False
    disable_signals: bool = False
    upstream_connect_timeout: str = "5s"
    upstream_tls_ca_path: str | None = None
    llm_routing_model: str | None = None
    agent_orchestration_model: str | None = None
    orchestrator_model_context_length: int | None = None
    routing_prompt: Literal["orchestrator_v1", "arch_router_v1"] | None = None
    routing_timeout_ms: int = 2000
    max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES
    max_provider_requests: int | None = None

    @property
    def buffer_limit_bytes(self) -> int:
        return buffered_bytes(self.max_request_bytes)


class SpanAttributes(_Section, frozen=True):
    header_prefixes: tuple[str, ...] = ()
    static: dict[str, str] = {}


class Tracing(_Section, frozen=True):
    random_sampling: int = 0
    trace_arch_internal: bool | None = None
    opentracing_grpc_endpoint: str | None = None
    span_attributes: SpanAttributes = SpanAttributes()
    exporters: tuple[dict[str, Any], ...] = ()
    message_preview: bool = True
    capture_content: bool = False
    capture_bytes: int = 8192

    @property
    def active(self) -> bool:
        """Whether spans are recorded."""
        return self.random_sampling > 0 and bool(self.opentracing_grpc_endpoint or self.exporters)


class SessionCache(_Section, frozen=True):
    type: Literal["memory", "redis"] = "memory"
    url: str | None = None
    tenant_header: str | None = None


class RoutingBudget(_Section, frozen=True):
    max_switch_spend_pct: float
    replenish_on_rebind: bool = True
    cache_read_discount: float = 0.1
    record_counterfactual: bool = False


class Failover(_Section, frozen=True):
    """How a chain of models goes on. Durations are protobuf durations (`120s`).

    `per_try_timeout`: how long one provider may take to begin its answer. A 5xx, a failed connection and a reset always
    go on to the next model; `retry_on_status` are the 4xx that do too. A model that failed `failures` times in a row
    is tried last for `cooldown`.
    """

    per_try_timeout: str = "120s"
    retry_on_status: tuple[int, ...] = (401, 402, 403, 404, 408, 425, 429)
    failures: int = 3
    cooldown: str = "10s"


class Routing(_Section, frozen=True):
    llm_provider: str | None = None
    model: str | None = None
    session_ttl_seconds: int = 600
    session_max_entries: int = 10_000
    session_cache: SessionCache = SessionCache()
    routing_budget: RoutingBudget | None = None
    route_on_user_only: bool = False
    on_error: Literal["fallback", "fail"] = "fallback"
    failover: Failover = Failover()


class PromptCaching(_Section, frozen=True):
    enabled: bool = False
    session_affinity: bool = True
    inject_cache_control: bool = True
    min_prefix_tokens: int = 1024
    session_ttl_seconds: int | None = None


class StateStorage(_Section, frozen=True):
    type: Literal["memory", "postgres"]
    connection_string: str | None = None


class RateLimitSelector(_Section, frozen=True):
    """A header's value, or the authenticated caller; `*`, and a header without `value`: each their own quota."""

    key: str | None = None
    value: str | None = None
    identity: str | None = None


class RateLimitQuota(_Section, frozen=True):
    unit: Literal["second", "minute", "hour", "day"]
    tokens: int | None = None
    requests: int | None = None


class RateLimit(_Section, frozen=True):
    model: str
    limit: RateLimitQuota
    selector: RateLimitSelector | None = None
    count: Literal["input", "total"] = "input"


class RateLimitStore(_Section, frozen=True):
    """`on_error`: what becomes of requests while Redis is away."""

    type: Literal["local", "redis"] = "local"
    url: str | None = None
    on_error: Literal["allow", "deny"] = "allow"


class PromptTargetParameter(_Section, frozen=True):
    name: str
    description: str
    type: str
    required: bool = False
    default: str | None = None
    enum: tuple[str, ...] = ()
    in_path: bool = False
    format: str | None = None


class PromptTargetEndpoint(_Section, frozen=True):
    name: str
    path: str = "/"
    http_method: Literal["GET", "POST"] = "GET"
    http_headers: dict[str, str] = {}


class PromptTarget(_Section, frozen=True):
    name: str
    description: str
    default: bool = False
    auto_llm_dispatch_on_response: bool = True
    parameters: tuple[PromptTargetParameter, ...] = ()
    endpoint: PromptTargetEndpoint | None = None
    system_prompt: str | None = None


class RuntimeConfig(_Section, frozen=True):
    """The whole configuration."""

    version: str
    listeners: tuple[Listener, ...] = ()
    model_providers: tuple[ModelProvider, ...] = ()
    model_aliases: dict[str, ModelAlias] = {}
    agents: tuple[Agent, ...] = ()
    filters: tuple[Filter, ...] = ()
    endpoints: dict[str, Endpoint] = {}
    routing_preferences: tuple[RoutingPreference, ...] = ()
    model_metrics_sources: tuple[MetricsSource, ...] = ()
    overrides: Overrides = Overrides()
    tracing: Tracing | None = None
    routing: Routing = Routing()
    prompt_caching: PromptCaching = PromptCaching()
    state_storage: StateStorage | None = None
    ratelimits: tuple[RateLimit, ...] = ()
    rate_limit_store: RateLimitStore = RateLimitStore()
    system_prompt: str | None = None
    prompt_targets: tuple[PromptTarget, ...] = ()
    prompt_guards: dict[str, Any] = {}
    mode: Literal["llm", "prompt"] = "prompt"

    @property
    def model_listener(self) -> Listener | None:
        return next((listener for listener in self.listeners if listener.type == "model"), None)
