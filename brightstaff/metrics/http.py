"""Requests on brightstaff's own port, counted around the application."""

import time

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hermesllm.formats import CLIENT_ENDPOINTS

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_PATHS = frozenset(endpoint.path for endpoint in CLIENT_ENDPOINTS)
_COUNT_TOKENS = "/v1/messages/count_tokens"
_FAULT = 500

_REQUESTS = Counter(
    "brightstaff_http_requests_total",
    "Requests that Envoy or others sent to brightstaff.",
    ("handler", "method", "status_class"),
)
_DURATION = Histogram(
    "brightstaff_http_request_duration_seconds",
    "Time of a request until the end of its answer.",
    ("handler",),
    buckets=_SECONDS,
)
_OPEN = Gauge("brightstaff_http_in_flight_requests", "Requests whose answer has not ended.", ("handler",))


class Measured:
    """An application whose HTTP requests are counted, until the end of their answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, name = scope["method"], handler(scope["method"], scope["path"])
        status = _FAULT

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        _OPEN.labels(name).inc()
        try:
            await self._app(scope, receive, noted)
        finally:
            _OPEN.labels(name).dec()
            _DURATION.labels(name).observe(time.perf_counter() - began)
            status_class = f"{status // 100}xx" if 100 <= status < 600 else "other"
            _REQUESTS.labels(name, method if method in _METHODS else "OTHER", status_class).inc()


def handler(method: str, path: str) -> str:
    """Who answers a request, out of a closed set."""
    if path in ("/healthz", "/readyz"):
        return "health"
    if path.startswith("/debug/"):
        return "debug"
    if path == _COUNT_TOKENS:
        return "count_tokens"
    for prefix, name in (("/agents", "agent_chat"), ("/routing", "routing_decision"), ("", "llm_chat")):
        if path.removeprefix(prefix) in _PATHS and path.startswith(prefix):
            if method == "OPTIONS" or (name == "llm_chat" and method != "POST"):
                return "cors_preflight" if method == "OPTIONS" else "not_found"
            return name
    if path == "/function_calling" and method in ("POST", "OPTIONS"):
        return "function_calling" if method == "POST" else "cors_preflight"
    if path.removeprefix("/agents").startswith("/v1/models") and method in ("GET", "OPTIONS"):
        return "list_models" if method == "GET" else "cors_preflight"
    return "not_found"
