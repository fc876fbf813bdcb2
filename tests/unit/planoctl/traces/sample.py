"""Traces as a gateway with agents makes them, for the tests: two that went well and three that failed."""

from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from planoctl.traces.otlp import received
from planoctl.traces.span import Span

BEGAN = 1_770_000_000_000_000_000
MILLISECOND = 1_000_000
FIRST, SECOND = "86f21585" + "168a31a2" * 3, "93fb6c6a" + "7c1f00d2" * 3
UNAVAILABLE, LIMITED, UNHEALTHY = "f7a31829" + "c4b5d6e8" * 3, "0f11a2b3" + "44aa55bb" * 3, "5c9f8d7e" + "6f50aa11" * 3


@dataclass(frozen=True)
class Made:
    """A span to export. Times are milliseconds after the beginning."""

    trace: str
    id: str
    parent: str = ""
    service: str = "plano(llm)"
    name: str = "POST /v1/chat/completions"
    start: float = 0
    end: float = 1
    attributes: dict[str, str | int | float | bool] = field(default_factory=dict)
    events: dict[str, dict[str, str | int]] = field(default_factory=dict)
    error: str = ""


def export(*made: Made, began: int = BEGAN) -> ExportTraceServiceRequest:
    """The request that an exporter would send."""
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=[_pair("service.name", span.service)]),
                scope_spans=[ScopeSpans(spans=[_proto(span, began)])],
            )
            for span in made
        ]
    )


def spans(*made: Made) -> list[Span]:
    """What the collector makes of them."""
    return received(export(*made)).spans


def _proto(made: Made, began: int) -> ProtoSpan:
    return ProtoSpan(
        trace_id=bytes.fromhex(made.trace),
        span_id=bytes.fromhex(made.id.zfill(16)),
        parent_span_id=bytes.fromhex(made.parent.zfill(16)) if made.parent else b"",
        name=made.name,
        start_time_unix_nano=began + int(made.start * MILLISECOND),
        end_time_unix_nano=began + int(made.end * MILLISECOND),
        attributes=[_pair(key, value) for key, value in made.attributes.items()],
        events=[
            ProtoSpan.Event(
                time_unix_nano=began + int(made.start * MILLISECOND),
                name=name,
                attributes=[_pair(key, value) for key, value in pairs.items()],
            )
            for name, pairs in made.events.items()
        ],
        status=Status(code=Status.STATUS_CODE_ERROR, message=made.error) if made.error else Status(),
    )


def _pair(key: str, value: str | float | bool) -> KeyValue:
    kind = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}[type(value)]
    return KeyValue(key=key, value=AnyValue(**{kind: value}))


def _proxy(status: int = 200, **more: str | int) -> dict[str, str | int | float | bool]:
    return {
        "http.method": "POST",
        "http.target": "/v1/chat/completions",
        "http.status_code": status,
        "guid:x-request-id": "a1e6f7c2-93c3-4a84-9d17-2f5c3a0b9e11",
        "request_size": 463,
        "response_size": 1022,
        "upstream_cluster": "openai",
        "user_agent": "OpenAI/Python 2.3.0",
        **more,
    }


def conversation(trace: str, prefix: str, agent: str) -> list[Made]:
    """A request to an agent listener: ten spans, five levels deep."""
    path = "POST /v1/chat/completions"
    return [
        Made(trace, f"{prefix}01", "", "plano(inbound)", path, 0, 1840, _proxy()),
        Made(trace, f"{prefix}02", f"{prefix}01", "plano(orchestrator)", "travel_booking_service", 2, 1838, {
            "component": "orchestrator",
            "selection.listener": "travel_booking_service",
            "selection.agents": f"{agent},flight_agent",
            "selection.agent_count": 2,
            "selection.determination_ms": 212.25,
            "service.name.override": "plano(orchestrator)",
        }),
        Made(trace, f"{prefix}03", f"{prefix}02", "plano(outbound)", f"{path} plano-orchestrator", 4, 214, _proxy()),
        Made(trace, f"{prefix}04", f"{prefix}02", "plano(agent)", f"{agent} /v1/chat/completions", 216, 905, {
            "agent_id": agent, "message_count": 1,
        }),
        Made(trace, f"{prefix}05", f"{prefix}04", "plano(llm)", f"{path} gpt-4o-mini", 220, 890, {
            "llm.model": "openai/gpt-4o-mini",
            "llm.is_streaming": True,
            "llm.time_to_first_token": 131,
            "llm.duration_ms": 668,
            "llm.usage.prompt_tokens": 1204,
            "llm.usage.completion_tokens": 88,
            "llm.tools": "get_weather(...)\nget_forecast(...)",
            "llm.user_message_preview": "What is the weather in Lisbon on Saturday, and wh...",
            "http.status_code": 200,
        }, {"llm.time_to_first_token": {"llm.time_to_first_token": 131}}),
        Made(trace, f"{prefix}06", f"{prefix}05", "plano(routing)", "routing", 222, 260, {
            "routing.determination_ms": 37, "route.selected_model": "openai/gpt-4o-mini", "model.requested": "fast",
        }),
        Made(trace, f"{prefix}07", f"{prefix}05", "plano(outbound)", f"{path} api.openai.com", 262, 888, _proxy()),
        Made(trace, f"{prefix}08", f"{prefix}02", "plano(agent)", "flight_agent /v1/chat/completions", 908, 1836, {
            "agent_id": "flight_agent", "message_count": 2,
        }),
        Made(trace, f"{prefix}09", f"{prefix}08", "plano(llm)", f"{path} fast -> gpt-4o", 915, 1830, {
            "llm.model": "openai/gpt-4o", "llm.duration_ms": 914, "http.status_code": 200,
        }),
        Made(trace, f"{prefix}10", f"{prefix}09", "plano(outbound)", f"{path} api.openai.com", 917, 1829, _proxy()),
    ]  # fmt: skip


SUCCESS = [*conversation(FIRST, "a", "weather_agent"), *conversation(SECOND, "b", "weather_agent")]
FAILURE = [
    Made(UNAVAILABLE, "f1", "", "plano(inbound)", "POST /agents", 0, 31, _proxy(503, response_flags="UF,URX")),
    Made(UNAVAILABLE, "f2", "f1", "plano(outbound)", "POST /agents", 2, 30, _proxy(503, response_flags="UF,URX")),
    Made(LIMITED, "f3", "", "plano(outbound)", "POST /limited", 0, 3, _proxy(429, response_flags="RL")),
    Made(UNHEALTHY, "f4", "", "plano(outbound)", "POST /unhealthy", 0, 5, _proxy(500, response_flags="UH")),
]
