"""Rendering Envoy's configuration from templates. Every value is quoted as JSON, so no name can break the YAML."""

import json
import re
from collections import ChainMap
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from planoctl.config.deployment import Deployment
from planoctl.config.headers import (
    ATTEMPT_ATTRIBUTE,
    ATTEMPTS,
    BRIGHTSTAFF,
    CHAIN,
    CLUSTER,
    CREDENTIAL_HEADERS,
    DROPPED,
    EDGE,
    INTERNAL_LISTENER,
    LISTENER,
    LOCAL_REPLY,
    ROUTE,
    ROUTING,
    SERVED_MODEL,
    SERVED_PROVIDER,
    USAGE_NAMESPACE,
)
from planoctl.config.registry import ModelRegistry
from planoctl.config.routing_model import routing_model
from planoctl.config.runtime import Listener, RuntimeConfig, buffered_bytes
from planoctl.render.clusters import chain_clusters, jwks_clusters, provider_breakers, provider_clusters
from planoctl.render.edge import Edge, edge
from planoctl.render.edge_filters import CORS_HEADERS, bounded_route
from planoctl.render.edge_hygiene import refused_headers
from planoctl.render.edge_tls import secret_files, with_files
from planoctl.render.limits import Limits, limits_of, request_within
from planoctl.render.local_replies import OWN_REPLY_FILTER, LocalReply, local_replies
from planoctl.render.tracing import ASKED_PATH, collector_cluster, tracer
from planoctl.render.xds import (
    CLUSTERS,
    LISTENERS,
    Resource,
    discovery_file,
    read_resources,
    split_routes,
    static_bootstrap,
)
from planoctl.resources import envoy_templates

BOOTSTRAP, STATIC = "envoy.yaml", "envoy.static.yaml"

_CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_MESSAGE_SECONDS = 10.0  # beside what a routing decision may take
_BUFFER_LIMIT = 1024 * 1024  # bytes a connection or stream may hold for a reader that is too slow

# What Envoy or a proxy before it adds and no provider needs to know: our cluster's name, our client's address.
_UPSTREAM_HEADERS_TO_REMOVE = (
    CLUSTER, CHAIN, "x-forwarded-for", "x-forwarded-proto", "x-envoy-external-address", "x-envoy-internal",
    "x-envoy-original-host", "x-envoy-expected-rq-timeout-ms", EDGE, "forwarded", "x-forwarded-host",
    "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-client-cert", "x-real-ip",
)  # fmt: skip


_BREAKERS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")

# What the gateway tells clients and their browsers: no provider may say it in its place.
_OWN_RESPONSE_HEADERS = (LOCAL_REPLY, SERVED_MODEL, SERVED_PROVIDER, DROPPED, ATTEMPTS, ROUTE, ROUTING, *CORS_HEADERS)


@dataclass(frozen=True, slots=True)
class _ListenerView:
    """What the listener templates read."""

    name: str
    display_name: str
    stat_prefix: str
    address: str
    port: int
    timeout: str
    request_within: str
    max_retries: int
    template: str
    prefix: str
    edge: Edge
    limits: Limits
    local_replies: list[LocalReply]
    body_limit: int
    bounded_route: dict[str, Any]
    internal: bool = False


def render_envoy(config: RuntimeConfig, deployment: Deployment) -> dict[str, str]:
    """Envoy's files by name: bootstrap, clusters, listeners and their routes, and one with everything.

    The last is for `envoy --mode validate`.
    """
    environment = Environment(
        loader=FileSystemLoader(envoy_templates()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 — YAML, not HTML: the `json` filter quotes
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    context = _context(config, deployment)
    bootstrap = environment.get_template("bootstrap.yaml.j2").render(context)
    listeners, clusters = (
        read_resources(environment.get_template(f"{name}.j2").render(context)) for name in (LISTENERS, CLUSTERS)
    )
    clusters += collector_cluster(config, context["ca_path"], deployment.brightstaff_socket)
    return {
        BOOTSTRAP: bootstrap,
        STATIC: static_bootstrap(yaml.safe_load(bootstrap), _with_files(listeners, config), clusters),
        CLUSTERS: discovery_file(clusters),
        **ChainMap(*map(secret_files, config.listeners)),
        **split_routes(listeners, str(deployment.envoy_dir.absolute())),
    }


def _with_files(listeners: list[Resource], config: RuntimeConfig) -> list[Resource]:
    """Copies of the listeners that hold what they else read from files of their own."""
    of_user = [*config.listeners, *[None] * (len(listeners) - len(config.listeners))]
    return [with_files(each, listener) for each, listener in zip(deepcopy(listeners), of_user, strict=True)]


def _context(config: RuntimeConfig, deployment: Deployment) -> dict[str, Any]:
    folder = deployment.envoy_dir.absolute()
    clusters = provider_clusters(config)
    message_timeout = f"{_MESSAGE_SECONDS + config.overrides.routing_timeout_ms / 1000:g}s"
    listeners = [_listener(each, edge(each, folder, message_timeout), config) for each in config.listeners]
    if routing_model(config, ModelRegistry(config)) is not None:
        listeners.append(_internal_listener(folder, message_timeout, config))
    return {
        "deployment": deployment,
        "node_id": f"plano-{deployment.run_dir.parent.name or 'default'}",
        "lds_path": str(folder / LISTENERS),
        "cds_path": str(folder / CLUSTERS),
        "watched_directory": str(folder),
        "worker_sockets": [str(deployment.worker_socket(index)) for index in range(deployment.workers)],
        "listeners": listeners,
        "models_socket": str(deployment.models_socket),
        "listener_header": LISTENER,
        "asked_path": ASKED_PATH,
        "tracers": {internal: tracer(config, internal=internal) for internal in (False, True)},
        "internal_listener": INTERNAL_LISTENER,
        "clusters": clusters + jwks_clusters(config),
        "chains": chain_clusters(clusters) if _several_models(config) else [],
        "chain_header": CHAIN,
        "unnamed_chain": BRIGHTSTAFF,
        "attempt_attribute": json.dumps(ATTEMPT_ATTRIBUTE),
        "failover": config.routing.failover,
        "attempt_message_timeout": _longer(config.routing.failover.per_try_timeout),
        "ca_path": config.overrides.upstream_tls_ca_path or _ca_bundle(),
        "buffer_limit": _BUFFER_LIMIT,
        "message_timeout": message_timeout,
        "capacity": deployment.capacity,
        "provider_breakers": json.dumps(provider_breakers(config, deployment.capacity)),
        "unlimited_breakers": json.dumps({"thresholds": [dict.fromkeys(_BREAKERS, 1_000_000)]}),
        "usage_namespace": USAGE_NAMESPACE,
        "cluster_header": CLUSTER,
        "own_response_headers": list(_OWN_RESPONSE_HEADERS),
        "refused_headers": refused_headers(),
        "cors_headers": list(CORS_HEADERS),
        "credential_headers": list(CREDENTIAL_HEADERS),
        "upstream_headers_to_remove": list(_UPSTREAM_HEADERS_TO_REMOVE),
        "own_reply_filter": OWN_REPLY_FILTER,
        "access_log_path": str(deployment.log_dir.absolute() / "access.log")
        if deployment.access_log == "file"
        else None,
    }


def _longer(duration: str) -> str:
    """The upstream stage may wait for a stream's first bytes as long as the attempt may."""
    return f"{float(duration.removesuffix('s')) + _MESSAGE_SECONDS:g}s"


def _several_models(config: RuntimeConfig) -> bool:
    """Whether a request can have more than one candidate at all."""
    entries = [entry for entry in config.model_providers if not entry.internal]
    return len(entries) > 1 or any(entry.wildcard for entry in entries)


def _internal_listener(folder: Path, message_timeout: str, config: RuntimeConfig) -> _ListenerView:
    """Where brightstaff asks models: the same as a public listener, behind a socket that only the owner can open."""
    unguarded = Listener(type="model", name="internal", port=0)
    return _ListenerView(
        name="plano-internal-models",
        display_name="internal",
        stat_prefix="internal",
        address="",
        port=0,
        timeout="300s",
        request_within=request_within("300s"),
        max_retries=0,
        template="model_listener.yaml.j2",
        prefix="/",
        edge=edge(unguarded, folder, message_timeout),
        limits=Limits(),
        local_replies=local_replies(config.overrides.max_request_bytes),
        body_limit=config.overrides.buffer_limit_bytes,
        bounded_route=bounded_route(unguarded, config.overrides.max_request_bytes),
        internal=True,
    )


def _listener(listener: Listener, edge: Edge, config: RuntimeConfig) -> _ListenerView:
    model = listener.type == "model"
    limit = listener.max_request_bytes or config.overrides.max_request_bytes
    return _ListenerView(
        name=listener.name,
        display_name=listener.name,
        stat_prefix=re.sub(r"[^A-Za-z0-9_]+", "_", listener.name),
        address=listener.address,
        port=listener.port,
        timeout=listener.timeout,
        request_within=request_within(listener.timeout),
        max_retries=listener.max_retries,
        template="model_listener.yaml.j2" if model else "service_listener.yaml.j2",
        prefix="/agents/" if listener.type == "agent" else "/",
        edge=edge,
        limits=limits_of(listener),
        local_replies=local_replies(limit, listener.rate),
        body_limit=buffered_bytes(limit),
        bounded_route=bounded_route(listener, limit),
    )


def _ca_bundle() -> str:
    return next((path for path in _CA_BUNDLES if Path(path).is_file()), _CA_BUNDLES[0])
