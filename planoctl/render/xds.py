"""The files through which Envoy follows changes: clusters, listeners and, apart from them, each listener's routes.

Routes are in files of their own because a listener that changes has to be replaced, and its connections to be closed
at some time; a change of routes touches none. Every file states a version made of its content, and Envoy tells in its
statistics which versions it has taken up.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

CLUSTERS, LISTENERS = "cds.yaml", "lds.yaml"

_ROUTES_TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
_MANAGER = "envoy.filters.network.http_connection_manager"
_VERSION_CHARACTERS = 12
_ROUTES_PREFIX = "routes-"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Resource = dict[str, Any]


def read_resources(text: str) -> list[Resource]:
    """The resources in a file, as `discovery_file` or a template wrote it."""
    resources: list[Resource] = yaml.load(text, Loader=_LOADER)["resources"]  # noqa: S506 — a safe loader
    return resources


def discovery_file(resources: Sequence[Resource]) -> str:
    """A file for Envoy. The same resources make the same text."""
    text: str = yaml.dump({"resources": list(resources)}, Dumper=_DUMPER, sort_keys=False, width=120)
    return f"version_info: {hashlib.sha256(text.encode()).hexdigest()[:_VERSION_CHARACTERS]!r}\n{text}"


def version_of(text: str) -> str:
    """The version that a file states."""
    return text.partition("\n")[0].partition("'")[2].rstrip("'")


def split_routes(listeners: Sequence[Resource], folder: str) -> dict[str, str]:
    """The files of listeners that have their routes in them: `lds.yaml`, and one file of routes for each.

    `folder`: where Envoy reads the files.
    """
    files = {}
    for listener in listeners:
        for manager in _managers(listener):
            routes = manager.pop("route_config")
            name = routes_file(routes["name"])
            files[name] = discovery_file([{"@type": _ROUTES_TYPE, **routes}])
            manager["rds"] = {
                "route_config_name": routes["name"],
                "config_source": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": f"{folder}/{name}", "watched_directory": {"path": folder}},
                },
            }
    return {LISTENERS: discovery_file(listeners), **files}


def routes_file(listener: str) -> str:
    """The name of the file with the routes of a listener."""
    return f"{_ROUTES_PREFIX}{short_name(listener)}.yaml"


def short_name(listener: str) -> str:
    """Stands for a listener in names of files and clusters: its own name may be no file name, its place may change."""
    return hashlib.sha256(listener.encode()).hexdigest()[:8]


def is_routes_file(name: str) -> bool:
    return name.startswith(_ROUTES_PREFIX)


def static_bootstrap(bootstrap: Mapping[str, Any], listeners: Sequence[Resource], clusters: Sequence[Resource]) -> str:
    """Everything in one document: `envoy --mode validate` does not read the files that a bootstrap only names."""
    document = {name: value for name, value in bootstrap.items() if name != "dynamic_resources"}
    own = document["static_resources"]
    document["static_resources"] = {
        **own,
        "listeners": [_typeless(listener) for listener in listeners],
        "clusters": [*own["clusters"], *map(_typeless, clusters)],
    }
    return json.dumps(document, indent=1)


def _managers(listener: Resource) -> list[Resource]:
    return [
        network_filter["typed_config"]
        for chain in listener["filter_chains"]
        for network_filter in chain["filters"]
        if network_filter["name"] == _MANAGER and "route_config" in network_filter["typed_config"]
    ]


def _typeless(resource: Resource) -> Resource:
    return {key: value for key, value in resource.items() if key != "@type"}
