"""A listener's TLS: certificates by file-based SDS, so that Envoy takes up a renewed file without a new listener."""

import json
from pathlib import Path
from typing import Any

from planoctl.config.edge import ListenerTls
from planoctl.config.runtime import Listener
from planoctl.render.xds import short_name

_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
_CERTIFICATES, _CERTIFICATE_REFERENCES = "tls_certificates", "tls_certificate_sds_secret_configs"
_AUTHORITIES, _AUTHORITY_REFERENCE = "validation_context", "validation_context_sds_secret_config"
_VERSIONS = {"1.2": "TLSv1_2", "1.3": "TLSv1_3"}


def transport_socket(listener: Listener, folder: Path) -> dict[str, Any] | None:
    """Envoy's transport socket for a listener with TLS; `folder` will hold its `secret_files`."""
    tls = listener.tls
    if tls is None:
        return None
    common: dict[str, Any] = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": _VERSIONS[tls.min_version]},
        _CERTIFICATE_REFERENCES: [_reference("certificate", listener, folder)],
    }
    context: dict[str, Any] = {"@type": f"{_TYPE}DownstreamTlsContext", "common_tls_context": common}
    if tls.client_ca is not None:
        common[_AUTHORITY_REFERENCE] = _reference("client-ca", listener, folder)
        context["require_client_certificate"] = tls.require_client_certificate is not False
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def secret_files(listener: Listener) -> dict[str, str]:
    """The SDS files of a listener by name. They hold paths, no key."""
    tls = listener.tls
    if tls is None:
        return {}
    files = {_file("certificate", listener): _document("certificate", {"tls_certificate": _certificate(tls)})}
    if tls.client_ca is not None:
        files[_file("client-ca", listener)] = _document(
            "client-ca", {"validation_context": _authorities(tls.client_ca)}
        )
    return files


def with_files(resource: dict[str, Any], listener: Listener | None) -> dict[str, Any]:
    """A listener resource with the files in place of SDS, so that `envoy --mode validate` looks at them."""
    if listener is None or listener.tls is None:
        return resource
    common = resource["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"]
    del common[_CERTIFICATE_REFERENCES]
    common[_CERTIFICATES] = [_certificate(listener.tls)]
    if common.pop(_AUTHORITY_REFERENCE, None) and listener.tls.client_ca is not None:
        common[_AUTHORITIES] = _authorities(listener.tls.client_ca)
    return resource


def _file(kind: str, listener: Listener) -> str:
    return f"{kind}-{short_name(listener.name)}.yaml"


def _reference(kind: str, listener: Listener, folder: Path) -> dict[str, Any]:
    source = {"path": str(folder / _file(kind, listener)), "watched_directory": {"path": str(folder)}}
    return {"name": kind, "sds_config": {"resource_api_version": "V3", "path_config_source": source}}


def _document(kind: str, content: dict[str, Any]) -> str:
    return json.dumps({"resources": [{"@type": f"{_TYPE}Secret", "name": kind, **content}]}, indent=1)


def _certificate(tls: ListenerTls) -> dict[str, Any]:
    """Watching the folder notices both a rename in it and Kubernetes' exchange of its `..data` link.

    Certificate and key in two folders are watched file by file.
    """
    certificate: dict[str, Any] = {
        "certificate_chain": {"filename": tls.certificate},
        "private_key": {"filename": tls.private_key},
    }
    folder = Path(tls.certificate).parent
    if folder == Path(tls.private_key).parent:
        certificate["watched_directory"] = {"path": str(folder)}
    return certificate


def _authorities(client_ca: str) -> dict[str, Any]:
    return {"trusted_ca": {"filename": client_ca}, "watched_directory": {"path": str(Path(client_ca).parent)}}
