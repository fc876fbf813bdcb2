"""What Envoy answers when it must answer itself: JSON in the client's API, by status and by what is known by then.

The sidecar, where it is alive and has chosen a provider, replaces these with a text that names provider and remedy.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from planoctl.config.edge import RequestRate
from planoctl.config.headers import LOCAL_REPLY
from planoctl.render.edge_filters import retry_after

_PROVIDER = "%DYNAMIC_METADATA(plano:provider)%"
_MODEL = "%DYNAMIC_METADATA(plano:model)%"
_REQUEST_ID = "%REQ(X-REQUEST-ID)%"

# The response flags of Envoy's router: the provider could not be reached, or did not answer.
_UPSTREAM_FLAGS = ["UH", "UF", "UO", "NR", "NC", "URX", "UC", "UT", "LR", "UR", "SI", "UPE", "UMSDR", "DT", "DF"]


def _expression(text: str) -> dict[str, Any]:
    """True where a CEL expression is."""
    kind = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    typed = {"@type": kind, "expression": text}
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": typed}}


OWN_REPLY_FILTER = json.dumps(_expression("response.code_details.startsWith('plano_')"))
_OVERLOAD = _expression("response.code_details == 'overload'")


def _metadata(name: str, value: dict[str, Any], *, absent: bool = False) -> dict[str, Any]:
    """True where the sidecar has set `name` to `value`; `absent` is the answer where it has not set it at all."""
    matcher = {"filter": "plano", "path": [{"key": name}], "value": value}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": absent}}


_PROVIDER_CHOSEN = _metadata("provider", {"present_match": True})
_IS_ANTHROPIC = {"string_match": {"exact": "anthropic"}}
_ANTHROPIC_METADATA = _metadata("client_format", _IS_ANTHROPIC)
_ANTHROPIC_PATH = {"header_filter": {"header": {"name": ":path", "string_match": {"prefix": "/v1/messages"}}}}
# The path tells only until the sidecar has rewritten it to the provider's; from then on the metadata does.
_UNTOUCHED = _metadata("client_format", _IS_ANTHROPIC, absent=True)
_ANTHROPIC = {
    "or_filter": {"filters": [_ANTHROPIC_METADATA, {"and_filter": {"filters": [_ANTHROPIC_PATH, _UNTOUCHED]}}]}
}
_PROVIDER_FAULT = {"response_flag_filter": {"flags": _UPSTREAM_FLAGS}}


@dataclass(frozen=True, slots=True)
class LocalReply:
    """A mapper of Envoy's local_reply_config: statuses `least`…`most`, under all `conditions`, become `body`.

    `status`: what the client gets instead of Envoy's status.
    """

    least: int
    most: int
    conditions: list[str]
    headers: dict[str, str]
    body: dict[str, Any]
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Situation:
    """A kind of local reply, before it takes the shape of an API. `%…%` are Envoy's own format commands."""

    least: int
    most: int
    message: str
    remedy: str
    code: str
    openai_type: str
    anthropic_type: str
    status: int | None = None
    conditions: tuple[dict[str, Any], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    extras: dict[str, str] = field(default_factory=dict)


def _too_many_requests(rate: RequestRate) -> _Situation:
    """The one 429 of Envoy's own. It sets the response flag for it only after the reply."""
    return _Situation(
        least=429,
        most=429,
        headers={"retry-after": str(retry_after(rate))},
        message=f"This listener takes {rate.requests} requests per {rate.unit}, and has had more",
        remedy="Send requests more slowly, or raise `rate` of the listener.",
        code="rate_limit_exceeded",
        openai_type="rate_limit_exceeded",
        anthropic_type="rate_limit_error",
    )


def _situations(max_request_bytes: int, rate: RequestRate | None) -> list[_Situation]:
    """Most specific first: the first that fits is taken."""
    return [
        *([_too_many_requests(rate)] if rate else ()),
        _Situation(
            least=400,
            most=599,
            conditions=(_PROVIDER_CHOSEN, _PROVIDER_FAULT),
            headers={LOCAL_REPLY: "%RESPONSE_CODE_DETAILS%|%RESPONSE_FLAGS%|%UPSTREAM_TRANSPORT_FAILURE_REASON%"},
            message=f"The connection to {_PROVIDER} failed before it had answered (model {_MODEL})",
            remedy="Try again; if it lasts, check that the provider is up.",
            code="provider_unavailable",
            openai_type="server_error",
            anthropic_type="api_error",
            extras={"provider": _PROVIDER, "model": _MODEL},
        ),
        _Situation(
            least=500,
            most=503,
            status=503,
            conditions=(_OVERLOAD,),
            headers={"retry-after": "5"},
            message="The gateway is short of memory and takes no new requests now",
            remedy="Try again in some seconds; if it lasts, add memory or gateway replicas.",
            code="gateway_overloaded",
            openai_type="server_error",
            anthropic_type="overloaded_error",
        ),
        _Situation(
            least=413,
            most=413,
            message=f"The request body is larger than the limit of {max_request_bytes} bytes",
            remedy="Send a smaller body, or raise max_request_bytes of the listener or of overrides.",
            code="request_too_large",
            openai_type="invalid_request_error",
            anthropic_type="request_too_large",
        ),
        _Situation(
            least=431,
            most=431,
            message="The request's headers are more, or larger, than this listener takes",
            remedy="Send fewer or shorter headers, or raise max_header_bytes or max_headers of the listener.",
            code="headers_too_large",
            openai_type="invalid_request_error",
            anthropic_type="invalid_request_error",
        ),
        _Situation(
            least=408,
            most=408,
            message="The request did not arrive in time",
            remedy="Send the whole request body without long pauses.",
            code="request_timeout",
            openai_type="invalid_request_error",
            anthropic_type="invalid_request_error",
        ),
        _Situation(
            least=400,
            most=499,
            message="The gateway refused the request",
            remedy="Check the request's line, headers and encoding.",
            code="bad_request",
            openai_type="invalid_request_error",
            anthropic_type="invalid_request_error",
        ),
        _Situation(
            least=501,
            most=501,
            message="The gateway does not know the request's transfer-encoding",
            remedy="Send the body with a content-length, or with `transfer-encoding: chunked`.",
            code="unsupported_transfer_encoding",
            openai_type="invalid_request_error",
            anthropic_type="invalid_request_error",
        ),
        _Situation(
            least=504,
            most=504,
            message="The gateway did not answer in time",
            remedy="Try again; if it lasts, run `planoctl status`.",
            code="gateway_timeout",
            openai_type="server_error",
            anthropic_type="timeout_error",
        ),
        _Situation(
            least=500,
            most=599,
            message="The gateway is not able to serve this request now",
            headers={"retry-after": "1"},
            remedy="Try again; if it lasts, run `planoctl status` and look at the logs.",
            code="gateway_unavailable",
            openai_type="server_error",
            anthropic_type="overloaded_error",
        ),
    ]


def local_replies(max_request_bytes: int, rate: RequestRate | None = None) -> list[LocalReply]:
    """The mappers, each situation first in Anthropic's shape for its clients, then in OpenAI's for all others."""
    replies = []
    for situation in _situations(max_request_bytes, rate):
        conditions = [json.dumps(condition) for condition in situation.conditions]
        for more, headers, body in (
            ([json.dumps(_ANTHROPIC)], {"request-id": _REQUEST_ID}, _anthropic(situation)),
            ([], {}, _openai(situation)),
        ):
            shown = {**situation.headers, **headers}
            replies.append(
                LocalReply(situation.least, situation.most, conditions + more, shown, body, situation.status)
            )
    return replies


def _error(situation: _Situation) -> dict[str, Any]:
    extras = {**situation.extras, "remedy": situation.remedy}
    return {"message": f"{situation.message}. {situation.remedy}", "code": situation.code, **extras}


def _openai(situation: _Situation) -> dict[str, Any]:
    return {"error": {**_error(situation), "type": situation.openai_type, "param": None, "request_id": _REQUEST_ID}}


def _anthropic(situation: _Situation) -> dict[str, Any]:
    error = {**_error(situation), "type": situation.anthropic_type}
    return {"type": "error", "error": error, "request_id": _REQUEST_ID}
