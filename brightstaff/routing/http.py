"""`POST /routing/v1/{chat/completions,messages,responses}`: the decision alone, without calling the model."""

import re
import uuid
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from brightstaff.metrics.decisions import record_decision, record_service_request
from brightstaff.routing.decision import Decider, Decision, Outcome, Question
from brightstaff.routing.types import Turn
from brightstaff.telemetry.decisions import traced_decision
from brightstaff.telemetry.span import Value
from brightstaff.telemetry.telemetry import Telemetry
from hermesllm.conversation import ROUTING_TURNS, conversation
from hermesllm.errors import BodyTooLarge, GatewayError, InvalidRequest
from hermesllm.formats import Format
from planoctl.config.headers import AFFINITY, BODY_LIMIT
from planoctl.config.inline_preferences import take_inline_preferences
from planoctl.config.registry import ModelRegistry
from planoctl.config.runtime import RuntimeConfig, SpanAttributes
from planoctl.config.span_attributes import header_attributes, header_text, static_attributes

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_MESSAGES = {Format.CHAT: "messages", Format.ANTHROPIC: "messages", Format.RESPONSES: "input"}
_OUTCOMES = {
    Outcome.ROUTED: "decision_served",
    Outcome.NO_ROUTE: "no_candidates",
    Outcome.PINNED: "pinned",
    Outcome.FAILED: "policy_error",
}


class RoutingFailure(GatewayError):
    status = 500
    code = "routing_failed"


async def answer(
    request: Request,
    shape: Format,
    config: RuntimeConfig,
    registry: ModelRegistry,
    decider: Decider,
    telemetry: Telemetry,
) -> Response:
    """The decision about a request in the format `shape`."""
    try:
        question = _question(request, shape, await _body(request, config), config, registry)
    except (InvalidRequest, BodyTooLarge):
        record_service_request("bad_request")
        raise
    decision = await traced_decision(decider, question, telemetry, "routing_decision", _attributes(request, config))
    record_decision("routing", decision)
    record_service_request(_OUTCOMES[decision.outcome])
    if decision.outcome is Outcome.FAILED and config.routing.on_error == "fail":
        raise RoutingFailure(f"Failed to determine route: {decision.reason}", remedy="Try again.")
    return JSONResponse(_document(decision, request, question.session_id), headers={"access-control-allow-origin": "*"})


async def _body(request: Request, config: RuntimeConfig) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is known to be longer than its listener allows."""
    limit = _number(request.headers.get(BODY_LIMIT)) or config.overrides.max_request_bytes
    if (_number(request.headers.get("content-length")) or 0) > limit:
        raise BodyTooLarge(limit)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise BodyTooLarge(limit)
    return bytes(raw)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _question(request: Request, shape: Format, raw: bytes, config: RuntimeConfig, registry: ModelRegistry) -> Question:
    document = _parsed(raw, shape)
    inline = take_inline_preferences(document)
    tenant_header = config.routing.session_cache.tenant_header
    trace = {name: request.headers[name] for name in ("traceparent", "tracestate") if name in request.headers}
    return Question(
        conversation=[Turn(role, text) for role, text in conversation(shape, document, ROUTING_TURNS)],
        inline=inline.preferences if inline.present else None,
        requested_model=_requested(document, registry),
        asked_model=named if isinstance(named := document.get("model"), str) else "",
        path=request.url.path,
        session_id=request.headers.get(AFFINITY, ""),
        tenant=request.headers.get(tenant_header, "") if tenant_header else "",
        request_id=request.headers.get("x-request-id"),
        headers=trace,
    )


def _attributes(request: Request, config: RuntimeConfig) -> dict[str, Value]:
    """What the span of a decision tells of the request."""
    settings = config.tracing.span_attributes if config.tracing else SpanAttributes()
    found: dict[str, Value] = {
        **static_attributes(settings),
        **header_attributes(request.headers, settings.header_prefixes),
        "http.path": request.url.path.removeprefix("/routing"),
    }
    if session := header_text(request.headers.get(AFFINITY, "")):
        found["plano.session_id"] = session
    return found


def _parsed(raw: bytes, shape: Format) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise InvalidRequest(
            f"Failed to parse request JSON: {fault}", remedy="Send one JSON object in UTF-8."
        ) from None
    member = _MESSAGES[shape]
    if not isinstance(document, dict):
        raise InvalidRequest("Failed to parse request: the body is not a JSON object", remedy="Send one JSON object.")
    if not isinstance(document.get(member), list | (str if shape is Format.RESPONSES else list)):
        raise InvalidRequest(f"Failed to parse request: `{member}` is missing or has the wrong type", param=member)
    return document


def _requested(document: dict[str, Any], registry: ModelRegistry) -> str:
    """The public name of what the request names or gets by default; empty if that is nothing."""
    named = document.get("model")
    candidate = registry.resolve(named) if isinstance(named, str) and named else registry.default
    return candidate.name if candidate is not None else ""


def _document(decision: Decision, request: Request, session_id: str) -> dict[str, Any]:
    """The answer of version 0.4, with `model` beside `models` for clients of version 0.3."""
    models = list(decision.models) or ["none"]
    document: dict[str, Any] = {"models": models, "model": models[0], "route": decision.route}
    document["trace_id"] = _trace_id(request)
    if session_id:
        document["session_id"] = session_id
    document["pinned"] = decision.outcome is Outcome.PINNED
    if decision.outcome is Outcome.FAILED:
        document["error"] = {"code": decision.reason_code, "message": decision.reason}
    return document


def _trace_id(request: Request) -> str:
    match = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return match[1] if match else uuid.uuid4().hex
