"""The span of one LLM call, made of the sidecar's observation of it: the gateway's own keys and OpenTelemetry's."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from brightstaff.telemetry.span import DISTINCT_ID, INPUT, OUTPUT, SERVICE_OVERRIDE, Event, Span, TraceContext, Value
from hermesllm.formats import Format
from hermesllm.gen_ai import operation_name, provider_name
from hermesllm.prices import Rates
from planoctl.config.runtime import Tracing
from planoctl.config.span_attributes import static_attributes

SERVICE = "plano(llm)"

_ERROR_STATUS = 400
_BROKEN = frozenset(  # what Envoy says of an answer that began and did not end
    {
        "upstream_connection_termination",
        "upstream_remote_reset",
        "upstream_protocol_error",
        "local_reset",
        "stream_idle_timeout",
        "duration_timeout",
        "upstream_request_timeout",
        "upstream_max_stream_duration_reached",
    }
)
_ABANDONED = "plano_stream_abandoned"
_OWN = "plano_"  # begins the details of the gateway's own errors
_PATHS = {
    Format.CHAT: "/v1/chat/completions",
    Format.ANTHROPIC: "/v1/messages",
    Format.RESPONSES: "/v1/responses",
    Format.COMPLETIONS: "/v1/completions",
    Format.EMBEDDINGS: "/v1/embeddings",
}
_PARAMETERS = {
    "temperature": ("llm.temperature", "gen_ai.request.temperature"),
    "top_p": ("llm.top_p", "gen_ai.request.top_p"),
    "max_tokens": ("llm.max_tokens", "gen_ai.request.max_tokens"),
    "max_completion_tokens": ("llm.max_tokens", "gen_ai.request.max_tokens"),
    "max_output_tokens": ("llm.max_tokens", "gen_ai.request.max_tokens"),
}

Price = Callable[[str, str], Rates | None]
"""Finds rates by provider and model."""


def llm_span(record: bytes, tracing: Tracing, price: Price) -> Span | None:
    """The span of an observation in JSON; None if it has no trace."""
    seen: dict[str, Any] = orjson.loads(record)
    if not seen.get("trace_id") or not seen.get("span_id"):
        return None
    told = _told(seen)
    path = str(told.get("path") or _PATHS.get(seen["client_format"], ""))
    context = TraceContext(seen["trace_id"], seen["span_id"], sampled=True)
    span = Span(
        service=SERVICE,
        name=_name(path, seen),
        context=context,
        started=seen["started"],
        ended=seen["started"] + seen["duration"],
        kind="client",
        error=problem[1] if (problem := _error(seen)) else None,
    )
    if told.get("span"):
        span.span_id = told["span"]
    span.attributes = {
        **static_attributes(tracing.span_attributes),
        **told.get("attributes", {}),
        "component": "llm",
        SERVICE_OVERRIDE: SERVICE,
        "request_id": seen["request_id"],
        "http.method": "POST",
        "http.path": path,
        **_routing(seen),
        **_request(seen, told),
        **_answer(seen),
        **_usage(seen, price),
    }
    if seen["ttft"] is not None:
        name = "llm.time_to_first_token"
        milliseconds = round(seen["ttft"] * 1000)
        span.events.append(Event(name, seen["started"] + seen["ttft"], {name: milliseconds}))
    return span


def _told(seen: Mapping[str, Any]) -> dict[str, Any]:
    try:
        told = orjson.loads(seen.get("traced") or "{}")
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _name(path: str, seen: Mapping[str, Any]) -> str:
    asked, served = seen["requested_model"], seen["model"]
    if not served:
        return "llm"
    same = not asked or asked == served or asked.partition("/")[2] == served
    return f"POST {path} {served}" if same else f"POST {path} {asked} -> {seen['provider']}/{served}"


def _error(seen: Mapping[str, Any]) -> tuple[str, str] | None:
    """What went wrong, as a type and in words."""
    status, details = seen["status"], seen["details"]
    if seen["client_left"]:
        return "client_disconnect", "the client went away"
    if status >= _ERROR_STATUS or not status:
        kind = details.removeprefix(_OWN) if details.startswith(_OWN) else str(status or "no_answer")
        return kind, f"{status or 'no answer'} {details}".strip()
    if seen.get("error"):
        return seen["error"], "the answer ended with an error"
    broken = sorted(_BROKEN.intersection(seen["flags"]))
    if broken or details == _ABANDONED:
        return "stream_broken", f"the answer broke off: {', '.join(broken) or 'it could not be read'}"
    return None


def _routing(seen: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if seen["route"]:
        found["plano.route.name"] = seen["route"]
    if seen["routing"]:
        found["routing.strategy"] = seen["routing"]
    if seen.get("routing_reason"):
        found["routing.selection_reason"] = seen["routing_reason"]
    if seen["chain"]:
        found["plano.chain"] = list(seen["chain"])
        found["routing.is_fallback"] = seen["attempts"] > 1
    found["plano.attempts"] = seen["attempts"]
    if seen.get("identity"):
        found["plano.identity"] = seen["identity"]
    return found


def _request(seen: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Value]:
    shape = seen["client_format"]
    found: dict[str, Value] = {
        "llm.is_streaming": seen["stream"],
        "gen_ai.operation.name": operation_name(shape),
        "plano.client_format": str(shape),
    }
    if seen["requested_model"]:
        found["model.requested"] = found["gen_ai.request.model"] = seen["requested_model"]
    if seen["model"]:
        found["llm.model"] = found["gen_ai.response.model"] = seen["model"]
        found["model.alias_resolved"] = f"{seen['provider']}/{seen['model']}"
    if seen["provider"]:
        found["llm.provider"] = seen["provider"]
        found["gen_ai.provider.name"] = provider_name(seen["provider"])
    if seen.get("upstream_format"):
        found["plano.upstream_format"] = seen["upstream_format"]
    for name, keys in _PARAMETERS.items():
        if name in told:
            ours, theirs = keys
            found[theirs] = told[name]
            found[ours] = f"{told[name]:g}" if ours == "llm.temperature" else told[name]
    if told.get("tools"):
        found["llm.tools"] = "\n".join(f"{name}(...)" for name in told["tools"])
    if told.get("session"):
        found["plano.session_id"] = found["gen_ai.conversation.id"] = told["session"]
    if told.get("preview"):
        found["llm.user_message_preview"] = told["preview"]
    if told.get("input"):
        found[INPUT] = told["input"]
    if told.get("distinct_id"):
        found[DISTINCT_ID] = told["distinct_id"]
    if seen.get("internal"):
        found["plano.internal"] = True
    return found


def _answer(seen: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {
        "llm.duration_ms": round(seen["duration"] * 1000),
        "llm.response_bytes": seen["bytes_out"],
    }
    if seen["status"]:
        found["http.status_code"] = seen["status"]
    if seen["ttft"] is not None:
        found["llm.time_to_first_token"] = round(seen["ttft"] * 1000)
    if seen.get("answered"):
        found[OUTPUT] = seen["answered"]
    if (problem := _error(seen)) is not None:
        found["error.type"], found["error.message"] = problem
    if seen["flags"]:
        found["plano.response_flags"] = list(seen["flags"])
    return found


def _usage(seen: Mapping[str, Any], price: Price) -> dict[str, Value]:
    usage = seen["usage"]
    if usage is None:
        return {}
    prompt, completion = usage["prompt"], usage["completion"]
    found: dict[str, Value] = {
        "llm.usage.prompt_tokens": prompt,
        "llm.usage.completion_tokens": completion,
        "llm.usage.total_tokens": prompt + completion,
        "llm.usage.cached_input_tokens": usage["cache_read"],
        "llm.usage.cache_creation_tokens": usage["cache_write"],
        "llm.usage.prompt_includes_cache": True,
        "gen_ai.usage.input_tokens": prompt,
        "gen_ai.usage.output_tokens": completion,
        "gen_ai.usage.cache_read.input_tokens": usage["cache_read"],
        "gen_ai.usage.cache_creation.input_tokens": usage["cache_write"],
    }
    if usage["reasoning"] is not None:
        found["llm.usage.reasoning_tokens"] = usage["reasoning"]
    rates = price(seen["provider"], seen["model"]) if seen["model"] else None
    if rates is not None:
        paid_in = rates.prompt_usd(prompt, usage["cache_read"], usage["cache_write"])
        paid_out = rates.usd(output=completion)
        found["llm.usage.input_cost_usd"] = round(paid_in, 9)
        found["llm.usage.output_cost_usd"] = round(paid_out, 9)
        found["llm.usage.total_cost_usd"] = round(paid_in + paid_out, 9)
    return found
