"""What of a listener's TLS, credentials, caps and CORS the templates write: every part as data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planoctl.config.runtime import Listener
from planoctl.render import edge_filters
from planoctl.render.clusters import jwks_cluster_name
from planoctl.render.edge_tls import transport_socket

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edge:
    """Parts of Envoy's configuration of one listener; empty where nothing is configured.

    `authenticating` is the filter by which listeners without the sidecar's listener stage know their callers.
    """

    transport_socket: Message | None
    network_filters: list[Message]
    connection_manager: Message
    early_mutations: list[Message]
    http_filters: list[Message]
    authenticating: Message | None
    sidecar_fields: Message
    virtual_host: Message
    open_route: Message
    guarded_route: Message
    cors: bool


def edge(listener: Listener, folder: Path, message_timeout: str) -> Edge:
    """The parts of a listener whose SDS files will be in `folder`."""
    return Edge(
        transport_socket=transport_socket(listener, folder),
        network_filters=edge_filters.network_filters(listener),
        connection_manager=edge_filters.connection_manager(listener),
        early_mutations=edge_filters.early_mutations(listener),
        http_filters=edge_filters.http_filters(listener, jwks_cluster_name(listener)),
        authenticating=edge_filters.authenticating_sidecar(listener, message_timeout),
        sidecar_fields=edge_filters.sidecar_fields(listener),
        virtual_host=edge_filters.virtual_host(listener),
        open_route=edge_filters.open_route(listener),
        guarded_route=edge_filters.guarded_route(listener),
        cors=listener.cors is not None,
    )
