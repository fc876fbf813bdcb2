"""Envoy clusters for the providers in use: pure data for the templates."""

import ipaddress
from dataclasses import dataclass, replace
from typing import Any, Literal

from planoctl.config.addresses import parse_base_url
from planoctl.config.clusters import aws_region, is_signed
from planoctl.config.deployment import Capacity
from planoctl.config.headers import CHAIN_CLUSTER_SUFFIX, FIRST_CLUSTER_SUFFIX, STREAM_CLUSTER_SUFFIX
from planoctl.config.runtime import Listener, ModelProvider, RuntimeConfig
from planoctl.render.xds import short_name

_UNLIMITED = 1_000_000

Stage = Literal["first", "chain", "stream"]
_STAGES: tuple[tuple[Stage, str], ...] = (
    ("first", FIRST_CLUSTER_SUFFIX),
    ("chain", CHAIN_CLUSTER_SUFFIX),
    ("stream", STREAM_CLUSTER_SUFFIX),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One provider endpoint. `hostname` is what the provider sees as Host, `sni` what TLS asks for.

    `signed`: Envoy signs its requests with AWS Signature Version 4, for `region`; without one Envoy looks in its
    environment and profile. `stage`: the cluster is for requests that have several candidates; it carries the
    upstream stage, for a whole answer (`chain`) or a stream, or is for a `first` attempt that is made already.
    """

    name: str
    host: str
    port: int
    tls: bool
    hostname: str
    sni: str | None
    connect_timeout: str
    signed: bool = False
    region: str | None = None
    stage: Stage | None = None

    @property
    def ip(self) -> bool:
        return _is_ip(self.host)


def provider_clusters(config: RuntimeConfig) -> list[Cluster]:
    """One cluster per distinct provider endpoint, in configuration order.

    Internal entries have none: no host is resolved that the user did not name.
    """
    clusters: dict[str, Cluster] = {}
    for entry in config.model_providers:
        if entry.internal or not (entry.cluster_name and entry.endpoint and entry.port):
            continue
        clusters.setdefault(entry.cluster_name, _cluster(entry, config.overrides.upstream_connect_timeout))
    return list(clusters.values())


def chain_clusters(clusters: list[Cluster]) -> list[Cluster]:
    """The twins for requests with several candidates; one endpoint may serve several models."""
    return [
        replace(cluster, name=cluster.name + suffix, stage=stage) for cluster in clusters for stage, suffix in _STAGES
    ]


def jwks_cluster_name(listener: Listener) -> str:
    """The cluster that the key set of a listener's tokens comes from."""
    return f"plano-jwks-{short_name(listener.name)}"


def jwks_clusters(config: RuntimeConfig) -> list[Cluster]:
    """One cluster per listener whose tokens are checked with a key set from a URL."""
    clusters = []
    for listener in config.listeners:
        url = listener.auth.jwt.jwks_url if listener.auth and listener.auth.jwt else None
        if url is not None:
            address = parse_base_url(url.partition("?")[0])
            clusters.append(
                Cluster(
                    name=jwks_cluster_name(listener),
                    host=address.host,
                    port=address.port,
                    tls=address.scheme == "https",
                    hostname=address.host,
                    sni=None if _is_ip(address.host) else address.host,
                    connect_timeout=config.overrides.upstream_connect_timeout,
                )
            )
    return clusters


def provider_breakers(config: RuntimeConfig, capacity: Capacity) -> dict[str, Any]:
    """When a provider gets no more: a request over the limit fails at once, and does not queue without end.

    Retries are not limited: the attempts of a chain count as such while a provider is away.
    """
    most = config.overrides.max_provider_requests
    limit = {
        "max_connections": min(most or capacity.provider_connections, capacity.provider_connections),
        "max_pending_requests": most or capacity.provider_connections,
        "max_requests": most or _UNLIMITED,
        "max_retries": _UNLIMITED,
    }
    return {"thresholds": [limit]}


def _cluster(entry: ModelProvider, connect_timeout: str) -> Cluster:
    host, port, tls = (entry.endpoint or "").strip("[]"), entry.port or 0, entry.protocol != "http"
    authority = entry.http_host or host
    shown_port = "" if port == (443 if tls else 80) or entry.http_host else f":{port}"
    name = authority.rpartition(":")[0] if authority.rpartition(":")[2].isdecimal() else authority
    return Cluster(
        name=entry.cluster_name or "",
        host=host,
        port=port,
        tls=tls,
        hostname=f"[{host}]{shown_port}" if not entry.http_host and ":" in host else f"{authority}{shown_port}",
        sni=None if _is_ip(name) else name,
        connect_timeout=connect_timeout,
        signed=is_signed(entry.provider_interface, entry.access_key, entry.passthrough_auth),
        region=aws_region(authority) or aws_region(host),
    )


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
