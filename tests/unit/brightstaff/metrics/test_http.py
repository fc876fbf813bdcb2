"""Requests on brightstaff's own port."""

import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from brightstaff.metrics.http import Measured, handler


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/agents/v1/chat/completions", "agent_chat"),
        ("GET", "/agents/v1/messages", "agent_chat"),
        ("POST", "/routing/v1/responses", "routing_decision"),
        ("POST", "/v1/chat/completions", "llm_chat"),
        ("GET", "/v1/chat/completions", "not_found"),
        ("OPTIONS", "/v1/chat/completions", "cors_preflight"),
        ("POST", "/function_calling", "function_calling"),
        ("GET", "/v1/models", "list_models"),
        ("GET", "/v1/models/openai/gpt-4o", "list_models"),
        ("GET", "/agents/v1/models", "list_models"),
        ("OPTIONS", "/v1/models", "cors_preflight"),
        ("DELETE", "/v1/models", "not_found"),
        ("POST", "/v1/messages/count_tokens", "count_tokens"),
        ("GET", "/debug/memstats", "debug"),
        ("GET", "/healthz", "health"),
        ("GET", "/", "not_found"),
        ("POST", "/routing/v1/models", "not_found"),
    ],
)
def test_handlers_are_a_closed_set(method: str, path: str, name: str) -> None:
    assert handler(method, path) == name


def test_a_request_is_open_until_its_answer_has_ended() -> None:
    def open_requests() -> float:
        return REGISTRY.get_sample_value("brightstaff_http_in_flight_requests", {"handler": "debug"}) or 0.0

    seen: list[float] = []

    async def endpoint(_request: object) -> StreamingResponse:
        async def pieces():  # type: ignore[no-untyped-def]
            seen.append(open_requests())
            yield b"x"

        return StreamingResponse(pieces(), status_code=203)

    async def broken(_request: object) -> StreamingResponse:
        raise RuntimeError("fault")

    routes = [Route("/debug/x", endpoint), Route("/debug/broken", broken)]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(Measured)]), raise_server_exceptions=False)
    client.get("/debug/x")
    client.request("PROPFIND", "/debug/x")
    client.get("/debug/broken")
    assert seen == [1.0]
    assert open_requests() == 0.0

    def count(method: str, status: str) -> float | None:
        labels = {"handler": "debug", "method": method, "status_class": status}
        return REGISTRY.get_sample_value("brightstaff_http_requests_total", labels)

    assert (count("GET", "2xx"), count("OTHER", "4xx"), count("GET", "5xx")) == (1, 1, 1)
