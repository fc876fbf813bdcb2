"""Envoy's part of a trace: a span for each request of a listener, and one below it for each attempt at a provider.

It goes to the collector that speaks gRPC, or else to brightstaff, which has the credentials of the other exporters.
"""

from pathlib import Path
from typing import Any

from planoctl.config.addresses import parse_collector_url
from planoctl.config.clusters import COLLECTOR
from planoctl.config.runtime import RuntimeConfig

_EXPORT_SECONDS = "0.25s"
ASKED_PATH = "plano.path"
"""The filter state with the path of a request as the client sent it."""

_PATH = f"%FILTER_STATE({ASKED_PATH}:PLAIN)%"
_SAMPLERS = "type.googleapis.com/envoy.extensions.tracers.opentelemetry.samplers.v3"


def traced(config: RuntimeConfig) -> bool:
    """Whether spans are recorded at all."""
    return config.tracing is not None and config.tracing.active


def tracer(config: RuntimeConfig, *, internal: bool) -> dict[str, Any] | None:
    """The `tracing` of a listener's connection manager. `internal`: brightstaff asks a model through it."""
    if not traced(config) or config.tracing is None:
        return None
    return {
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "service_name": "plano(outbound)" if internal else "plano(inbound)",
                "grpc_service": {"envoy_grpc": {"cluster_name": COLLECTOR}, "timeout": _EXPORT_SECONDS},
                "sampler": _sampler(config.tracing.random_sampling),
            },
        },
        "spawn_upstream_span": True,
        "custom_tags": [{"tag": "http.url", "value": _PATH}],  # Envoy's own has the query, in which a key may stand
        "operation": f"%REQ(:METHOD)% {_PATH}",
        "upstream_operation": "attempt %UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_CLUSTER%",
    }


def _sampler(percent: int) -> dict[str, Any]:
    """As the caller's trace says, or else this many percent of the requests."""
    ratio = {
        "name": "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        "typed_config": {
            "@type": f"{_SAMPLERS}.TraceIdRatioBasedSamplerConfig",
            "sampling_percentage": {"numerator": percent},
        },
    }
    return {
        "name": "envoy.tracers.opentelemetry.samplers.parent_based",
        "typed_config": {"@type": f"{_SAMPLERS}.ParentBasedSamplerConfig", "wrapped_sampler": ratio},
    }


def collector_cluster(config: RuntimeConfig, ca_path: str, relay: Path) -> list[dict[str, Any]]:
    """The cluster that spans are sent to, if there are any. `relay`: brightstaff's socket."""
    if not traced(config) or config.tracing is None:
        return []
    named = config.tracing.opentracing_grpc_endpoint
    address = parse_collector_url(named) if named else None
    place: dict[str, Any] = (
        {"pipe": {"path": str(relay)}}
        if address is None
        else {"socket_address": {"address": address.host, "port_value": address.port}}
    )
    endpoint = {"address": place}
    cluster: dict[str, Any] = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": COLLECTOR,
        "type": "STATIC" if address is None else "STRICT_DNS",
        "connect_timeout": "1s",
        "dns_lookup_family": "V4_PREFERRED",
        "load_assignment": {"cluster_name": COLLECTOR, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    if address is not None and address.scheme == "https":
        context = {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": address.host,
            "common_tls_context": {
                "alpn_protocols": ["h2"],
                "validation_context": {"trusted_ca": {"filename": ca_path}},
            },
            "auto_sni_san_validation": True,
        }
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return [cluster]
