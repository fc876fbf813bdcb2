"""Where a gateway connects to: for network policies, and to warn of addresses that mean another host in a container."""

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from planoctl.config.environment import resolve_secrets
from planoctl.config.findings import Report
from planoctl.render.clusters import provider_clusters

if TYPE_CHECKING:
    from planoctl.config.pipeline import LoadedConfig

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
_PORTS = {"http": 80, "https": 443, "grpc": 4317, "redis": 6379, "rediss": 6379, "postgres": 5432, "postgresql": 5432}
_KEYWORDS = re.compile(r"(?:^|\s)(host|port)\s*=\s*'?([^\s']+)")


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    host: str
    port: int


def is_loopback(host: str) -> bool:
    """Whether an address or a name means the host, or the pod, itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def destinations(loaded: "LoadedConfig") -> list[Destination]:
    """Every host and port that the configuration names, sorted."""
    config = loaded.runtime
    found = {Destination(cluster.host, cluster.port) for cluster in provider_clusters(config)}
    for endpoint in config.endpoints.values():
        found.add(Destination(endpoint.endpoint, endpoint.port))
        found |= {Destination(replica.endpoint, replica.port) for replica in endpoint.replicas}
    document = resolve_secrets(loaded.document, loaded.secrets, Report())
    found |= {where for text in _texts(document) if (where := _of_url(text)) is not None}
    storage = document.get("state_storage") or {}
    keywords = dict(_KEYWORDS.findall(storage.get("connection_string") or ""))
    if "host" in keywords:
        found.add(Destination(keywords["host"], int(keywords.get("port", _PORTS["postgres"]))))
    return sorted(found)


def _texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for child in children for text in _texts(child)]


def _of_url(text: str) -> Destination | None:
    if _URL.fullmatch(text) is None:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return Destination(parts.hostname, port) if parts.hostname and port else None
