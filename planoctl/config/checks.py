"""Cross-reference checks on the rendered document: what would otherwise fail only once the gateway runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from planoctl.config.environment import UnsetVariable, expand
from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.header_checks import check_header_names, check_host, is_header_name
from planoctl.config.listener_checks import check_listeners
from planoctl.config.model_checks import check_models
from planoctl.config.service_checks import check_services
from planoctl.config.tracing_checks import check_tracing

Document = dict[str, Any]

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def check(migrated: Document, rendered: Document, environment: Mapping[str, str], report: Report) -> None:
    """Report what does not fit together. `migrated` is the document before providers were normalised."""
    check_models(migrated, rendered, report)
    check_listeners(rendered, report)
    check_services(rendered, report)
    check_tracing(rendered, report)
    _check_headers(migrated, report)
    _check_storage(rendered, environment, report)
    _check_inactive(rendered, report)


def _check_headers(document: Document, report: Report) -> None:
    for index, target in enumerate(document.get("prompt_targets", [])):
        headers = target.get("endpoint", {}).get("http_headers", {})
        check_header_names(headers, ("prompt_targets", index, "endpoint", "http_headers"), report)
    for name, endpoint in document.get("endpoints", {}).items():
        check_host(endpoint, ("endpoints", name), report)
    cache = document.get("routing", {}).get("session_cache", {})
    for header, path in [
        *_selector_headers(document),
        *((name, ("routing", "session_cache", key)) for key, name in cache.items() if key == "tenant_header"),
    ]:
        if not is_header_name(header):
            report.error("invalid-header", f"'{shorten(header)}' is not a header name", path, "write e.g. x-user-id")


def _selector_headers(document: Document) -> Iterator[tuple[str, DocumentPath]]:
    for index, limit in enumerate(document.get("ratelimits", [])):
        if key := limit.get("selector", {}).get("key"):
            yield key, ("ratelimits", index, "selector", "key")


def _check_storage(document: Document, environment: Mapping[str, str], report: Report) -> None:
    storage = document.get("state_storage", {})
    if storage.get("type") == "postgres" and not _resolved(storage["connection_string"], environment).strip():
        report.error("missing-connection-string", "connection_string is required for postgres state_storage",
                     ("state_storage", "connection_string"), "write e.g. connection_string: $DATABASE_URL")  # fmt: skip
    _check_redis(
        document.get("routing", {}).get("session_cache", {}), ("routing", "session_cache"), environment, report
    )
    _check_redis(document.get("rate_limit_store", {}), ("rate_limit_store",), environment, report)


def _check_redis(store: Document, path: DocumentPath, environment: Mapping[str, str], report: Report) -> None:
    if store.get("type") != "redis":
        return
    url = _resolved(store.get("url", ""), environment).strip()
    if not url:
        message = f"{path[-1]}.url is required when type is redis"
        report.error("missing-redis-url", message, path, "add url: redis://localhost:6379")
    elif not url.startswith((*_REDIS_SCHEMES, "$")):
        report.error("invalid-redis-url", f"{path[-1]}.url is not a Redis URL", (*path, "url"),
                     "write redis://host:6379, or rediss:// for TLS")  # fmt: skip


def _resolved(text: str, environment: Mapping[str, str]) -> str:
    """The value of a secret; its own text where a variable is unset, which has a finding already."""
    try:
        return expand(text, environment.get)
    except UnsetVariable:
        return text


def _check_inactive(document: Document, report: Report) -> None:
    """What is accepted and does nothing, or not what it seems."""
    if document.get("prompt_guards"):
        report.warning("inactive-key", "prompt_guards are accepted but not enforced", ("prompt_guards",),
                       "use a filter in input_filters instead")  # fmt: skip
    sampling = document.get("tracing", {}).get("random_sampling", 0)
    if sampling < 0:
        report.warning("out-of-range", f"random_sampling {sampling} is below 0, so tracing is off",
                       ("tracing", "random_sampling"), "write a percentage from 0 to 100")  # fmt: skip
