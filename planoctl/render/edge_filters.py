"""The filters in front of the sidecar: caps, CORS, JSON Web Tokens. Plain data that the templates write as JSON."""

import re
from pathlib import Path
from typing import Any

from planoctl.config.edge import JwtAuth, RequestRate
from planoctl.config.headers import (
    BODY_LIMIT,
    CLIENT_KEY,
    CREDENTIAL_HEADERS,
    EDGE,
    JWT_CLAIMS,
    JWT_FAILURE,
    JWT_NAMESPACE,
    METADATA_NAMESPACE,
    USAGE_NAMESPACE,
)
from planoctl.config.runtime import Listener

_HTTP = "type.googleapis.com/envoy.extensions.filters.http."
_EXT_PROC, _RATE, _JWT, _CORS = (
    f"envoy.filters.http.{name}" for name in ("ext_proc", "local_ratelimit", "jwt_authn", "cors")
)
_CERTIFICATE_ATTRIBUTES = [
    f"connection.{part}_peer_certificate" for part in ("uri_san", "dns_san", "subject")
]  # fmt: skip
_ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
_SECONDS = {"second": 1, "minute": 60}
_ALLOWED_HEADERS = (
    "authorization", "content-type", "x-api-key", "api-key", "x-goog-api-key", CLIENT_KEY, "anthropic-version",
    "anthropic-beta", "anthropic-dangerous-direct-browser-access", "openai-organization", "openai-project",
    "openai-beta", "idempotency-key", "x-request-id", "x-model-affinity", "x-arch-llm-provider-hint",
    "x-arch-ratelimit-selector", "traceparent", "tracestate", "x-stainless-lang", "x-stainless-package-version",
    "x-stainless-os", "x-stainless-arch", "x-stainless-runtime", "x-stainless-runtime-version",
    "x-stainless-retry-count", "x-stainless-timeout", "x-stainless-async", "x-stainless-helper-method",
)  # fmt: skip
_EXPOSED_HEADERS = (
    "x-request-id", "request-id", "retry-after", "www-authenticate", "x-plano-model", "x-plano-provider",
    "x-plano-dropped-params", "x-plano-attempts", "x-plano-route", "x-plano-routing",
    *(f"x-ratelimit-{part}-{unit}" for part in ("limit", "remaining", "reset") for unit in ("requests", "tokens")),
)  # fmt: skip
CORS_HEADERS = tuple(
    f"access-control-{part}"
    for part in ("allow-origin", "allow-methods", "allow-headers", "allow-credentials", "expose-headers", "max-age")
)

_HEADERS_ONLY = {
    "request_header_mode": "SEND",
    "response_header_mode": "SKIP",
    "request_body_mode": "NONE",
    "response_body_mode": "NONE",
    "request_trailer_mode": "SKIP",
    "response_trailer_mode": "SKIP",
}


def network_filters(listener: Listener) -> list[dict[str, Any]]:
    """What a connection passes before its first request."""
    if listener.max_connections is None:
        return []
    kind = "type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit"
    config = {"@type": kind, "stat_prefix": _stat(listener), "max_connections": listener.max_connections}
    return [{"name": "envoy.filters.network.connection_limit", "typed_config": config}]


def connection_manager(listener: Listener) -> dict[str, Any]:
    """Fields of the HTTP connection manager."""
    return {"xff_num_trusted_hops": listener.trusted_proxy_hops} if listener.trusted_proxy_hops else {}


def http_filters(listener: Listener, jwks_cluster: str) -> list[dict[str, Any]]:
    """The filters at the head of the chain. CORS comes first, so that every later answer carries its headers."""
    filters = []
    if listener.cors is not None:
        filters.append(_filter(_CORS, "cors.v3.Cors"))
    if listener.rate is not None:
        filters.append(_filter(_RATE, "local_ratelimit.v3.LocalRateLimit", **_rate(listener, listener.rate)))
    if listener.auth is not None and listener.auth.jwt is not None:
        filters.append(_filter(_JWT, "jwt_authn.v3.JwtAuthentication", **_jwt(listener.auth.jwt, jwks_cluster)))
    return filters


def sidecar_fields(listener: Listener) -> dict[str, Any]:
    """Fields of the sidecar's filter: what it is told besides the headers."""
    fields: dict[str, Any] = {}
    if listener.tls is not None and listener.tls.client_ca is not None:
        fields["request_attributes"] = _CERTIFICATE_ATTRIBUTES
    metadata: dict[str, Any] = {"receiving_namespaces": {"untyped": [METADATA_NAMESPACE, USAGE_NAMESPACE]}}
    if listener.auth is not None and listener.auth.jwt is not None:
        metadata["forwarding_namespaces"] = {"untyped": [JWT_NAMESPACE]}
    return {**fields, "metadata_options": metadata}


def authenticating_sidecar(listener: Listener, message_timeout: str) -> dict[str, Any] | None:
    """The sidecar's filter on a listener where nothing but the caller matters to it; None where not even that does."""
    if not listener.identified or listener.type == "model":
        return None
    return _filter(
        _EXT_PROC,
        "ext_proc.v3.ExternalProcessor",
        grpc_service={"envoy_grpc": {"cluster_name": "extproc"}},
        message_timeout=message_timeout,
        status_on_error={"code": 503},
        stat_prefix="authentication",
        mutation_rules={"allow_all_routing": True, "allow_envoy": True},
        processing_mode=_HEADERS_ONLY,
        **sidecar_fields(listener),
    )


def early_mutations(listener: Listener) -> list[dict[str, Any]]:
    """Tells the sidecar which listener took the request, where it must know."""
    if not listener.identified and listener.max_request_bytes is None:
        return []
    return [
        {"append": {"header": {"key": EDGE, "value": listener.edge_id}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    ]


def virtual_host(listener: Listener) -> dict[str, Any]:
    """Per-filter settings of the listener's virtual host. The listener stage is on for what has a route."""
    stage = {_EXT_PROC: {"@type": f"{_HTTP}ext_proc.v3.ExtProcPerRoute", "overrides": {}}}
    settings: dict[str, Any] = stage if listener.type == "model" else {}
    cors = listener.cors
    if cors is None:
        return settings
    policy = {
        "@type": f"{_HTTP}cors.v3.CorsPolicy",
        "allow_origin_string_match": [_origin(origin) for origin in cors.allow_origins],
        "allow_methods": "GET, POST, OPTIONS",
        "allow_headers": ", ".join(_ALLOWED_HEADERS if cors.allow_headers is None else cors.allow_headers),
        "expose_headers": ", ".join(_EXPOSED_HEADERS if cors.expose_headers is None else cors.expose_headers),
        "max_age": str(int(float(cors.max_age.removesuffix("s")))),
        "allow_credentials": cors.allow_credentials,
        "forward_not_matching_preflights": False,
    }
    return {**settings, _CORS: policy}


def open_route(listener: Listener) -> dict[str, Any]:
    """Per-filter settings of a route that anybody may call at any time."""
    settings: dict[str, Any] = {_EXT_PROC: {"@type": f"{_HTTP}ext_proc.v3.ExtProcPerRoute", "disabled": True}}
    if listener.rate is not None:
        settings[_RATE] = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    return settings


def guarded_route(listener: Listener) -> dict[str, Any]:
    """Per-filter settings of a route to brightstaff: the sidecar looks at the caller, where callers are told apart."""
    if not listener.identified:
        return {_EXT_PROC: {"@type": f"{_HTTP}ext_proc.v3.ExtProcPerRoute", "disabled": True}}
    overrides = {"processing_mode": _HEADERS_ONLY}
    return {_EXT_PROC: {"@type": f"{_HTTP}ext_proc.v3.ExtProcPerRoute", "overrides": overrides}}


def bounded_route(listener: Listener, limit: int) -> dict[str, Any]:
    """Fields of a route on which brightstaff, which is told `limit`, takes bodies of at most so many bytes.

    Envoy's buffer filter would not do: it does not count a body that arrives in one piece, and behind the sidecar's
    filter it waits forever for one that has filled the buffer already.
    """
    told = {"header": {"key": BODY_LIMIT, "value": str(limit)}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {"typed_per_filter_config": guarded_route(listener), "request_headers_to_add": [told]}


def retry_after(rate: RequestRate) -> int:
    """Seconds after which a refused client has a chance again."""
    return -(-_SECONDS[rate.unit] // rate.requests)


def _filter(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": _HTTP + kind, **fields}}


def _stat(listener: Listener) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", listener.name)


def _rate(listener: Listener, rate: RequestRate) -> dict[str, Any]:
    bucket = {
        "max_tokens": rate.requests,
        "tokens_per_fill": rate.requests,
        "fill_interval": f"{_SECONDS[rate.unit]}s",
    }
    return {
        "stat_prefix": _stat(listener),
        "token_bucket": bucket,
        "filter_enabled": _ALWAYS,
        "filter_enforced": _ALWAYS,
    }


def _jwt(jwt: JwtAuth, jwks_cluster: str) -> dict[str, Any]:
    """A token that is right leaves its claims and loses its header; the sidecar judges what is left."""
    provider: dict[str, Any] = {
        "issuer": jwt.issuer,
        "audiences": list(jwt.audiences),
        "from_headers": [
            {"name": name, **({"value_prefix": "Bearer "} if name == "authorization" else {})}
            for name in CREDENTIAL_HEADERS
        ],
        "payload_in_metadata": JWT_CLAIMS,
        "failed_status_in_metadata": JWT_FAILURE,
    }
    if jwt.jwks_url is not None:
        provider["remote_jwks"] = {
            "http_uri": {"uri": jwt.jwks_url, "cluster": jwks_cluster, "timeout": "5s"},
            "cache_duration": "300s",
            "async_fetch": {"fast_listener": True},
            "retry_policy": {"num_retries": 2},
        }
    else:
        provider["local_jwks"] = _key_set(str(jwt.jwks_file))
    rule = {"match": {"prefix": "/"}, "requires": {"allow_missing_or_failed": {}}}
    return {"providers": {"client": provider}, "rules": [rule]}


def _key_set(file: str) -> dict[str, Any]:
    """The keys themselves, so that others are another configuration: Envoy would read the file at its start only.

    A file that cannot be read is left to Envoy, which says so.
    """
    try:
        return {"inline_string": Path(file).read_text(encoding="utf-8")}
    except (OSError, ValueError):
        return {"filename": file}


def _origin(origin: str) -> dict[str, Any]:
    if origin == "*":
        return {"safe_regex": {"regex": ".*"}}
    if "*" not in origin:
        return {"exact": origin}
    scheme, _, host = origin.partition("://")
    name = re.escape(host.removesuffix(":*")).replace(r"\*", "[a-z0-9.-]+")
    any_port = "(:[0-9]+)?" if host.endswith(":*") else ""
    return {"safe_regex": {"regex": f"{re.escape(scheme)}://{name}{any_port}"}}
