"""brightstaff's HTTP surface."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brightstaff.metrics.http import Measured
from brightstaff.metrics.listener import MetricsListener
from brightstaff.models import anthropic_model, anthropic_models, openai_model, openai_models
from brightstaff.routing.http import answer as routing_answer
from brightstaff.state import State
from brightstaff.token_count import count_input_tokens
from hermesllm.conversation import ROUTED_FORMATS
from hermesllm.error_bodies import render_error
from hermesllm.errors import ErrorReport, GatewayError, InvalidRequest
from hermesllm.formats import CLIENT_ENDPOINTS, Format
from planoctl.config.watch import ConfigWatch

_DRAIN_SECONDS = 30.0
_CORS = {"access-control-allow-origin": "*"}
_PREFLIGHT = {
    **_CORS,
    "allow": "GET, POST, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, X-Api-Key, Anthropic-Version, X-Model-Affinity",
    "access-control-allow-methods": "GET, POST, OPTIONS",
}


def create_app(
    state: State,
    socket: Path | None = None,
    watch: ConfigWatch | None = None,
    metrics: MetricsListener | None = None,
) -> Starlette:
    """The service; with `socket` it also answers the sidecar there, over gRPC, and with `watch` it follows changes."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await state.start()
        if metrics is not None:
            metrics.start()
        server = await _start_routing(state, socket) if socket else None
        watching = asyncio.create_task(watch.run(state.apply)) if watch else None
        yield
        state.ready = False
        if watching is not None:
            watching.cancel()
        if server is not None:
            await server.stop(_DRAIN_SECONDS)
        if metrics is not None:
            await to_thread.run_sync(metrics.stop)
        await state.stop()

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *(
                Route(f"/routing{endpoint.path}", _routing_endpoint(endpoint.format), methods=["POST"])
                for endpoint in CLIENT_ENDPOINTS
                if endpoint.format in ROUTED_FORMATS
            ),
            Route("/routing/{path:path}", preflight, methods=["OPTIONS"]),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
            Route("/v1/models", list_models, methods=["GET"]),
            Route("/v1/models", preflight, methods=["OPTIONS"]),
            Route("/v1/models/{name:path}", show_model, methods=["GET"]),
        ],
        exception_handlers={GatewayError: gateway_error, 404: not_found, 405: not_found, 500: fault},
        middleware=[Middleware(Measured)],
        lifespan=lifespan,
    )
    app.state.gateway = state
    return app


async def _start_routing(state: State, socket: Path) -> Any:
    from brightstaff.routing.service import RoutingService, start_service  # gRPC takes long to import

    with suppress(FileNotFoundError):
        os.unlink(socket)  # noqa: PTH108 — once, before anything is served
    previous = os.umask(0o177)  # only the owner may connect
    try:
        return await start_service(
            RoutingService(lambda: state.snapshot.decider, state.record_latency, state.metrics.add, state.telemetry),
            f"unix:{socket}",
        )
    finally:
        os.umask(previous)


def _routing_endpoint(shape: Format) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        state = _state(request)
        snapshot = state.snapshot
        return await routing_answer(
            request, shape, snapshot.config, snapshot.registry, snapshot.decider, state.telemetry
        )

    return endpoint


async def healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    ready = _state(request).ready
    return JSONResponse({"status": "ready" if ready else "stopping"}, status_code=200 if ready else 503)


async def preflight(_request: Request) -> Response:
    return Response(status_code=204, headers=_PREFLIGHT)


async def list_models(request: Request) -> Response:
    registry = _state(request).snapshot.registry
    if _client_format(request) is Format.ANTHROPIC:
        return JSONResponse(anthropic_models(registry, request.query_params), headers=_CORS)
    return JSONResponse(openai_models(registry), headers=_CORS)


async def count_tokens(request: Request) -> Response:
    try:
        document = orjson.loads(await request.body())
    except orjson.JSONDecodeError as problem:
        raise InvalidRequest(f"Request parsing error: {problem}") from None
    tokens = await to_thread.run_sync(count_input_tokens, document)
    return JSONResponse({"input_tokens": tokens}, headers={"x-plano-estimated": "true"})


async def show_model(request: Request) -> Response:
    name = request.path_params["name"]
    registry = _state(request).snapshot.registry
    candidate = registry.resolve(name)
    if candidate is None or candidate.entry.internal:
        raise GatewayError(
            f"The model '{name[:200]}' does not exist",
            status=404,
            code="model_not_found",
            param="model",
            remedy="GET /v1/models lists the configured models.",
        )
    render = anthropic_model if _client_format(request) is Format.ANTHROPIC else openai_model
    return JSONResponse(render(name, candidate), headers=_CORS)


async def gateway_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, GatewayError):
        raise error
    return _answer(request, error.report())


async def not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = f"{request.method} {request.url.path[:200]} is not served here"
    remedy = "Model listeners serve POST /v1/chat/completions, POST /v1/messages and GET /v1/models."
    return _answer(request, ErrorReport(status=status, code="unknown_path", message=message, remedy=remedy))


async def fault(request: Request, _error: Exception) -> Response:
    report = ErrorReport(
        status=500,
        code="internal_error",
        message="Internal gateway error",
        remedy="Report it with the request id; the log of brightstaff has the details.",
    )
    return _answer(request, report)


def _answer(request: Request, report: ErrorReport) -> Response:
    body = render_error(_client_format(request), report.about(request_id=request.headers.get("x-request-id")))
    return Response(body, status_code=report.status, media_type="application/json", headers=_CORS)


def _client_format(request: Request) -> Format:
    path = request.url.path.removeprefix("/routing")
    anthropic = "anthropic-version" in request.headers or path.startswith("/v1/messages")
    return Format.ANTHROPIC if anthropic else Format.CHAT


def _state(request: Request) -> State:
    state: State = request.app.state.gateway
    return state
