"""Makes the rendered document of a migrated one: addresses split, defaults filled in, providers resolved."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from planoctl.config.addresses import (
    DEFAULT_PORTS,
    Address,
    parse_address,
    parse_base_url,
    parse_collector_url,
    protobuf_duration,
)
from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.migrate import default_model_listener
from planoctl.config.model_providers import internal_providers, normalise_providers

Document = dict[str, Any]

DEFAULT_COLLECTOR = "http://localhost:4317"
_LISTENER_PORTS = {"model": 12000, "prompt": 10000}
_SHORT_CONNECT_TIMEOUT_SECONDS = 0.1


def normalise(document: Document, environment: Mapping[str, str], report: Report) -> Document:
    """The rendered document (spec 01 §9); `document` is not changed."""
    document = deepcopy(document)
    providers = normalise_providers(document.get("model_providers", []), environment, report)
    _normalise_endpoints(document, report)
    _normalise_listeners(document, providers, report)
    _normalise_tracing(document, environment, report)
    _normalise_overrides(document, report)
    _normalise_failover(document, report)
    injected = internal_providers(
        providers, document.get("overrides", {}), preferences=bool(document.get("routing_preferences"))
    )
    document["model_providers"] = deepcopy(providers) + injected
    return document


def _normalise_listeners(document: Document, providers: list[Document], report: Report) -> None:
    listeners: list[Document] = document.setdefault("listeners", [])
    for index, listener in enumerate(listeners):
        path = ("listeners", index)
        if listener["type"] in _LISTENER_PORTS:
            listener.setdefault("port", _LISTENER_PORTS[listener["type"]])
        elif "port" not in listener:
            message = f"Agent listener '{shorten(listener['name'])}' has no port"
            report.error("missing-port", message, path, "add a port, e.g. port: 8001")
            listener["port"] = 0
        _convert_duration(listener, "timeout", path, report)
    models = [index for index, listener in enumerate(listeners) if listener["type"] == "model"]
    for index in models[1:]:
        report.error(
            "two-model-listeners",
            f"Currently only one listener can have model_providers set: only one model listener is allowed, found "
            f"{len(models)}",
            ("listeners", index),
            "keep one listener of type model",
        )
    if models:
        listeners[models[0]]["model_providers"] = providers
    elif report.intact("listeners"):
        listeners.append(default_model_listener() | {"model_providers": providers})


def _normalise_endpoints(document: Document, report: Report) -> None:
    endpoints: dict[str, Document] = document.get("endpoints", {})
    for name, endpoint in list(endpoints.items()):
        path = ("endpoints", name)
        _convert_duration(endpoint, "connect_timeout", path, report, connect=True)
        if (addresses := _addresses(endpoint, path, report)) is None:
            report.damage("endpoints")
            del endpoints[name]
            continue
        endpoint |= {"endpoint": addresses[0].host, "port": addresses[0].port}
        if len(addresses) > 1:
            endpoint["replicas"] = [{"endpoint": each.host, "port": each.port} for each in addresses]
    services = _services(document, set(endpoints), report)
    if endpoints or services:
        document["endpoints"] = endpoints | services


def _addresses(endpoint: Document, path: DocumentPath, report: Report) -> list[Address] | None:
    """The addresses of an endpoint; None if one of them is wrong."""
    written = endpoint["endpoint"]
    default_port = DEFAULT_PORTS[endpoint.get("protocol", "http")]
    found: list[Address] = []
    several = isinstance(written, list)
    for index, text in enumerate(written if several else [written]):
        place: DocumentPath = (*path, "endpoint", index) if several else (*path, "endpoint")
        try:
            found.append(parse_address(text, default_port))
        except ValueError as problem:
            report.error("invalid-endpoint", f"Endpoint '{shorten(text)}' is not host or host:port: {problem}", place,
                         "write e.g. api.example.com:443, and protocol: https for TLS")  # fmt: skip
    return found if len(found) == (len(written) if several else 1) else None


def _services(document: Document, taken: set[str], report: Report) -> dict[str, Document]:
    """Agents and filters as endpoints, by id."""
    services: dict[str, Document] = {}
    seen: set[str] = set()
    for section in ("agents", "filters"):
        for index, service in enumerate(document.get(section, [])):
            path, service_id = (section, index), service["id"]
            if service_id in seen:
                message = f"Duplicate agent id {shorten(service_id)}, please provide unique id for each agent"
                report.error("duplicate-agent-id", message, (*path, "id"), "rename one of the agents or filters")
            elif service_id in taken:
                message = f"Id '{shorten(service_id)}' is also the name of an endpoint"
                report.error("name-clash", message, (*path, "id"), "rename the endpoint or the id")
            seen.add(service_id)
            try:
                url = parse_base_url(service["url"])
            except ValueError as problem:
                message = f"'{shorten(service['url'])}' is not an absolute http(s) URL: {problem}"
                report.error("invalid-url", message, (*path, "url"), "write e.g. http://localhost:10510")
                report.damage("endpoints")
                continue
            services[service_id] = {"endpoint": url.host, "port": url.port, "protocol": url.scheme}
    return services


def _normalise_tracing(document: Document, environment: Mapping[str, str], report: Report) -> None:
    if (tracing := document.get("tracing")) is None:
        return
    text = tracing.get("opentracing_grpc_endpoint")
    if text is None:
        default = "" if tracing.get("exporters") else DEFAULT_COLLECTOR  # whoever names a destination means that one
        text = environment.get("OTEL_TRACING_GRPC_ENDPOINT") or default
    path = ("tracing", "opentracing_grpc_endpoint")
    if text == "":
        if not tracing.get("exporters"):
            report.warning("no-collector", "opentracing_grpc_endpoint is empty, so no span is exported", path,
                           f"write an address such as {DEFAULT_COLLECTOR}")  # fmt: skip
        return
    try:
        tracing["opentracing_grpc_endpoint"] = parse_collector_url(text).text
    except ValueError as problem:
        message = f"Invalid opentracing_grpc_endpoint {shorten(text)}, {problem}"
        report.error("invalid-collector", message, path, f"write e.g. {DEFAULT_COLLECTOR}")


def _normalise_overrides(document: Document, report: Report) -> None:
    overrides = document.get("overrides", {})
    _convert_duration(overrides, "upstream_connect_timeout", ("overrides",), report, connect=True)


def _normalise_failover(document: Document, report: Report) -> None:
    failover = document.get("routing", {}).get("failover", {})
    for key in ("per_try_timeout", "cooldown"):
        _convert_duration(failover, key, ("routing", "failover"), report, connect=True)


def _convert_duration(owner: Document, key: str, path: DocumentPath, report: Report, *, connect: bool = False) -> None:
    """Bring a duration to seconds; `connect` marks connect timeouts, which Envoy wants above zero."""
    if key not in owner:
        return
    text, place = owner[key], (*path, key)
    try:
        owner[key] = protobuf_duration(text)
    except ValueError as problem:
        message = f"'{shorten(text)}' is not a duration: {problem}"
        report.error("invalid-duration", message, place, "write e.g. 30s")
        del owner[key]
        return
    seconds = float(owner[key][:-1])
    if connect and seconds == 0:
        report.error("invalid-duration", "It must be above zero", place, "write e.g. 5s")
    elif connect and seconds < _SHORT_CONNECT_TIMEOUT_SECONDS:
        report.warning("short-connect-timeout", f"{text} is too short for most networks", place,
                       "write e.g. 5s")  # fmt: skip
